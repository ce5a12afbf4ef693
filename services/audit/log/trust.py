"""Whom a verifier believes: the log's keys and how long each is valid, and the witnesses it asks for."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.audit.log.checkpoint import Checkpoint, parse
from shared.errors import MalformedError
from shared.notes.note import verify_note


@dataclass(frozen=True)
class Trust:
    """`vkeys`: one per shard and version of the log's key; a checkpoint's origin is the name of its key."""

    vkeys: tuple[str, ...]

    @classmethod
    def of(cls, vkeys: Sequence[str]) -> "Trust":
        return cls(tuple(vkeys))

    def checkpoint(self, raw: bytes, shard: str) -> Checkpoint:
        """The checkpoint of `shard`, proven. 1. It is a note of one of the keys; 2. of this shard. Raises KeptError."""
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError:
            raise MalformedError("not UTF-8") from None
        found = parse(verify_note(text, self.vkeys))  # 1
        if not found.origin.endswith("/" + shard):  # 2
            raise MalformedError("the checkpoint is another shard's")
        return found
