"""Checkpoints: https://c2sp.org/tlog-checkpoint. The text; signatures are shared/notes."""

import base64
from dataclasses import dataclass

from shared.errors import MalformedError
from shared.notes.tlogproof import checkpoint_head


@dataclass(frozen=True)
class Checkpoint:
    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        """What is signed."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


def parse(text: str) -> Checkpoint:
    """The checkpoint of a note's verified text. Strict: extension lines are refused, we write none."""
    found = Checkpoint(*checkpoint_head(text))
    if found.text() != text:
        raise MalformedError("checkpoint: more than three lines")
    return found
