"""The example service as a holder: an erasure says what it did, however often it is asked."""

from datetime import UTC, datetime

from examples.billing.app import ADDRESS, CREATED, SHREDDED, SHREDDED_BEFORE, Billing, Envelope

SUBJECT, LOCATOR = "sub_01a20d2b28fd772fb860ea50eaf33fcf", "loc_1"
INVOICE = {"InvoiceId": "1", "CustomerId": "17", "InvoiceDate": "2026-11-24", "Total": "1.98"} | dict.fromkeys(ADDRESS, "x")


def event(kind: str, **data: object) -> Envelope:
    at = datetime(2026, 11, 24, tzinfo=UTC)
    return Envelope("1", kind, "/services/customers", at, SUBJECT, "system:customers", None, data)


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
