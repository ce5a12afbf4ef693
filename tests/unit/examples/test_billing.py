"""The example service as a holder: an erasure says what it did, however often it is asked."""

from datetime import UTC, datetime

import pytest

from examples.billing.app import ADDRESS, CREATED, SHREDDED, SHREDDED_BEFORE, Billing, Envelope

SUBJECT, LOCATOR = "sub_01a20d2b28fd772fb860ea50eaf33fcf", "loc_1"
INVOICE = {"InvoiceId": "1", "CustomerId": "17", "InvoiceDate": "2026-11-24", "Total": "1.98"} | dict.fromkeys(ADDRESS, "x")


def event(kind: str, subject: str = SUBJECT, **data: object) -> Envelope:
    at = datetime(2026, 11, 24, tzinfo=UTC)
    return Envelope("1", kind, "/services/customers", at, subject, "system:customers", None, data)


def billing() -> Billing:
    made = Billing([INVOICE], {LOCATOR: "17"})
    made.learn(event(CREATED, locators=[LOCATOR]))
    return made


async def test_an_erasure_that_is_asked_for_again_gives_the_same_answer() -> None:
    """The answer may have been lost with the process, or on its way."""
    once = billing()
    first = await once.erase(SUBJECT)
    assert first.fields == len(ADDRESS) and await once.erase(SUBJECT) == first
    for word in (event(SHREDDED, subjects=[SUBJECT]), event(SHREDDED_BEFORE)):  # a topic keeps the words of before too
        restarted = billing()
        restarted.learn(word)
        assert await restarted.erase(SUBJECT) == first and not await restarted.locate([LOCATOR])


async def test_who_was_erased_is_found_no_more_and_the_address_is_gone() -> None:
    made = billing()
    assert [one.subject for one in await made.locate([LOCATOR])] == [SUBJECT]
    await made.erase(SUBJECT)
    assert await made.locate([LOCATOR]) == []
    ((record,),) = [one.records for one in await made.collect(SUBJECT)]
    assert not record.keys() & set(ADDRESS) and record["Total"] == "1.98"


AGAIN, LATER = "sub_01a20d2b28fd772fb860ea50eaf33fc0", INVOICE | {"InvoiceId": "2", "InvoiceDate": "2026-12-24"}


@pytest.mark.parametrize("restarted", [False, True])
async def test_who_comes_back_brings_no_address_back(restarted: bool) -> None:
    """The same customer number, a new pseudonym; also after a start, when the erasures are read before who has which number."""
    made = Billing([INVOICE, LATER], {LOCATOR: "17"})
    made.learn(event(SHREDDED, subjects=[SUBJECT]))
    if not restarted:
        made = Billing([INVOICE, LATER], {LOCATOR: "17"})
    made.learn(event(CREATED, locators=[LOCATOR]))
    if not restarted:
        made.learn(event(SHREDDED, subjects=[SUBJECT]))
    made.learn(event(CREATED, AGAIN, locators=[LOCATOR]))
    assert [one.subject for one in await made.locate([LOCATOR])] == [AGAIN], "the pseudonym that was forgotten stays so"
    (old, new) = [record for one in await made.collect(AGAIN) for record in one.records]
    assert not old.keys() & set(ADDRESS) and set(ADDRESS) <= new.keys()
    done = await made.erase(AGAIN)
    assert done.fields == len(ADDRESS) and await made.erase(AGAIN) == done, "what was gone is not counted again"
    assert not any(record.keys() & set(ADDRESS) for one in await made.collect(AGAIN) for record in one.records)
    assert not await made.locate([LOCATOR])


async def test_what_stays_is_said_with_the_law_that_asks_for_it() -> None:
    ((kept,),) = [(await billing().erase(SUBJECT)).kept]
    assert "section 886" in kept.reason and "Revenue Commissioners" in kept.reason


async def test_whom_a_rotated_key_names_is_known_by_what_is_hashed_anew() -> None:
    """Before the trim an event carries both; after it, only the new one can be computed."""
    made = billing()
    made.know({"loc_2": "17", LOCATOR: "17"})
    made.learn(event(CREATED, AGAIN, locators=["loc_3"]))
    assert [one.subject for one in await made.locate(["loc_2", LOCATOR])] == [SUBJECT]
    assert await made.collect(AGAIN) != await made.collect(SUBJECT), "not known yet"
    made.know({"loc_3": "17"})
    assert [one.subject for one in await made.locate(["loc_3"])] == [AGAIN]
    assert await made.collect(AGAIN) == await made.collect(SUBJECT)
