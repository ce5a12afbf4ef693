"""What can be done with a second factor."""

from typing import Literal

import pyotp

from services.identity.factors.model import DIGITS, STEP_SECONDS, is_replay, matching_step
from services.identity.factors.tables import Factor
from shared.work import Work


def new_secret() -> str:
    """160 bits from the operating system, base32 (RFC 4226 §4)."""
    return pyotp.random_base32()


async def enroll(w: Work, user_id: str, secret: str) -> None:
    """Give the user an authenticator."""
    w.session.add(Factor(user_id=user_id, secret=w.seal(Factor.secret, user_id, secret)))


async def check(w: Work, user_id: str, code: str) -> Literal["right", "wrong", "replay"]:
    """Use up a code. The row is locked, so that two sign-ins at once can't both use the same one."""
    factor = await w.session.get(Factor, user_id, with_for_update=True)
    if factor is None or factor.secret is None:
        return "wrong"
    await w.unlock(user_id)
    totp = pyotp.TOTP(w.open(Factor.secret, user_id, factor.secret), digits=DIGITS, interval=STEP_SECONDS)
    step = matching_step(code, w.now, totp.generate_otp)
    if step is None:
        return "wrong"
    if is_replay(step, factor.last_step):
        return "replay"
    factor.last_step = step
    return "right"
