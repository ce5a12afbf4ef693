"""Accounts whose hashes were made of an older normal form, or under an older version of a key: made anew. What today's grammar
refuses is found by its old form, and its owner can still sign in with it (shared/values/legacy.py).

Old locators stay beside the new ones until their version is trimmed: whoever computed one still finds the user.
"""

import logging
from collections.abc import Sequence

from sqlalchemy import and_, select
from sqlalchemy.dialects.postgresql import insert

from services.identity.accounts.tables import User, UserLocator
from services.identity.events import AccountViewed, UserLocated
from shared.errors import InvalidInputError
from shared.keys.blind import BlindIndex
from shared.keys.locators import Locators
from shared.values.identifiers import Identifier, external
from shared.values.legacy import mailboxes
from shared.values.mailbox import Mailbox, mailbox
from shared.values.typed import Number
from shared.work import Work

# Accounts that came before their number was kept: its locator can be made anew when their file comes again.
UNMADE = and_(User.number.is_(None), User.erased_at.is_(None))
log = logging.getLogger("kept.identity.renewal")
DECISION = ["hashes of another form, or under another key (docs/formats/values.md, docs/runbooks/rotation.md)"]


async def renew(w: Work, blind: BlindIndex, locators: Locators, rows: Sequence[User]) -> None:
    """Of each account: 1. address and number are opened, which is told; 2. index and locators are made of today's form and
    versions; 3. who has a new locator is told."""
    for user in rows:
        if user.erased_at is not None or user.email is None:
            continue
        address = w.open(User.email, user.id, user.email)  # 1
        known: list[Identifier] = []
        if user.number is not None:
            known.append(("external", external("employee", Number(w.open(User.number, user.id, user.number)))))
        fields = dict.fromkeys(["email", *(["number"] if known else [])], "clear")
        w.publish(AccountViewed(subject=user.id, fields=fields, purpose="upkeep", decision=DECISION))
        try:
            normal = mailbox(address)
        except InvalidInputError as error:
            log.warning("the e-mail address of %s can't be used and is found by its old form: %s", user.id, error.detail)
            for old in mailboxes(address)[:1]:
                await _index(w, blind, user, old)
        else:
            if await _index(w, blind, user, normal):  # 2
                known.append(("email", normal))
        await _locators(w, locators, user, known)


async def _index(w: Work, blind: BlindIndex, user: User, normal: Mailbox) -> bool:
    """Whether the account has this address alone; of two that wrote it differently, one keeps its old form."""
    every = await blind.every("email", normal)
    others = select(User.id).where(User.email_index.in_(every), User.id != user.id)
    if await w.session.scalar(others.limit(1)) is not None:
        log.warning("the e-mail address of %s is another account's too, written differently; it stays as it is", user.id)
        return False
    user.email_index = (await blind.of("email", normal)).value
    await w.session.flush()
    return True


async def _locators(w: Work, locators: Locators, user: User, known: Sequence[Identifier]) -> None:
    rows = [{"locator": one, "user_id": user.id} for every in await locators.of(known) for one in every]
    if not rows:
        return
    new = insert(UserLocator).values(rows).on_conflict_do_nothing().returning(UserLocator.locator)
    if (await w.session.execute(new)).first() is None:
        return
    mine = select(UserLocator.locator).where(UserLocator.user_id == user.id)
    w.publish(UserLocated(subject=user.id, locators=sorted((await w.session.scalars(mine)).all())))  # 3
