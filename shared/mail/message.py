"""A letter as bytes: headers made of values that cannot end them, and one recipient. MalformedError for what cannot be sent.

The mailbox is looked at again here, whatever door it came through: what a mail server would read as two, as none, or as another
one, is never handed to it.
"""

import email
import email.policy
import string
import unicodedata
from dataclasses import dataclass, field
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime

from shared.errors import MalformedError
from shared.mail.model import Letter
from shared.values.mailbox import OCTETS_MAX

_ALPHANUMERIC = frozenset(string.ascii_letters + string.digits)
_ATOM = _ALPHANUMERIC | frozenset("!#$%&'*+-/=?^_`{|}~.")
_BREAKS = frozenset({"Cc", "Cs", "Zl", "Zp"})  # the library takes a lone line feed for a header's text, and ends the headers
_HOST = _ALPHANUMERIC | frozenset("-.")


@dataclass(frozen=True)
class Outgoing:
    """What is said to the mail server. `utf8`: the mailbox is not ASCII, the server must offer SMTPUTF8 (RFC 6531)."""

    sender: str
    recipient: str = field(repr=False)
    content: bytes = field(repr=False)
    utf8: bool


def mailbox_parts(mailbox: str) -> tuple[str, str]:
    """Local part and domain of exactly one mailbox: atoms with dots between (RFC 5322 3.4.1, RFC 6532), an ASCII host.
    MalformedError for anything else."""
    local, at, domain = mailbox.rpartition("@")
    sound = (
        bool(at)
        and _dotted(local)
        and _dotted(domain)
        and all(c in _ATOM if c.isascii() else unicodedata.category(c)[0] in "LMNPS" for c in local)
        and set(domain) <= _HOST
        and len(mailbox.encode()) <= OCTETS_MAX
        and "=?" not in local  # a mail library decodes it (RFC 2047): another mailbox than the one typed
    )
    if not sound:
        raise MalformedError("not exactly one mailbox")
    return local, domain


def _dotted(text: str) -> bool:
    return bool(text) and all(text.split("."))


def outgoing(letter: Letter, sender: str, message_id: str, now: datetime) -> Outgoing:
    """1. The mailboxes. 2. Headers from objects, not from text. 3. Read back: it goes to this one and nobody else."""
    sender_local, sender_domain = mailbox_parts(sender)  # 1
    local, domain = mailbox_parts(letter.to)
    if any(unicodedata.category(c) in _BREAKS for c in letter.subject):
        raise MalformedError("the subject is not one line")
    utf8 = not (letter.to.isascii() and sender.isascii())
    policy = (email.policy.SMTPUTF8 if utf8 else email.policy.SMTP).clone(cte_type="7bit")
    message = EmailMessage(policy=policy)  # 2
    try:
        message["From"] = Address(username=sender_local, domain=sender_domain)
        message["To"] = Address(username=local, domain=domain)
        message["Subject"] = letter.subject
        message["Date"] = format_datetime(now)
        message["Message-ID"] = f"<{message_id}@{sender_domain}>"
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: an absence note must not answer it
        message.set_content(letter.text)
        content = message.as_bytes()
        read = email.message_from_string(content.decode(), policy=email.policy.SMTPUTF8)["To"]  # 3
        goes_to = [one.addr_spec for one in read.addresses]
    except Exception:  # whatever the library makes of it, this letter can't be written; its text may hold a value
        raise MalformedError("the letter can't be written") from None
    if goes_to != [letter.to]:
        raise MalformedError("the letter would not go to this mailbox alone")
    return Outgoing(sender, letter.to, content, utf8)
