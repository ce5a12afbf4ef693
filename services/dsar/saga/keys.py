"""Who may say what: the public keys of holders and of the log, as Vault has them."""

from services.dsar.certificates.verify import evidence
from shared.errors import NotFoundError, TamperError
from shared.holder.contract import Answer
from shared.holder.word import proven
from shared.keys.public import PublicKeys
from shared.notes.note import vkey
from shared.notes.tlogproof import parse_receipt

LOG_KEY = "kept-log"


class Keys:
    """Each look takes what Vault said lately; before anything is refused it is asked again, for a key may be new.

    UnavailableError while Vault is away: whoever asks tries again, and nothing counts meanwhile."""

    def __init__(self, public: PublicKeys, log_name: str) -> None:
        self._public, self._log_name = public, log_name
        self._origin = log_name.partition("/")[0]

    async def of(self, holder: str, *, fresh: bool = False) -> list[str]:
        """The vkeys of a holder's notes, oldest first; empty where it has none."""
        return await self._vkeys(f"kept-{holder}-notes", f"{self._origin}/{holder}", fresh)

    async def of_receipt(self, receipt: str, *, fresh: bool = False) -> list[str]:
        """The log's, as of the shard that the receipt says it is from; empty where that is none of this log's."""
        origin = parse_receipt(receipt).checkpoint.partition("\n")[0]
        if not origin.startswith(self._log_name + "/"):
            return []
        return await self._vkeys(LOG_KEY, origin, fresh)

    async def _vkeys(self, key: str, name: str, fresh: bool) -> list[str]:
        try:
            found = await self._public.of(key, fresh=fresh)
        except NotFoundError:
            return []
        return [vkey(name, found[version]) for version in sorted(found)]

    async def prove(self, answer: Answer, holder: str) -> None:
        """`answer` is `holder`'s own word, all of it. TamperError, MalformedError."""
        try:
            proven(answer, holder, await self.of(holder))
        except TamperError:
            proven(answer, holder, await self.of(holder, fresh=True))

    async def prove_receipt(self, receipt: str, event_id: str, note: str) -> None:
        """The log has the event, and the event has the note. TamperError, MalformedError."""
        try:
            evidence(receipt, event_id, note, await self.of_receipt(receipt))
        except TamperError:
            evidence(receipt, event_id, note, await self.of_receipt(receipt, fresh=True))
