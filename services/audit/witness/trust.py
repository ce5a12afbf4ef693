"""Which logs a witness trusts: public keys in a file, one vkey a line, which its operator has from the log's.

1. A vkey is trusted for the one origin that it names.
2. Where the operator named a log (`kept.example/log`): every shard of it, `kept.example/log/<topic>/<partition>`, is an origin
   of its own, and all are signed by the same keys. So the keys in the file whose name is that log or lies under it are trusted
   for every shard of it, also for those of topics that come later. What it costs: whoever has the log's key can begin as many
   origins as they like (ORIGINS_MAX in store.py); none of them can take back what another said.
"""

import logging
import re
from collections.abc import Sequence
from pathlib import Path

from shared.errors import MalformedError, NotFoundError
from shared.notes.note import Key, is_name, parse_vkey, vkey

log = logging.getLogger("kept.witness")
KEYS_BYTES_MAX = 4 * 1024 * 1024
_SHARD = re.compile(r"[A-Za-z0-9._-]{1,249}(~[1-9][0-9]{0,8})?/(0|[1-9][0-9]{0,9})")


def keys_for(origin: str, keys: Sequence[Key], logs: Sequence[str]) -> list[str]:
    """The vkeys that may sign checkpoints of `origin`; none: an origin that is not trusted."""
    found = [key.public for key in keys if key.name == origin]
    for name in logs:
        if origin.startswith(f"{name}/") and _SHARD.fullmatch(origin[len(name) + 1 :]):
            found += [key.public for key in keys if key.name == name or key.name.startswith(f"{name}/")]
    return [vkey(origin, public) for public in dict.fromkeys(found)] if is_name(origin) else []


class Trusted:
    """The file of keys, read again when it changes: after the log's key was rotated, a line is added to it."""

    def __init__(self, path: Path, logs: Sequence[str]) -> None:
        """MalformedError, NotFoundError: a witness that trusts nobody does not start."""
        self._path = path
        self._logs = tuple(logs)
        for name in self._logs:
            if not is_name(name) or name.endswith("/"):
                raise MalformedError(f"{name!r} is not the name of a log, such as kept.example/log")
        self._keys, self._seen = _read(path), _changed(path)
        unknown = [name for name in self._logs if not any(k.name == name or k.name.startswith(f"{name}/") for k in self._keys)]
        if unknown or not self._keys:
            raise MalformedError(f"{path} has no key of {unknown[0] if unknown else 'any log'}")

    def vkeys(self, origin: str) -> list[str]:
        """As `keys_for`."""
        seen = _changed(self._path)
        if seen != self._seen:
            self._seen = seen
            try:
                self._keys = _read(self._path)
                log.info("%s: %d keys", self._path, len(self._keys))
            except (MalformedError, NotFoundError) as error:  # half of an edit: what was trusted stays so
                log.error("%s cannot be read, so the keys stay as they were: %s", self._path, error.detail)
        return keys_for(origin, self._keys, self._logs)


def _changed(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError:
        return 0, 0
    return found.st_mtime_ns, found.st_ino


def _read(path: Path) -> tuple[Key, ...]:
    try:
        with path.open("rb") as file:
            lines = file.read(KEYS_BYTES_MAX).decode().splitlines()
    except OSError as error:
        raise NotFoundError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise MalformedError(f"{path} is not text") from None
    said = [(n, line.strip()) for n, line in enumerate(lines, 1) if line.strip() and not line.strip().startswith("#")]
    found = []
    for n, text in said:
        try:
            found.append(parse_vkey(text))
        except MalformedError as error:
            raise MalformedError(f"{path} line {n}: {error.detail}") from None
    return tuple(found)
