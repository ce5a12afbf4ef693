"""What the public pages show: plain values for the templates, nothing that the person may not see."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import select

from services.dsar.certificates.tables import Certificate
from services.dsar.portal.texts import WORDS, words
from services.dsar.requests.model import last_day
from services.dsar.requests.tables import DataRequest
from services.dsar.saga.actions import NARROW_TRIES_MAX, asks_of
from services.dsar.wiring import Wired
from shared.work import Work

# The only words that `?say=` may put on a page.
NOTICES = frozenset({"code.wrong", "code.sent", "recipient.bad", "narrow.wrong"})


@dataclass(frozen=True)
class Shown:
    """A request as its person sees it."""

    state: str
    right: str
    outcome: str | None
    received: datetime
    due: date
    law: str
    article: str
    holders: Mapping[str, bool]
    certificate: bool
    unclear: bool
    tries_left: bool


async def shown(w: Work, request: DataRequest, wired: Wired) -> Shown:
    """One request with who answered the latest command; a holder that owes an answer is visible."""
    rows = await asks_of(w, request.id)
    commands = {row.command for row in rows}
    latest = next((one for one in ("erase", "collect", "locate") if one in commands), "")
    holders: dict[str, bool] = {}
    for row in rows:
        if row.command == latest:
            holders[row.holder] = holders.get(row.holder, True) and row.answered_at is not None
    issued = await w.session.scalar(select(Certificate.request_id).where(Certificate.request_id == request.id))
    return Shown(
        state=request.state,
        right=request.right,
        outcome=request.outcome,
        received=request.received_at,
        due=last_day(request.due_at, wired.book[request.law].calendar.zone),
        law=request.law,
        article=request.article,
        holders=holders,
        certificate=issued is not None,
        unclear=request.unclear,
        tries_left=request.narrow_tries < NARROW_TRIES_MAX,
    )


def home(wired: Wired, language: str, *, error: str = "", right: str = "access") -> str:
    return _render(wired, "home.html", language, error=error, right=right, here="/")


def look(wired: Wired, request_id: str, found: Shown | None, language: str, say: str) -> str:
    law = wired.book.get(found.law) if found else None
    return _render(
        wired,
        "request.html",
        language,
        request_id=request_id,
        found=found,
        law=law,
        say=say if say in NOTICES else "",
        here=f"/requests/{request_id}",
    )


def _render(wired: Wired, template: str, language: str, **values: object) -> str:
    def text(key: str, **named: str) -> str:
        return words(language, key, **named)

    return wired.pages.get_template(template).render(
        w=text, lang=language, other="zh" if language == "en" else "en", settings=wired.settings, known=WORDS, **values
    )
