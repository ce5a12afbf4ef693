"""The last step before a part's own program, in the process that becomes it: a way to its files, then its own user.

    unshare --mount --propagation slave -- python confined.py USER PATH... -- PROGRAM ARGUMENT...

Run by file name: nothing of ours is imported, and nothing but the standard library.
"""

import os
import pwd
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

EXIT_CANNOT = 126  # as shells say of a program that is there and cannot be run


def blocked_at(path: Path) -> Path | None:
    """The first directory on the way to `path` that other users may not pass through; None where all may."""
    return next((place for place in reversed(path.parents) if not place.stat().st_mode & 0o001), None)


def open_ways(paths: Sequence[Path]) -> None:
    """Let every user pass through to `paths`, in this mount namespace alone, and see nothing else that lies beside the way.

    A checkout under /root, say: /root becomes an empty directory in which only what is needed stands."""
    os.umask(0o022)
    found = sorted({path for path in paths if blocked_at(path)})
    needed = [path for path in found if not any(other in path.parents for other in found)]
    for block in sorted({place for path in needed if (place := blocked_at(path))}):
        inside = [path for path in needed if block in path.parents]
        aside = Path(tempfile.mkdtemp())  # taken away name by name: what deletes whole trees must never meet a mounted one
        held = {path: aside / str(number) for number, path in enumerate(inside)}
        for path, place in held.items():
            _place(place, path)
            _mount("--bind", str(path), str(place))
        _mount("-t", "tmpfs", "-o", "mode=0711,size=1m", "tmpfs", str(block))
        for path, place in held.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            _place(path, place)
            _mount("--bind", str(place), str(path))
            subprocess.run(["umount", str(place)], check=True)
            place.rmdir() if place.is_dir() else place.unlink()
        aside.rmdir()


def _place(new: Path, like: Path) -> None:
    if like.is_dir():
        new.mkdir()
    else:
        new.touch()


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True)


def become(name: str) -> None:
    """From here on this process is `name`, with no group and no capability of ours; and so is whatever it starts."""
    user = pwd.getpwnam(name)
    os.setgroups([])
    os.setgid(user.pw_gid)
    os.setuid(user.pw_uid)
    os.umask(0o077)
    os.environ.update(HOME="/nonexistent", USER=name, LOGNAME=name)


def main(words: Sequence[str]) -> None:
    """The command line above. Comes back only by SystemExit, with EXIT_CANNOT where the program cannot be run."""
    where = words.index("--")
    name, paths, program = words[0], [Path(one) for one in words[1:where]], words[where + 1 :]
    here = Path.cwd()
    open_ways(paths)
    become(name)
    try:
        os.chdir(here)  # by its name again: what is mounted over it now
        os.execvp(program[0], list(program))  # noqa: S606  no shell
    except OSError as error:
        print(f"{name} cannot run {program[0]}: {error.strerror}", file=sys.stderr)
        raise SystemExit(EXIT_CANNOT) from None


if __name__ == "__main__":
    main(sys.argv[1:])
