"""What can be done with a changed address: begin to wait, say yes or no from a mailbox, prove it, give it up."""

import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete, select

from services.customers.addresses.model import APPROVAL, NOTICES_PER_HOUR, How, Side, State, decided_by_two, proven_by
from services.customers.addresses.tables import AddressChange
from services.customers.events import (
    AddressChanged,
    AddressConfirmed,
    AddressObjected,
    ApprovalGranted,
    CustomerUpdated,
)
from services.customers.recipients.model import of_category
from services.customers.tables import Customer, CustomerLocator
from services.customers.wiring import Tools
from shared.clock import rfc3339
from shared.errors import ConflictError, InvalidInputError, NotFoundError
from shared.holder.contract import Category
from shared.keys.cipher import key_version
from shared.mail.queue import forget, queue, queued_lately
from shared.values.mailbox import mailbox
from shared.work import Work

HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Link:
    """A change, and the mailbox whose link somebody followed."""

    change: AddressChange
    side: Side


async def _locators(tools: Tools, address: str | None) -> Sequence[str]:
    """Under every live version, the newest first. None for none, and for what an older version took for an address: nobody can
    be told there."""
    try:
        return (await tools.locators.of([("email", mailbox(address))]))[0] if address else ()
    except InvalidInputError:
        return ()


async def _locked(w: Work, change_id: str) -> AddressChange | None:
    """The change, if it waits. The person's record is locked first, as wherever both are: two never wait for each other."""
    query = select(AddressChange.customer_id).where(AddressChange.id == change_id)
    customer_id = await w.session.scalar(query)
    if customer_id is None:
        return None
    await w.session.get(Customer, customer_id, with_for_update=True)
    query_change = select(AddressChange).where(AddressChange.id == change_id, AddressChange.state == State.WAITING)
    return await w.session.scalar(query_change.with_for_update())


async def waiting(w: Work, customer_id: str) -> AddressChange | None:
    """The change of this person that waits, locked."""
    query = select(AddressChange).where(AddressChange.customer_id == customer_id, AddressChange.state == State.WAITING)
    return await w.session.scalar(query.with_for_update())


async def begin(w: Work, tools: Tools, customer: Customer, old: str | None, new: str | None) -> None:
    """Somebody of the staff wrote `new` where the record said `old`. It proves nothing yet: the locator of the proven address
    goes on leading to the person, and its mailbox is told."""
    before = await waiting(w, customer.id)
    if before is not None:
        old = None if before.old_email is None else w.open(AddressChange.old_email, customer.id, before.old_email)
        await _settle(w, before, State.SUPERSEDED)
    places = {Side.OLD: await _locators(tools, old), Side.NEW: await _locators(tools, new)}
    if {*places[Side.OLD]} & {*places[Side.NEW]} or not any(places.values()):
        return  # it came back, or is only spelt in another way
    change = AddressChange(
        id=w.new_id("chg"), customer_id=customer.id, state=State.WAITING, changed_by=w.actor.id, changed_at=w.now
    )
    if old and places[Side.OLD]:
        change.old_email = w.seal(AddressChange.old_email, customer.id, old)
        change.old_secret = w.seal(AddressChange.old_secret, customer.id, secrets.token_urlsafe(32))
    if new:
        change.new_email = w.seal(AddressChange.new_email, customer.id, new)
        change.new_secret = w.seal(AddressChange.new_secret, customer.id, secrets.token_urlsafe(32))
    w.session.add(change)
    for side, place in places.items():
        kind = f"address.{side}"
        if place and await queued_lately(w, place[0], kind, HOUR) < NOTICES_PER_HOUR:
            queue(w, kind, customer.id, recipient=place[0], facts={"change": change.id})
    w.publish(
        AddressChanged(
            subject=customer.id, change_id=change.id, had_address=change.old_email is not None, has_address=bool(new)
        )
    )


async def followed(w: Work, change_id: str, secret: str) -> Link:
    """Whose link it is. NotFoundError for a wrong one, and for one of a change that is settled."""
    change = await _locked(w, change_id)
    if change is None:
        raise NotFoundError
    await w.unlock(change.customer_id)
    for side, column in ((Side.NEW, AddressChange.new_secret), (Side.OLD, AddressChange.old_secret)):
        sealed = change.new_secret if side is Side.NEW else change.old_secret
        if sealed is not None:
            known = w.open(column, change.customer_id, sealed)
            if hmac.compare_digest(known.encode(), secret.encode()):
                return Link(change, side)
    raise NotFoundError


async def say_yes(w: Work, tools: Tools, link: Link, wait: timedelta) -> bool:
    """A mailbox says yes. Whether the new address proves who somebody is from now on."""
    change = link.change
    if link.side is Side.NEW:
        change.confirmed_at = change.confirmed_at or w.now
    else:
        change.agreed_at = change.agreed_at or w.now
    return await advance(w, tools, change, wait)


async def object_(w: Work, tools: Tools, link: Link) -> None:
    """The proven mailbox says no: the record gets the proven address back, and everybody hears of it."""
    change = link.change
    if link.side is not Side.OLD or change.old_email is None:
        raise ConflictError("only who reads mail at the address before can object")
    customer = await w.session.get_one(Customer, change.customer_id)
    await w.unlock(customer.id)
    address = w.open(AddressChange.old_email, customer.id, change.old_email)
    customer.email = w.seal(Customer.email, customer.id, address)
    customer.rehashed(await tools.hashed())
    customer.email_index = (await tools.blind.of("email", mailbox(address))).value
    customer.version += 1
    customer.updated_at = w.now
    await _settle(w, change, State.OBJECTED)
    w.publish(
        CustomerUpdated(
            subject=customer.id,
            key_version=key_version(customer.email),
            version=customer.version,
            fields={"email": customer.email},
            locators=None,
        )
    )
    w.publish(AddressObjected(subject=customer.id, change_id=change.id, changed_by=change.changed_by))


