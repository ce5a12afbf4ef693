"""A request across a rotation of the locators' key."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import cast

import pytest

from services.dsar.requests.renewal import renew
from services.dsar.requests.tables import DataRequest
from services.dsar.saga.model import leads_somewhere
from shared.errors import InvalidInputError
from shared.keys.cipher import Sealed
from shared.keys.locators import Locators
from shared.values.identifiers import Identifier
from shared.values.mailbox import mailbox
from shared.work import Work


def test_holders_are_asked_by_the_locators_of_every_live_version() -> None:
    assert DataRequest(locator="loc_2_a", locators=["loc_2_a", "loc_1_a"]).asked_by == ["loc_2_a", "loc_1_a"]
    assert DataRequest(locator="loc_1_a", locators=[]).asked_by == ["loc_1_a"], "of a process of the version before"


def test_a_record_is_asked_about_anew_when_all_its_locators_are_of_trimmed_versions() -> None:
    assert leads_somewhere(["loc_1_a", "loc_2_b"], oldest=2)
    assert leads_somewhere(["loc_1_a"], oldest=1)
    assert not leads_somewhere(["loc_1_a", "loc_2_b"], oldest=3)
    assert leads_somewhere([], oldest=3), "there is nothing to name it by"


async def test_an_address_that_todays_grammar_refuses_holds_up_no_rotation() -> None:
    """It was taken under the grammar of its day, and is found by its form of then."""
    typed = {"req_new": "jane@example.org", "req_old": "kim@t.example;lee@t.example", "req_none": "nobody"}
    with pytest.raises(InvalidInputError):
        mailbox(typed["req_old"])
    rows = [
        DataRequest(id=one, address=cast(Sealed, address.encode()), locator="loc_1_a", locators=["loc_1_a"])
        for one, address in typed.items()
    ]

    async def of(known: Sequence[Identifier]) -> list[tuple[str, ...]]:
        return [(f"loc_2_{value}", "loc_1_a") for _, value in known]

    opening = cast(Work, SimpleNamespace(open=lambda column, subject, sealed: sealed.decode()))
    await renew(opening, cast(Locators, SimpleNamespace(of=of)), rows)
    assert {one.id: one.locator for one in rows} == {
        "req_new": "loc_2_jane@example.org", "req_old": "loc_2_kim@t.example;lee@t.example", "req_none": "loc_1_a",
    }  # fmt: skip
