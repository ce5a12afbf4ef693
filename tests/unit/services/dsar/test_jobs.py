"""What the clock closes is what it was listed as: a request that went on meanwhile is its person's."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from services.dsar.requests.model import State
from services.dsar.saga import claims, jobs
from services.dsar.saga.model import Fit
from tests.unit.loops.services import saga_jobs

LISTS = ("unproven", "asking", "old")


@pytest.mark.parametrize(
    ("listed", "state", "unclear", "closes"),
    [
        ("unproven", State.RECEIVED, False, ("unverified", False)),
        ("unproven", State.VERIFIED, True, None),  # the code was typed, and the address leads to several
        ("unproven", State.VERIFIED, False, None),
        ("asking", State.VERIFIED, True, ("unverified", True)),
        ("asking", State.VERIFIED, False, None),
        ("old", State.ANSWERED, False, ("expired", True)),
        ("old", State.CLOSED, False, None),
    ],
)
async def test_a_request_that_went_on_since_it_was_listed_is_not_closed(
    monkeypatch: pytest.MonkeyPatch, listed: str, state: State, unclear: bool, closes: tuple[str, bool] | None
) -> None:
    done, rows = list[tuple[str, bool]](), iter([["req"] if one == listed else [] for one in LISTS])

    async def load(*_: object) -> SimpleNamespace:
        return SimpleNamespace(state=state, unclear=unclear)

    async def close(_: object, __: str, reason: str, *, tell: bool = True) -> None:
        done.append((reason, tell))

    async def ids(*_: object) -> list[str]:
        return next(rows)

    monkeypatch.setattr(jobs.requests, "load", load)
    monkeypatch.setattr(jobs.requests, "close", close)
    made = saga_jobs(monkeypatch)
    monkeypatch.setattr(made, "_ids", ids)
    await made.close()
    assert done == ([closes] if closes else [])


async def test_a_number_that_several_share_is_no_wrong_one() -> None:
    request = SimpleNamespace(
        state=State.VERIFIED, right="erasure", unclear=True, claimable=["a", "b"], narrow_tries=0,
        candidates={"a": ["shared"], "b": ["shared"]},
    )  # fmt: skip
    for said, fit, tries in ((["shared"], Fit.SEVERAL, 0), (["other"], Fit.NONE, 1), (["shared"], Fit.SEVERAL, 1)):
        assert await claims.claim(cast(Any, None), cast(Any, request), said, "1") is fit
        assert request.narrow_tries == tries
