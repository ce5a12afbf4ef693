"""Mails leave here, by real SMTP. The code is made when it is sent: only its hash ever touches the database."""

import asyncio
import logging
import secrets
from email.message import EmailMessage
from email.utils import make_msgid

import aiosmtplib
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from services.dsar.portal.model import CODE_LIFE, CODE_NUMBERS, MAIL_TRIES_MAX, code_text, mail_wait, typed_code
from services.dsar.portal.tables import Code, Mail
from services.dsar.portal.texts import words
from services.dsar.requests import actions
from services.dsar.requests.tables import DataRequest
from services.dsar.settings import DsarSettings
from shared.access.actor import Actor
from shared.errors import KeptError
from shared.work import Door, Work

LAST_MAILS = ("closed",)  # after one of these the request's keys are destroyed
SEND_SECONDS_MAX = 20
POLL_SECONDS = 1
HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)  # OWASP's floor: codes live minutes, not years
log = logging.getLogger("kept.dsar.post")


def matches(hashed: str, typed: str) -> bool:
    """Whether `typed` is the code behind `hashed`."""
    try:
        return HASHER.verify(hashed, typed)
    except (VerifyMismatchError, InvalidHashError):
        return False


async def _fresh_code(w: Work, request_id: str) -> str:
    shown = code_text(secrets.randbelow(CODE_NUMBERS))
    hashed = await asyncio.to_thread(HASHER.hash, typed_code(shown))
    row = {"hash": hashed, "expires_at": w.now + CODE_LIFE, "tries": 0}
    put = insert(Code).values(request_id=request_id, **row)
    await w.session.execute(put.on_conflict_do_update(index_elements=["request_id"], set_=row))
    return shown


async def _write(w: Work, mail: Mail, settings: DsarSettings) -> EmailMessage | None:
    """The mail's text; None where its address is destroyed already."""
    request = await w.session.get(DataRequest, mail.request_id)
    if request is None or request.address is None:
        return None
    values = {"link": f"{settings.public_origin}/requests/{request.id}"}
    if mail.kind == "code":
        values["code"] = await _fresh_code(w, request.id)
    message = EmailMessage()
    message["From"] = settings.contact
    message["To"] = await w.open(DataRequest.address, request.id, request.address)
    message["Subject"] = words(request.language, f"mail.{mail.kind}.subject", **values)
    message["Message-ID"] = make_msgid(domain="kept.local")
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(words(request.language, f"mail.{mail.kind}", **values) + f"\n{settings.controller}\n")
    return message


async def send_one(door: Door, settings: DsarSettings) -> bool:
    """Send the oldest mail that is due. False when there is none.

    1. the code's hash is committed and the try counted; 2. the mail leaves; 3. it is marked as sent. A crash after 2
    sends the
    mail again, with a new code that replaces the old.
    """
    async with door.begin(Actor.system("dsar")) as w:  # 1
        due = select(Mail).where(Mail.done_at.is_(None), Mail.next_try_at <= w.now).order_by(Mail.id).limit(1)
        mail = await w.session.scalar(due.with_for_update(skip_locked=True))
        if mail is None:
            return False
        message = await _write(w, mail, settings)
        mail.tries, mail.next_try_at = mail.tries + 1, w.now + mail_wait(mail.tries)
        mail_id, last_try = mail.id, mail.tries >= MAIL_TRIES_MAX
    outcome = "no address"
    if message is not None:
        try:  # 2
            await aiosmtplib.send(
                message, hostname=settings.smtp_host, port=settings.smtp_port, timeout=SEND_SECONDS_MAX, start_tls=None
            )
            outcome = "sent"
        except (aiosmtplib.SMTPException, OSError) as error:
            log.warning("mail %s not sent: %s", mail_id, type(error).__name__)  # the text would carry the address
            if not last_try:
                return True
            outcome = "given up"
    await _done(door, mail_id, outcome)  # 3
    return True


async def _done(door: Door, mail_id: int, outcome: str) -> None:
    """Mark it; a certificate's mail closes the request, and the last mail destroys its keys."""
    async with door.begin(Actor.system("dsar")) as w:
        mail = await w.session.get(Mail, mail_id, with_for_update=True)
        if mail is None or mail.done_at is not None:
            return
        mail.done_at, mail.outcome = w.now, outcome
        if mail.kind == "erased":
            await actions.close(w, mail.request_id, "done", tell=False)
        elif mail.kind in LAST_MAILS:
            await actions.destroy(w, await actions.load(w, mail.request_id))


async def run(door: Door, settings: DsarSettings) -> None:
    """Until cancelled. With Vault or the database away mails wait; none is written without its address sealed."""
    while True:
        try:
            if await send_one(door, settings):
                continue
        except KeptError as error:
            log.warning("post put off: %s", error.code)
        await asyncio.sleep(POLL_SECONDS)