async def overdue(w: Work, tools: Tools, change_id: str, wait: timedelta) -> None:
    """The waiting time of a change may be over."""
    change = await _locked(w, change_id)
    if change is not None:
        await advance(w, tools, change, wait)


async def advance(w: Work, tools: Tools, change: AddressChange, wait: timedelta) -> bool:
    """Prove it if it is time."""
    how = proven_by(
        had_address=change.old_email is not None,
        has_address=change.new_email is not None,
        told_at=change.told_at,
        confirmed_at=change.confirmed_at,
        agreed_at=change.agreed_at,
        now=w.now,
        wait=wait,
    )
    if how is not None:
        await _prove(w, tools, change, how, [])
    return how is not None


async def decided(w: Work, tools: Tools, event: ApprovalGranted) -> None:
    """Two people saw evidence. Who changed the address does not count as one of them."""
    if event.action != APPROVAL or not decided_by_two(event.approvers, ""):
        return
    change = await _locked(w, event.resource)
    if change is not None and decided_by_two(event.approvers, change.changed_by):
        await _prove(w, tools, change, "approval", sorted(set(event.approvers)))


async def _prove(w: Work, tools: Tools, change: AddressChange, how: How, approvers: list[str]) -> None:
    """1. The locator of the address before goes, the new one comes. 2. The change keeps no address. 3. Both are told."""
    mine = CustomerLocator.customer_id == change.customer_id
    await w.session.execute(delete(CustomerLocator).where(mine, CustomerLocator.kind == "email"))
    customer = await w.session.get_one(Customer, change.customer_id)
    if change.new_email is not None:
        await w.unlock(change.customer_id)
        address = w.open(AddressChange.new_email, change.customer_id, change.new_email)
        customer.rehashed(await tools.hashed())
        every = await _locators(tools, address)
        w.session.add_all(CustomerLocator(locator=one, customer_id=change.customer_id, kind="email") for one in every)
    await w.session.flush()
    await _settle(w, change, State.PROVEN)
    change.how = how
    customer.version += 1
    known = sorted((await w.session.scalars(select(CustomerLocator.locator).where(mine))).all())
    w.publish(CustomerUpdated(subject=customer.id, key_version=1, version=customer.version, fields={}, locators=known))
    w.publish(AddressConfirmed(subject=customer.id, change_id=change.id, how=how, approvers=approvers))


async def _settle(w: Work, change: AddressChange, state: State) -> None:
    """It waits no longer: its links are dead, and the addresses have no purpose here any more."""
    change.state, change.settled_at = state, w.now
    change.old_email = change.new_email = change.old_secret = change.new_secret = None
    await w.session.flush()


# The change of a customer's that waits, as a column of a query of customers.
WAITING_ID = (
    select(AddressChange.id)
    .where(AddressChange.customer_id == Customer.id, AddressChange.state == State.WAITING)
    .correlate(Customer)
    .scalar_subquery()
)


async def waiting_id(w: Work, customer_id: str) -> str | None:
    """The change of this person that waits, for those who look after them."""
    query = select(AddressChange.id).where(AddressChange.customer_id == customer_id, AddressChange.state == State.WAITING)
    return await w.session.scalar(query)


async def waiting_emails(w: Work, customers: Sequence[str]) -> dict[str, str | None]:
    """Of those (unlocked, their records locked) of whose address a change waits: the one that proves who they are meanwhile."""
    query = select(AddressChange.customer_id, AddressChange.old_email)
    mine = query.where(AddressChange.customer_id.in_(customers), AddressChange.state == State.WAITING)
    found = (await w.session.execute(mine)).all()
    return {one: None if old is None else w.open(AddressChange.old_email, one, old) for one, old in found}


async def proven_email(w: Work, customer: Customer, written: str | None) -> str | None:
    """The address that proves who this person is: what stands in the record (`written`), unless a change of it waits."""
    return (await waiting_emails(w, [customer.id])).get(customer.id, written)


async def history(w: Work, subject: str) -> list[Category]:
    """For the person: who changed the address when, and what became of it."""
    changes = select(AddressChange).where(AddressChange.customer_id == subject).order_by(AddressChange.changed_at)
    records = []
    for change in (await w.session.scalars(changes)).all():
        told = {"changed": change.changed_at, "told": change.told_at, "settled": change.settled_at}
        one = {"change": change.id, "state": change.state, "by": change.changed_by, "how": change.how or ""}
        one |= {name: rfc3339(at) for name, at in told.items() if at is not None}
        if change.old_email is not None:
            one["before"] = w.open(AddressChange.old_email, subject, change.old_email)
        if change.new_email is not None:
            one["after"] = w.open(AddressChange.new_email, subject, change.new_email)
        records.append(one)
    return (
        [
            Category(
                name="Changes of the e-mail address",
                purpose="nobody takes a person's place by writing another address over theirs",
                basis="GDPR 6(1)(c), 32(1)",
                retention="as the record; the addresses until the change is settled",
                recipients=of_category("Contact data"),
                records=records,
            )
        ]
        if records
        else []
    )


async def erase(w: Work, subject: str) -> int:
    """Forget all of it; how many sealed fields went."""
    went = delete(AddressChange).where(AddressChange.customer_id == subject).returning(AddressChange)
    gone = (await w.session.scalars(went)).all()
    await forget(w, subject)
    return sum(one is not None for change in gone for one in (change.old_email, change.new_email))
