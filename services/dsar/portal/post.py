"""Mails leave here, by real SMTP. Their text, with its code or link, is made when they are sent and stored nowhere."""

import asyncio
import logging
from email.message import EmailMessage
from email.utils import make_msgid

import aiosmtplib
from sqlalchemy import select

from services.dsar.portal.letters import letter
from services.dsar.portal.model import MAIL_TRIES_MAX, mail_wait
from services.dsar.portal.tables import Mail
from services.dsar.requests import actions
from services.dsar.requests.tables import DataRequest
from services.dsar.settings import DsarSettings
from shared.access.actor import Actor
from shared.errors import KeptError
from shared.work import Door, Work

LAST_MAILS = ("closed",)  # after one of these the request's keys are destroyed
SEND_SECONDS_MAX = 20
POLL_SECONDS = 1
log = logging.getLogger("kept.dsar.post")


async def _write(w: Work, mail: Mail, settings: DsarSettings) -> EmailMessage | None:
    """The mail's text; None where its address is destroyed already."""
    request = await w.session.get(DataRequest, mail.request_id)
    if request is None or request.address is None:
        return None
    subject, text = await letter(w, request, mail.kind, settings)
    message = EmailMessage()
    message["From"] = settings.contact
    message["To"] = await w.open(DataRequest.address, request.id, request.address)
    message["Subject"] = subject
    message["Message-ID"] = make_msgid(domain="kept.local")
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(text)
    return message


async def send_one(door: Door, settings: DsarSettings) -> bool:
    """Send the oldest mail that is due. False when there is none.

    1. its code or link is committed and the try counted; 2. the mail leaves; 3. it is marked as sent. A crash after 2 sends the
    mail again, with the same code, or a link of its own beside the first one's.
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
