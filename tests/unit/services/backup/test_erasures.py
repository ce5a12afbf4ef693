"""The list of erasures, which outlives the databases."""

from pathlib import Path

from services.backup.restore.erasures import known, people, remember
from shared.blobs.posix import PosixStore

LUIS, ANNA = (f"sub_{n:032x}" for n in (1, 2))


async def test_a_person_is_counted_once_however_many_holders_erased_them(tmp_path: Path) -> None:
    store = PosixStore(tmp_path)
    for holder, subject in (("customers", LUIS), ("billing", LUIS), ("audit", LUIS), ("customers", ANNA), ("customers", LUIS)):
        await remember(store, holder, subject)
    erased = await known(store)
    assert erased == {"customers": {LUIS, ANNA}, "billing": {LUIS}, "audit": {LUIS}}
    assert people(erased) == 2 and people({}) == 0
