"""The receipts of one request, however many: each goes once, in answers that the bus takes."""

import json

from hypothesis import given
from hypothesis import strategies as st

from services.audit.holder import RECEIPTS_BYTES_MAX, in_bites
from shared.bus.outbox import EVENT_BYTES_MAX
from shared.holder.contract import Attested


@given(st.lists(st.integers(1, 120_000), max_size=40))
def test_every_receipt_goes_once_and_every_answer_fits(sizes: list[int]) -> None:
    receipts = {f"evt_{n:032x}": "\n" * (size // 2) for n, size in enumerate(sizes)}
    bites = list(in_bites(receipts))
    assert [one for bite in bites for one in bite.items()] == list(receipts.items())
    assert all(len(json.dumps(bite)) <= RECEIPTS_BYTES_MAX for bite in bites) and RECEIPTS_BYTES_MAX < EVENT_BYTES_MAX
    assert Attested(request_id="req", receipts=bites[0]), "none is an answer too"
