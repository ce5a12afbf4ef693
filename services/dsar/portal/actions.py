"""The identity check: a code is tried. A wrong try is a change too: it is counted in the same transaction."""

from dataclasses import dataclass

from services.dsar.packages.seal import new_pair
from services.dsar.portal.codes import matches
from services.dsar.portal.limits import Limits
from services.dsar.portal.model import CAPABILITY_LIFE, is_live
from services.dsar.requests import actions as requests
from services.dsar.requests import capabilities
from services.dsar.requests.model import State
from services.dsar.requests.tables import Code
from services.dsar.saga import actions as saga
from services.dsar.saga.actions import Course
from shared.errors import NotFoundError
from shared.work import Work


@dataclass(frozen=True)
class Proven:
    """The right code: what opens the page from now on, and by which the browser is known for this mailbox."""

    secret: str
    device: str


async def try_code(w: Work, request_id: str, digits: str, course: Course, limits: Limits, source: str) -> Proven | None:
    """None for a wrong, used or old code (or a request that does not exist)."""
    try:
        request = await requests.load(w, request_id)  # the lock makes five tries five, also when they come at once
    except NotFoundError:
        return None
    code = await w.session.get(Code, request_id)
    if code is None or not is_live(code.expires_at, code.tries, w.now) or request.state == State.CLOSED:
        return None
    code.tries += 1
    if not await matches(w, code, digits):
        return None
    if await requests.prove(w, request, *new_pair()):
        await saga.start(w, request, course.holders)
    device = await limits.proven(w, source, request.locator or "")
    return Proven(capabilities.grant(w, request_id, "code", CAPABILITY_LIFE), device)
