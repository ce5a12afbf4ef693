"""Accounts whose hashes were made of an older normal form: made anew. What today's grammar refuses stays as it is, and its
owner can still sign in with it (shared/values/legacy.py).

Old locators stay beside the new ones: whoever computed one still finds the user.
"""

import logging
from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from services.identity.accounts.actions import Locate
from services.identity.accounts.tables import User, UserLocator
from services.identity.events import AccountViewed, UserLocated
from shared.errors import InvalidInputError
from shared.keys.blind import BlindIndex
from shared.values.mailbox import Mailbox, mailbox
from shared.work import Work

log = logging.getLogger("kept.identity.renewal")


async def renew(w: Work, blind: BlindIndex, locate: Locate, rows: Sequence[User]) -> None:
    """Of each account: 1. its address is opened, which is told; 2. index and locator are made of today's form; 3. who has a new
    locator is told."""
    for user in rows:
        if user.erased_at is not None or user.email is None:
            continue
        address = await w.open(User.email, user.id, user.email)  # 1
        w.publish(AccountViewed(subject=user.id, fields={"email": "clear"}, purpose="upkeep", decision=["values.md section 5"]))
        try:
            normal = mailbox(address)
        except InvalidInputError as error:
            log.warning("the e-mail address of %s can't be used and stays as it is: %s", user.id, error.detail)
            continue
        if await _index(w, blind, user, normal):  # 2
            await _locator(w, locate, user, normal)


async def _index(w: Work, blind: BlindIndex, user: User, normal: Mailbox) -> bool:
    """Whether the account has this address alone; of two that wrote it differently, one keeps its old form."""
    index = await blind.of("email", normal)
    if index == user.email_index:
        return True
    if await w.session.scalar(select(User.id).where(User.email_index == index)) is not None:
        log.warning("the e-mail address of %s is another account's too, written differently; it stays as it is", user.id)
        return False
    user.email_index = index
    await w.session.flush()
    return True


async def _locator(w: Work, locate: Locate, user: User, normal: Mailbox) -> None:
    (locator,) = await locate([("email", normal)])
    row = insert(UserLocator).values(locator=locator, user_id=user.id).on_conflict_do_nothing().returning(UserLocator.locator)
    if (await w.session.execute(row)).first() is None:
        return
    mine = select(UserLocator.locator).where(UserLocator.user_id == user.id)
    w.publish(UserLocated(subject=user.id, locators=sorted((await w.session.scalars(mine)).all())))  # 3
