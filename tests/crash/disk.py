"""A disk as POSIX promises it and no better, driven by the system calls that strace saw.

A file's bytes are sure after fsync of the file; a name in a directory, new, changed or gone, after fsync of the directory. All
else may or may not be there after a power cut: `after_power_cut` makes one such state in a directory.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

CALLS = "openat,write,fsync,fdatasync,link,linkat,rename,unlink,mkdir,close"
CALLS += ",pwrite64,writev,ftruncate,renameat,renameat2,unlinkat"  # unknown to the model, which says so
_LINE = re.compile(r"(?P<thread>\d+) +(?P<text>.*)")
_CALL = re.compile(r"(?P<name>\w+)\((?P<args>.*)\) += (?P<result>-?\d+)")
_TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"(\.\.\.)?')


@dataclass(frozen=True)
class Call:
    """A system call that succeeded. `numbers`: its arguments in order, strings left out; `texts`: the strings."""

    name: str
    texts: tuple[bytes, ...]
    words: tuple[str, ...]
    result: int


def calls(trace: str) -> Iterator[Call]:
    """The calls of `strace -f -xx` in the order in which they returned."""
    begun: dict[str, str] = {}
    for line in trace.splitlines():
        found = _LINE.fullmatch(line)
        if found is None:
            continue
        thread, text = found["thread"], found["text"]
        if text.endswith(" <unfinished ...>"):
            begun[thread] = text.removesuffix(" <unfinished ...>")
            continue
        if text.startswith("<... "):
            text = begun.pop(thread) + text.partition("resumed>")[2]
        if call := _CALL.match(text):
            raw = _TEXT.findall(call["args"])
            assert not any(cut for _, cut in raw), "strace cut a string: its -s is too small"
            texts = tuple(bytes.fromhex(one.replace("\\x", "")) for one, _ in raw)
            yield Call(call["name"], texts, tuple(_TEXT.sub("", call["args"]).split(", ")), int(call["result"]))


@dataclass
class _File:
    data: bytes = b""
    sure: bytes = b""


Names = dict[str, "_File | None"]  # None: a directory


@dataclass
class Disk:
    """`names` as a process sees them; `sure` as they are after the last fsync of their directories."""

    root: Path
    names: Names = field(default_factory=dict)
    sure: Names = field(default_factory=dict)
    _open: dict[int, "_File | str"] = field(default_factory=dict)  # a descriptor's file, or its directory's path

    @classmethod
    def of(cls, root: Path) -> "Disk":
        """All of `root` as it is, and sure."""
        disk = cls(root)
        for path in root.rglob("*"):
            data = None if path.is_dir() else path.read_bytes()
            disk.names[str(path)] = None if data is None else _File(data, data)
        disk.sure = dict(disk.names)
        return disk

    def apply(self, call: Call) -> bool:
        """What the call does to the disk; False where that is nothing."""
        if call.result < 0:
            return False
        handle = int(call.words[0]) if call.words[0].isdigit() else -1
        paths = [text.decode(errors="replace") for text in call.texts]
        match call.name:
            case "openat":
                return self._opened(paths[0], call.words[2], call.result)
            case "close":
                self._open.pop(handle, None)
                return False
            case "write":
                return self._written(handle, call.texts[0][: call.result])
            case "fsync" | "fdatasync":
                return self._synced(handle)
            case "linkat" | "link":
                return self._named(paths[-1], self._linked(paths[0]))
            case "rename":
                return self._named(paths[1], self.names.pop(paths[0], None))
            case "unlink":
                return self.names.pop(paths[0], None) is not None
            case "mkdir":
                return self._named(paths[0], None)
        assert not self._ours(*paths) and handle not in self._open, f"the model does not know {call.name}"
        return False

    def _ours(self, *paths: str) -> bool:
        return any(Path(path).is_relative_to(self.root) for path in paths)

    def _opened(self, path: str, flags: str, handle: int) -> bool:
        self._open.pop(handle, None)
        if not self._ours(path):
            return False
        if "O_TMPFILE" in flags:
            self._open[handle] = _File()
        elif "O_DIRECTORY" in flags:
            self._open[handle] = path
        elif "O_CREAT" in flags and path not in self.names:
            self._open[handle] = self.names[path] = _File()
            return True
        else:
            self._open[handle] = self.names.get(path) or path
        return False

    def _written(self, handle: int, data: bytes) -> bool:
        file = self._open.get(handle)
        if not isinstance(file, _File):
            return False
        file.data += data
        return True

    def _synced(self, handle: int) -> bool:
        found = self._open.get(handle)
        if isinstance(found, _File):
            found.sure = found.data
        elif found is not None:
            inside = {path for path in {*self.names, *self.sure} if str(Path(path).parent) == found}
            for path in inside:
                if path in self.names:
                    self.sure[path] = self.names[path]
                else:
                    del self.sure[path]
        return found is not None

    def _linked(self, source: str) -> "_File | None":
        if source.startswith("/proc/self/fd/"):
            found = self._open[int(source.rpartition("/")[2])]
            assert isinstance(found, _File)
            return found
        return self.names.get(source)

    def _named(self, path: str, what: "_File | None") -> bool:
        if self._ours(path):
            self.names[path] = what
        return self._ours(path)

    def after_power_cut(self, keeps: Callable[[], bool]) -> dict[Path, bytes | None]:
        """A state that the disk may be in. What is not sure, a name or a file's bytes, is there if `keeps` says so."""
        names = {path: (self.names if keeps() else self.sure) for path in {*self.names, *self.sure}}
        there = {path: side[path] for path, side in names.items() if path in side}
        kept: dict[Path, bytes | None] = {}
        for path in sorted(there):  # parents first: nothing is in a directory that is not there
            place, what = Path(path).relative_to(self.root), there[path]
            if place.parent != Path() and place.parent not in kept:
                continue
            kept[place] = None if what is None else what.data if keeps() else what.sure
        return kept


def lay(state: dict[Path, bytes | None], root: Path) -> None:
    """Make `state` in an empty directory."""
    for path, data in state.items():
        if data is None:
            (root / path).mkdir(parents=True)
        else:
            (root / path).write_bytes(data)


def distinct(states: Iterable[dict[Path, bytes | None]]) -> list[dict[Path, bytes | None]]:
    """Each state once."""
    seen: dict[frozenset[tuple[Path, bytes | None]], dict[Path, bytes | None]] = {}
    for state in states:
        seen.setdefault(frozenset(state.items()), state)
    return list(seen.values())
