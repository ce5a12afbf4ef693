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
from shared.errors import ConflictError, NotAllowedError, NotFoundError
from shared.keys.blind import BlindIndex
from shared.keys.locators import Locators, hashed
from shared.keys.versions import Hashed
from shared.values.identifiers import Identifier, external
from shared.work import Work

Keep = Callable[[str, Mapping[str, str]], Awaitable[None]]


@dataclass(frozen=True)
class Credentials:
    """What a new user needs to sign in. Lives only until it is handed over."""

    email: str
    password: str
    totp: str


@dataclass(frozen=True)
class Imported:
    """What an import did. `numbered`: accounts that were there, and hold their employee number from now on."""

    created: int
    already_there: int
    numbered: int


@dataclass(frozen=True)
class Hiring:
    """The parts that making an account takes."""

    passwords: Passwords
    blind: BlindIndex
    locators: Locators
    keep: Keep  # puts the credentials where their owner finds them
    new_password: Callable[[], str]
    new_totp: Callable[[], str] = factors.new_secret


def _only_the_system(actor: Actor) -> None:
    if actor != Actor.system("identity"):
        raise NotAllowedError("accounts are imported by the platform itself")


async def import_employees(w: Work, employees: Sequence[Employee], hiring: Hiring) -> Imported:
    """Accounts for the employees who have none yet, managers first.

    1. One import at a time: while a key rotates, equal addresses may have different indexes, and nothing but looking for both
    keeps two accounts apart. 2. Credentials are kept first: a crash after it leaves some that nobody can use, and the next
    import replaces them. 3. Then accounts and events commit together.
    """
    _only_the_system(w.actor)
    await w.in_turn("import of employees")  # 1
    since = await hashed(hiring.locators, hiring.blind)
    wanted: list[Identifier] = []
    for one in employees:
        wanted += [("external", external("employee", one.number)), ("email", one.email)]
    locators = await hiring.locators.of(wanted)
    by_number: dict[str, str] = {}
    made = numbered = 0
    for position, one in enumerate(employees):
        number, email = locators[2 * position : 2 * position + 2]
        known = await w.session.scalar(select(UserLocator.user_id).where(UserLocator.locator.in_(number)).limit(1))
        if known is None:
            manager = by_number[one.reports_to] if one.reports_to else None
            known = await _create(w, one, manager, [*number, *email], since, hiring)
            made += 1
        else:
            numbered += await _number(w, known, one)
        by_number[one.number] = known
    return Imported(made, len(employees) - made, numbered)


async def _number(w: Work, user_id: str, one: Employee) -> bool:
    """Keep the number of an account that came before numbers were kept; whether it was such a one."""
    user = await w.session.get_one(User, user_id, with_for_update=True)
    if user.number is not None or user.erased_at is not None:
        return False
    await w.unlock(user_id)
    user.number = w.seal(User.number, user_id, one.number)
    return True


async def _create(w: Work, one: Employee, manager: str | None, locators: Sequence[str], hashed: Hashed, hiring: Hiring) -> str:
    same = User.email_index.in_(await hiring.blind.every("email", one.email))
    if await w.session.scalar(select(User.id).where(same)) is not None:
        raise ConflictError("an employee of the file has the e-mail address of another account")
    user_id = w.new_id("sub")
    secret = Credentials(one.email, hiring.new_password(), hiring.new_totp())
    await hiring.keep(one.handle, {"email": secret.email, "password": secret.password, "totp": secret.totp})
    await w.create_keys([user_id])
    w.session.add(
        User(
            id=user_id,
            manager=manager,
            roles=sorted(one.roles),
            created_at=w.now,
            name=w.seal(User.name, user_id, one.name),
            email=w.seal(User.email, user_id, one.email),
            phone=w.seal(User.phone, user_id, one.phone) if one.phone else None,
            number=w.seal(User.number, user_id, one.number),
            email_index=(await hiring.blind.of("email", one.email)).value,
            index_version=hashed.index,
            locator_version=hashed.locators,
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
    await w.unlock(user.id)
    shown: dict[str, str] = {}
    if user.name is not None:
        shown["name"] = w.open(User.name, user.id, user.name)
    if user.email is not None:
        shown["email"] = w.open(User.email, user.id, user.email)
    if user.phone is not None:
        shown["phone"] = w.open(User.phone, user.id, user.phone)
    w.publish(
        AccountViewed(
            subject=user.id,
            fields=dict.fromkeys(shown, "clear"),
            purpose=w.purpose or "own_account",
            decision=list(decision.policy_ids),
        )
    )
    return shown
