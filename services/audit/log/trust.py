"""Whom a verifier believes: the log's keys."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from services.audit.log.checkpoint import Checkpoint, parse
from shared.errors import MalformedError
from shared.keys.vault import Vault
from shared.notes.note import VaultSigner, verify_note

LOG_KEY = "kept-log"
Vkeys = Callable[[str], Awaitable[Sequence[str]]]


@dataclass(frozen=True)
class Trust:
    """`vkeys`: one per shard and version of the log's key; a checkpoint's origin is the name of its key."""

    vkeys: tuple[str, ...]

    @classmethod
    def of(cls, vkeys: Sequence[str]) -> "Trust":
        return cls(tuple(vkeys))

    def checkpoint(self, raw: bytes, shard: str) -> Checkpoint:
        """The checkpoint of `shard`, proven: 1. it is of this shard, 2. signed by a key of that very origin. Else KeptError."""
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError:
            raise MalformedError("not UTF-8") from None
        origin = text.partition("\n")[0]
        if not origin.endswith("/" + shard):  # 1
            raise MalformedError("the checkpoint is another shard's")
        return parse(verify_note(text, keys_of(origin, self.vkeys)))  # 2


def keys_of(origin: str, vkeys: Sequence[str]) -> list[str]:
    """The keys that may speak for a log: those whose name is its origin. Another shard's key says nothing of this one."""
    return [one for one in vkeys if one.partition("+")[0] == origin]


def log_keys(vault: Vault, log_name: str) -> Vkeys:
    """Who may sign a shard's checkpoint: every version of the log's key, under the shard's origin."""

    async def vkeys(shard: str) -> list[str]:
        return await VaultSigner(vault, LOG_KEY, f"{log_name}/{shard}").vkeys()

    return vkeys
