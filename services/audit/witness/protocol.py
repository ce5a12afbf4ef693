"""What a witness signs, and what it refuses. Pure.

A request (https://c2sp.org/tlog-witness):

    old 20852014                            (the size that the log believes this witness signed last)
    <base64 of a 32-byte hash>              (the consistency proof from there, 63 lines at most; none from 0)
                                            (an empty line)
    <the checkpoint, as it is signed>
"""

import re
from dataclasses import dataclass

from services.audit.log.proof import check_consistency
from services.audit.log.tree import EMPTY_ROOT
from shared.errors import KeptError, MalformedError, TamperError
from shared.notes.note import decoded
from shared.notes.tlogproof import checkpoint_head

PROOF_LINES_MAX = 63
SIZE_MAX = 2**63 - 1
_OLD = re.compile(r"old (0|[1-9][0-9]{0,18})")


@dataclass(frozen=True)
class Submitted:
    """A request as it was sent; nothing in it is proven."""

    old: int
    proof: tuple[bytes, ...]
    note: str

    @property
    def origin(self) -> str:
        return self.note.partition("\n")[0]


@dataclass(frozen=True)
class Tree:
    """A log's tree as a checkpoint says it. The empty tree is what a witness has seen of a log that it does not know yet."""

    size: int = 0
    root: bytes = EMPTY_ROOT


class BehindError(KeptError):
    """The log starts from another size than this witness signed last."""

    code = "other-size"
    status = 409

    def __init__(self, size: int) -> None:
        super().__init__(f"signed last at size {size}")
        self.size = size


class InconsistentError(KeptError):
    """The checkpoint does not follow from what this witness signed last."""

    code = "inconsistent"
    status = 422


def parse(body: bytes) -> Submitted:
    """MalformedError unless every line is as the protocol says."""
    try:
        head, gap, note = body.decode().partition("\n\n")
    except UnicodeDecodeError:
        raise MalformedError("the request is not UTF-8") from None
    first, *lines = head.split("\n")
    old = _OLD.fullmatch(first)
    if not gap or not note or old is None or int(old[1]) > SIZE_MAX:
        raise MalformedError("not an old size, a proof, an empty line and a checkpoint")
    if len(lines) > PROOF_LINES_MAX:
        raise MalformedError(f"more than {PROOF_LINES_MAX} lines of proof")
    proof = tuple(decoded(line, "a line of the proof") for line in lines)
    if any(len(node) != 32 for node in proof):
        raise MalformedError("a line of the proof is not a hash")
    return Submitted(int(old[1]), proof, note)


def tree_of(text: str) -> Tree:
    """The tree of a checkpoint's proven text. MalformedError."""
    _, size, root = checkpoint_head(text)
    if size > SIZE_MAX:
        raise MalformedError("the size is beyond 2^63 - 1")
    return Tree(size, root)


def follows(last: Tree, submitted: Submitted, new: Tree) -> None:
    """Nothing, if `new` may be signed by a witness that signed `last` before; in the order of the protocol:

    1. the old size is not above the new one, else MalformedError; 2. it is the size that was signed last, else BehindError;
    3. an empty tree has the empty tree's root, and 4. the proof leads from the one root to the other: of equal sizes the roots
    are equal, and the proof empty as it is from size 0. Else InconsistentError.
    """
    if submitted.old > new.size:  # 1
        raise MalformedError("the old size is above the checkpoint's")
    if submitted.old != last.size:  # 2
        raise BehindError(last.size)
    if new.size == 0 and new.root != EMPTY_ROOT:  # 3
        raise InconsistentError("an empty tree with another root")
    try:  # 4
        check_consistency(last.size, last.root, new.size, new.root, submitted.proof)
    except TamperError as error:
        raise InconsistentError(error.detail) from None
