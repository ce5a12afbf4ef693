"""Who was forgotten stays so: an erasure leaves a mark of the customer number and of the e-mail address, and so no old file
brings anybody back.

A mark is a keyed hash under Vault's key `kept-customers-forgotten`, which is for this list alone, is in no backup and never
rotates: the one exception to the erasure horizon (docs/decisions/0046). Erasures of before this list left locators, which say
nothing any more once their key's version is trimmed. Nobody can hash those people anew, they are gone; but a file that has
their number again brings the text along, and then it gets its mark.
"""

from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from services.customers.addresses.actions import proven_email
from services.customers.records.model import found_by
from services.customers.records.rows import among
from services.customers.tables import Customer, CustomerLocator, ForgottenLocator, ForgottenMark
from services.customers.wiring import Tools
from shared.errors import InvariantError, ShreddedError, TamperError
from shared.keys.marks import Marks
from shared.values.identifiers import Identifier, external
from shared.values.typed import Number
from shared.work import Work

KEY, PREFIX = "kept-customers-forgotten", "fgt"
KINDS = ("external", "email")  # not the phone's: families and offices share one, and a relative was not forgotten


async def left(w: Work, tools: Tools, located: Mapping[Identifier, Sequence[str]]) -> set[Identifier]:
    """Those of `located` (identifier -> its locators) that a forgotten person left; who is found by a locator is marked."""
    mark_of = await _marked(tools.marks, located)
    locators = {locator: one for one in mark_of for locator in located[one]}
    marked = select(ForgottenMark.mark).where(among(ForgottenMark.mark, mark_of.values()))
    old = select(ForgottenLocator.locator).where(among(ForgottenLocator.locator, locators))
    there = set((await w.session.scalars(marked.union_all(old))).all())  # no mark looks like a locator
    by_locator = {locator: one for locator, one in locators.items() if locator in there}
    await _take_over(w, {locator: mark_of[one] for locator, one in by_locator.items()})
    return {one for one, mark in mark_of.items() if mark in there} | {*by_locator.values()}


async def _marked(marks: Marks, identifiers: Iterable[Identifier]) -> dict[Identifier, str]:
    mine = [one for one in identifiers if one[0] in KINDS]
    return dict(zip(mine, await marks.of(mine), strict=True))


async def _take_over(w: Work, marks: Mapping[str, str]) -> None:
    """Locator -> mark, of the same identifier."""
    if marks:
        mine = among(ForgottenLocator.locator, marks), ForgottenLocator.taken_over.is_(False)
        took = update(ForgottenLocator).where(*mine).values(taken_over=True).returning(ForgottenLocator)
        for one in (await w.session.scalars(took)).all():
            row = insert(ForgottenMark).values(mark=marks[one.locator], kind=one.kind, forgotten_on=one.forgotten_at.date())
            await w.session.execute(row.on_conflict_do_nothing())


async def come_back(w: Work, tools: Tools, located: Mapping[Identifier, Sequence[str]]) -> None:
    """Whoever is found by these is a customer again: what an erasure left of them goes."""
    if located:
        gone = (await _marked(tools.marks, located)).values()
        locators = [one for some in located.values() for one in some]
        await w.session.execute(delete(ForgottenMark).where(among(ForgottenMark.mark, gone)))
        await w.session.execute(delete(ForgottenLocator).where(among(ForgottenLocator.locator, locators)))


async def remember(w: Work, marks: Marks, customer: Customer) -> None:
    """What an erasure leaves of a record, before its key goes. Of the day and not of the minute, which would say whose it is.
    The locators too: a process of the version before looks for them, and what can't be opened has them alone."""
    known = await _identifiers(w, customer)
    day = w.now.replace(hour=0, minute=0, second=0, microsecond=0)
    for (kind, _), mark in (await _marked(marks, known)).items():
        made = insert(ForgottenMark).values(mark=mark, kind=kind, forgotten_on=day.date())
        await w.session.execute(made.on_conflict_do_nothing())
    mine = CustomerLocator.customer_id == customer.id, CustomerLocator.kind.in_(KINDS)
    for old in (await w.session.scalars(select(CustomerLocator).where(*mine))).all():
        marked = old.kind in {kind for kind, _ in known}
        row = insert(ForgottenLocator).values(locator=old.locator, kind=old.kind, forgotten_at=day, taken_over=marked)
        await w.session.execute(row.on_conflict_do_nothing())


async def _identifiers(w: Work, customer: Customer) -> list[Identifier]:
    """Number and proven address. None of what can't be opened: an erasure does not wait for that."""
    try:
        await w.unlock(customer.id)
        email = None if customer.email is None else w.open(Customer.email, customer.id, customer.email)
        known = found_by({"email": await proven_email(w, customer, email)})
        if customer.number is not None:
            known.append(("external", external("customer", Number(w.open(Customer.number, customer.id, customer.number)))))
    except (ShreddedError, TamperError, InvariantError):
        return []
    return known


async def count_unmarked(w: Work) -> int:
    """How many identifiers of who was forgotten have a locator alone, which ends with the version of its key."""
    return await w.session.scalar(select(func.count()).where(ForgottenLocator.taken_over.is_(False))) or 0
