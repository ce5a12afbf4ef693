"""A terminal as a known device: what a browser keeps as a cookie is a file here, for each origin, that only its user reads.

It holds what shared/keys/devices.py says and nothing else. Where there is no place for it, one signs in as on a new device.
"""

import os
import secrets
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

TOKEN_CHARS_MAX = 200


def _file(origin: str) -> Path:
    state = os.environ.get("XDG_STATE_HOME", "")
    root = Path(state) if Path(state).is_absolute() else Path.home() / ".local" / "state"  # as the XDG specification has it
    return root / "kept" / f"device-{quote(origin.rstrip('/'), safe='')}"


def device(origin: str) -> str:
    """The token by which this terminal is known at `origin`; empty where it is not."""
    try:
        return _file(origin).read_text(encoding="ascii")[:TOKEN_CHARS_MAX].strip()
    except (OSError, ValueError, RuntimeError):  # none, not ours, no home
        return ""


def remember(origin: str, token: str) -> None:
    """Be known from now on. Never in the way of signing in: a disk that is full or closed changes nothing."""
    with suppress(OSError, ValueError, RuntimeError):
        file = _file(origin)
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh = file.with_name(f".{secrets.token_hex(8)}")
        try:
            with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as out:
                out.write(token)
            fresh.replace(file)
        finally:
            fresh.unlink(missing_ok=True)
