"""What the public pages show: plain values for the templates, nothing that the person may not see."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial

from services.dsar.certificates.actions import content_of
from services.dsar.holder_words import all_called, quoted
from services.dsar.law.model import last_day
from services.dsar.portal.coverage import coverage_of
from services.dsar.portal.limits import Limits
from services.dsar.portal.places import named_places
from services.dsar.portal.refusal import authority, reason
from services.dsar.portal.texts import WORDS, words
from services.dsar.requests import capabilities
from services.dsar.requests.actions import ERASED
from services.dsar.requests.model import State
from services.dsar.requests.tables import DataRequest
from services.dsar.saga.asking import asked, asks_of
from services.dsar.saga.claims import NARROW_TRIES_MAX, may_claim
from services.dsar.saga.model import silent_holders
from services.dsar.wiring import Tools
from shared.mail.queue import fate
from shared.work import Work

AT_WORK = (State.VERIFIED, State.ASSESSED, State.APPROVED, State.DISPATCHED)  # it waits for us, not for the person
# The only words that `?say=` may put on a page.
NOTICES = frozenset(
    {"code.wrong", "code.sent", "recipient.bad", "narrow.added", "narrow.again", "narrow.shared", "narrow.wrong", "link.old"}
    | {"revoked", "too.many", "narrow.over", "package.busy"}
)


@dataclass(frozen=True)
class Shown:
    """A request as its person sees it: every line of it is what the tables say now."""

    state: str
    right: str
    outcome: str | None
    received: datetime
    due: date
    law: str
    article: str
    why: str
    holders: Mapping[str, bool]
    missing: Sequence[str]
    certificate: bool
    kept: Sequence[tuple[str, str, str]]
    shared: int
    covered: Sequence[str]
    left_out: int
    coverage: Sequence[str]
    unclear: bool
    claimable: bool
    tries_left: bool
    waits_until: date | None
    mail: str
    reached: str
    ended_erased: bool
    address_gone: bool
    others_may_open: bool
    refusal: str | None
    late: bool


async def shown(w: Work, request: DataRequest, tools: Tools, limits: Limits, language: str, secret: str | None) -> Shown:
    """One request with who answered the latest command; a holder that owes an answer is visible."""
    rows = await asks_of(w, request.id)
    commands = {row.command for row in rows}
    latest = next((one for one in ("erase", "collect", "locate") if one in commands), "")
    holders: dict[str, bool] = {}
    for row in rows:
        if row.command == latest:
            holders[row.holder] = holders.get(row.holder, True) and row.answered_at is not None
    certificate = await content_of(w, request.id)
    coverage = await coverage_of(w, request, language)
    kept = (
        [(answer.holder, one.what, one.reason) for answer in certificate.answers for one in answer.kept] if certificate else []
    )
    waits_until = request.verified_at + timedelta(days=tools.settings.keep_answer_days) if request.verified_at else None
    return Shown(
        state=request.state,
        right=request.right,
        outcome=request.outcome,
        received=request.received_at,
        due=last_day(request.due_at, tools.book.of(request.law, request.received_at).calendar.zone),
        law=request.law,
        article=request.article,
        why=request.law_why or "strictest",
        holders=holders,
        missing=silent_holders(asked(rows))[1],
        certificate=certificate is not None,
        kept=list(dict.fromkeys(kept)),
        shared=len(request.candidates),
        covered=coverage.records,
        left_out=coverage.left_out,
        coverage=coverage.lines(language) if request.subjects or coverage.left_out else [],
        unclear=request.unclear,
        claimable=may_claim(request),
        tries_left=request.narrow_tries < NARROW_TRIES_MAX and await limits.may_guess(w, request.locator),
        waits_until=waits_until.date() if waits_until else None,
        mail=await _mail_state(w, request.id),
        reached=request.reached,
        ended_erased=request.close_reason == ERASED,
        address_gone=request.address is None,
        others_may_open=bool(await capabilities.others(w, request.id, secret)),
        refusal=request.refusal,
        late=request.state in AT_WORK and not request.unclear and w.now >= request.due_at,
    )


async def _mail_state(w: Work, request_id: str) -> str:
    """What became of the newest mail that tells of the answer: nothing is promised that did not happen."""
    newest = await fate(w, request_id, leaving_out="code")
    return f"mail.is.{newest}" if newest else ""


def home(tools: Tools, language: str, *, error: str = "", right: str = "access") -> str:
    return _render(
        tools, "home.html", language, error=error, right=right, here="/", places=named_places(tools.jurisdiction, language)
    )


def look(tools: Tools, request_id: str, found: Shown | None, language: str, say: str) -> str:
    law = tools.book.of(found.law, found.received) if found else None
    return _render(
        tools,
        "request.html",
        language,
        request_id=request_id,
        found=found,
        law=law,
        reason=reason(law, found.refusal, language) if found and found.state == "refused" else "",
        authority=authority(law, tools.settings, language),
        say=say if say in NOTICES and not (found and say == "code.wrong") else "",  # a second click: it is open already
        here=f"/requests/{request_id}",
    )


def _render(tools: Tools, template: str, language: str, **values: object) -> str:
    def text(key: str, **named: str) -> str:
        return words(language, key, **named)

    return tools.pages.get_template(template).render(
        w=text,
        called=partial(all_called, language=language),
        quoted=partial(quoted, language=language),
        lang=language,
        other="zh" if language == "en" else "en",
        settings=tools.settings,
        known=WORDS,
        **values,
    )
