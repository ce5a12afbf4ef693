"""What this machine has seen of a log: per origin the last checkpoint that verified, as it was signed.

A log that shows one history here and another there, or goes back, is caught by whoever remembers. The first look has nothing to
compare with (trust on first use) and says so.
"""

import os
from hashlib import sha256
from pathlib import Path
from urllib.parse import quote

from services.audit.log import proof
from services.audit.log.checkpoint import Checkpoint
from services.audit.log.tiles import Nodes
from shared.errors import KeptError

NOTE_BYTES_MAX = 256 * 1024
NAME_CHARS_MAX = 200  # file systems end at 255


def state_dir() -> Path:
    """Where programs of this user keep what they remember (XDG base directories)."""
    home = os.environ.get("XDG_STATE_HOME", "")
    return (Path(home) if home.startswith("/") else Path.home() / ".local" / "state") / "kept"


OTHER = "another history"


class Seen:
    """A directory of checkpoints, one file per origin."""

    def __init__(self, root: Path | None = None) -> None:
        self.root = root or state_dir() / "seen"

    def last(self, origin: str) -> bytes | None:
        """The checkpoint remembered, as it was signed; None at the first look."""
        try:
            with self.path(origin).open("rb") as file:
                return file.read(NOTE_BYTES_MAX)
        except FileNotFoundError:
            return None

    def remember(self, origin: str, note: bytes) -> None:
        """Keep this checkpoint instead of the one before: durable when it returns."""
        target = self.path(origin)
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".{target.name}.{os.getpid()}")
        with temporary.open("wb") as file:
            file.write(note)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)

    def path(self, origin: str) -> Path:
        """The file of an origin: its name, percent-encoded, or its hash where that is too long for a name."""
        name = quote(origin, safe="")
        return self.root / (name if len(name) <= NAME_CHARS_MAX and name.strip(".") else sha256(origin.encode()).hexdigest())


def against(old: Checkpoint, new: Checkpoint, nodes: Nodes) -> str | None:
    """What is wrong with `new`, for someone who saw `old`; None if it follows. The proof is made from tiles, and checked."""
    if new.size < old.size:
        return f"{old.size} entries were seen before; now the log has {new.size}"
    try:
        path = [] if old.size in (0, new.size) else proof.consistency(nodes, old.size)
        proof.check_consistency(old.size, old.root, new.size, new.root, path)
    except KeptError:
        return f"{OTHER}: it does not begin with the {old.size} entries that were seen before"
    return None
