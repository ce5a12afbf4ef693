"""What can be done with an account."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select

from services.identity.accounts.model import Employee
from services.identity.accounts.passwords import Passwords
from services.identity.accounts.tables import User, UserLocator
from services.identity.events import AccountViewed, UserCreated
from services.identity.factors import actions as factors
from shared.access.actor import Actor
from shared.access.decide import Resource
from shared.errors import NotAllowedError, NotFoundError
from shared.keys.blind import BlindIndex
from shared.values.identifiers import Identifier, external
from shared.work import Work

Locate = Callable[[Sequence[Identifier]], Awaitable[list[str]]]
Keep = Callable[[str, Mapping[str, str]], Awaitable[None]]


@dataclass(frozen=True)
class Credentials:
    """What a new user needs to sign in. Lives only until it is handed over."""

    email: str
    password: str
    totp: str


@dataclass(frozen=True)
class Hiring:
    """The parts that making an account takes."""

    passwords: Passwords
    blind: BlindIndex
    locate: Locate
    keep: Keep  # puts the credentials where their owner finds them
    new_password: Callable[[], str]
    new_totp: Callable[[], str] = factors.new_secret


def _only_the_system(actor: Actor) -> None:
    if actor != Actor.system("identity"):
        raise NotAllowedError("accounts are imported by the platform itself")


async def import_employees(w: Work, employees: Sequence[Employee], hiring: Hiring) -> tuple[int, int]:
    """Accounts for the employees who have none yet, managers first. How many were made, how many were there.

    1. Credentials are kept first: a crash after it leaves some that nobody can use, and the next import replaces them.
    2. Then accounts and events commit together.
    """
    _only_the_system(w.actor)
    wanted: list[Identifier] = []
    for one in employees:
        wanted += [("external", external("employee", one.number)), ("email", one.email)]
    locators = await hiring.locate(wanted)
    by_number: dict[str, str] = {}
    made = 0
    for position, one in enumerate(employees):
        mine = locators[2 * position : 2 * position + 2]
        known = await w.session.scalar(select(UserLocator.user_id).where(UserLocator.locator == mine[0]))
        if known is None:
            manager = by_number[one.reports_to] if one.reports_to else None
            known = await _create(w, one, manager, mine, hiring)
            made += 1
        by_number[one.number] = known
    return made, len(employees) - made


async def _create(w: Work, one: Employee, manager: str | None, locators: Sequence[str], hiring: Hiring) -> str:
    user_id = w.new_id("sub")
    secret = Credentials(one.email, hiring.new_password(), hiring.new_totp())
    await hiring.keep(one.handle, {"email": secret.email, "password": secret.password, "totp": secret.totp})
    await w.keyring.create(w.session, [user_id])
    w.session.add(
        User(
            id=user_id,
            manager=manager,
            roles=sorted(one.roles),
            created_at=w.now,
            name=await w.seal(User.name, user_id, one.name),
            email=await w.seal(User.email, user_id, one.email),
            phone=await w.seal(User.phone, user_id, one.phone) if one.phone else None,
            email_index=await hiring.blind.of("email", one.email),
            password=await hiring.passwords.hash(secret.password),
        )
    )
    await w.session.flush()
    w.session.add_all(UserLocator(locator=locator, user_id=user_id) for locator in locators)
    await factors.enroll(w, user_id, secret.totp)
    await w.session.flush()
    w.publish(UserCreated(subject=user_id, manager=manager, roles=sorted(one.roles), locators=list(locators)))
    return user_id


async def view_own(w: Work) -> dict[str, str]:
    """The signed-in user's own name, e-mail address and phone number. A look, so an event."""
    user = await w.session.get(User, w.actor.id)
    if user is None or user.erased_at is not None:
        raise NotFoundError
    decision = w.decide("view", Resource("Account", user.id, {"owner": user.id}))
    shown: dict[str, str] = {}
    if user.name is not None:
        shown["name"] = await w.open(User.name, user.id, user.name)
    if user.email is not None:
        shown["email"] = await w.open(User.email, user.id, user.email)
    if user.phone is not None:
        shown["phone"] = await w.open(User.phone, user.id, user.phone)
    w.publish(
        AccountViewed(
            subject=user.id,
            fields=dict.fromkeys(shown, "clear"),
            purpose=w.purpose or "own_account",
            decision=list(decision.policy_ids),
        )
    )
    return shown
