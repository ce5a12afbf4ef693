"""Who was forgotten stays so: an erasure leaves a mark of the customer number and of the e-mail address, and so no old file
brings anybody back.

A mark is a keyed hash under Vault's key `kept-customers-forgotten`, which is for this list alone, is in no backup and never
rotates: the one exception to the erasure horizon (docs/decisions/0046). Erasures of before this list left locators, which say
nothing any more once their key's version is trimmed. Nobody can hash those people anew, they are gone; but a file that has
their number again brings the text along, and then it gets its mark.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from services.customers.addresses.actions import proven_email
from services.customers.records.model import found_by
from services.customers.records.rows import among
from services.customers.tables import Customer, CustomerLocator, ForgottenLocator, ForgottenMark
from services.customers.wiring import Tools
from shared.errors import InvariantError, ShreddedError, TamperError
from shared.keys.marks import Marks
from shared.trips import Row, Statement
from shared.values.identifiers import Identifier, external
from shared.values.typed import Number
from shared.work import Work

KEY, PREFIX = "kept-customers-forgotten", "fgt"
KINDS = ("external", "email")  # not the phone's: families and offices share one, and a relative was not forgotten


# No mark looks like a locator.
_THERE = """
SELECT mark FROM forgotten WHERE mark = ANY(%(marks)s)
UNION ALL SELECT locator FROM forgotten_numbers WHERE locator = ANY(%(locators)s)"""


@dataclass(frozen=True)
class Question:
    """Which of some identifiers a forgotten person left: whoever has more to ask asks it in the same round trip."""

    marks: Mapping[Identifier, str]
    locators: Mapping[str, Identifier]

    @property
    def statement(self) -> Statement:
        return Statement(_THERE, {"marks": list(self.marks.values()), "locators": list(self.locators)})

    async def answered(self, w: Work, rows: Sequence[Row]) -> set[Identifier]:
        """Those, by the `rows` that the statement gave; who is found by a locator is marked."""
        there = {one for (one,) in rows}
        by_locator = {locator: one for locator, one in self.locators.items() if locator in there}
        await _take_over(w, {locator: self.marks[one] for locator, one in by_locator.items()})
        return {one for one, mark in self.marks.items() if mark in there} | {*by_locator.values()}


async def question(tools: Tools, located: Mapping[Identifier, Sequence[str]]) -> Question:
    """`located`: identifier -> its locators."""
    marks = await _marked(tools.marks, located)
    return Question(marks, {locator: one for one in marks for locator in located[one]})


async def left(w: Work, tools: Tools, located: Mapping[Identifier, Sequence[str]]) -> set[Identifier]:
    """Those of `located` that a forgotten person left."""
    asked = await question(tools, located)
    (rows,) = await w.ask(asked.statement)
    return await asked.answered(w, rows)


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
