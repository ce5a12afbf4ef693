"""What each mail says: only what is so when it is written. Its link opens the request's page by itself where no code could."""

from collections.abc import Mapping
from datetime import timedelta

from services.dsar.certificates.actions import content_of
from services.dsar.holder_words import all_called, called, quoted
from services.dsar.portal import codes, refusal
from services.dsar.portal.coverage import coverage_of
from services.dsar.portal.texts import words
from services.dsar.requests import capabilities
from services.dsar.requests.actions import ERASED
from services.dsar.requests.tables import DataRequest
from services.dsar.saga.asking import asked, asks_of
from services.dsar.saga.model import silent_holders
from services.dsar.settings import DsarSettings
from shared.errors import InvariantError
from shared.work import Work

ANSWERS = ("ready", "erased", "refused")  # mails that bring the answer: their link is a capability of its own


async def letter(w: Work, request: DataRequest, kind: str, settings: DsarSettings) -> tuple[str, str]:
    """(subject, text) of one mail. A mail that is written again, because the first try failed, has a link of its own."""
    page = f"{settings.public_origin}/requests/{request.id}"
    values: dict[str, str] = {"link": page, "request": request.id, "contact": settings.contact}
    if kind == "code":
        values["code"] = await codes.living(w, request.id)
        values["asked"] = words(request.language, request.right)  # a stranger may have asked for another right
    if kind in ANSWERS:
        life = timedelta(days=settings.keep_answer_days)
        values["link"] = f"{page}/open/{capabilities.grant(w, request.id, 'mail', life)}"
        values["until"] = (w.now + life).date().isoformat()
        values["coverage"] = "\n".join((await coverage_of(w, request, request.language)).lines(request.language))
    if kind == "ready":
        silent = silent_holders(asked(await asks_of(w, request.id)))[1]
        missing = words(request.language, "missing", holders=all_called(silent, request.language))
        values["missing"] = f"{missing}\n\n" if silent else ""
    if kind == "closed":
        values["reached"] = words(request.language, f"reached.{request.reached}")
        if request.close_reason == ERASED:
            values["reached"] = words(request.language, "ended.erased") + " " + values["reached"]
    if kind == "refused":
        values |= refusal.told(request, settings)
    if kind == "erased":
        values |= await _erased(w, request)
    text = words(request.language, f"mail.{kind}", **values)
    return words(request.language, f"mail.{kind}.subject", **values), f"{text}\n{settings.controller}\n"


async def _erased(w: Work, request: DataRequest) -> Mapping[str, str]:
    """Who answered, and what they kept: from the certificate, so that the mail can't say more than it does."""
    certificate = await content_of(w, request.id)
    if certificate is None:
        raise InvariantError("an erasure is told with its certificate")
    read = request.language
    kept = {(answer.holder, one.what, one.reason): None for answer in certificate.answers for one in answer.kept}
    return {
        "holders": all_called(sorted({one.holder for one in certificate.answers}), read),
        "kept": "\n".join(
            f"- {called(who, read)}: {quoted(what, who, read)} ({quoted(why, who, read)})" for who, what, why in kept
        )
        or "-",
    }
