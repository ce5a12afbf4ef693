"""A letter on its way, over a real SMTP server in this process: one mail, one mailbox, whatever was typed."""

import email
import email.policy
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import AuthResult
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from shared.errors import MalformedError, UnavailableError
from shared.mail.message import mailbox_parts, outgoing
from shared.mail.model import PAUSE_MAX, Letter, RefusedMailError, pause_after
from shared.mail.server import MailServer, is_loopback
from tests.support.smtp import Box, mailbox
from tests.support.tls import vouched

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
US = "privacy@kept.local"
WORD, WRONG = "made-up word", "another word"
# Those of the case that ended the mail loop, and others of their kind.
HOSTILE = [
    "anna@@t.example", "=?utf-8?b?!!?=@t.example", ".:@t.example", "to:;anna@t.example", "anna@t.example.", "anna:@t.example",
    "a\0@b.example", "a%00@b.example\r\nRCPT TO:<eve@b.example>", "<anna@t.example>", "Anna <anna@t.example>",
    "anna@t.example, eve@t.example", "friends: anna@t.example;", '"anna"@t.example', "anna@t.example\nBcc: eve@t.example",
    "@a,@b:anna@t.example", "anna(x)@t.example", "anna @t.example", "an\u200bna@t.example", "anna@[127.0.0.1]",
    "anna@t..example", "\u202eanna@t.example", "a>b@t.example", "anna@t.example>", "", "@", "a@", "@b", "\ud800@t.example",
    "x" * 300 + "@t.example",
]  # fmt: skip
_PARTS = st.sampled_from(
    ["@", ".", ",", ";", ":", "<", ">", '"', "\\", "(", ")", "=?", "?=", " ", "\r\n", "\0", "a", "é", "例"]
)
MAIL_LIKE = st.one_of(
    st.text(),
    st.builds("{}@{}".format, st.text(min_size=1), st.sampled_from(["t.example", "例.example", "b"])),
    st.lists(_PARTS, max_size=12).map("".join),
    st.emails(),
)


@pytest.fixture(scope="module")
async def box() -> AsyncIterator[Box]:
    async with mailbox() as box:
        yield box


async def nothing() -> str:
    return ""


async def word() -> str:
    return WORD


async def wrong() -> str:
    return WRONG


async def send(box: Box, to: str, *, sender: str = US, subject: str = "Hello") -> None:
    letter = outgoing(Letter(to, subject, "Grüße, 您好\n.\n"), sender, "customers.1.1", NOW)
    async with MailServer(box.settings(), nothing).connected() as connection:
        await connection.send(letter)


@pytest.mark.parametrize("to", HOSTILE)
def test_what_is_not_exactly_one_mailbox_never_reaches_the_server(to: str) -> None:
    with pytest.raises(MalformedError) as refused:
        outgoing(Letter(to, "Hello", "x"), US, "1", NOW)
    assert len(to) < 3 or to not in str(refused.value), "what is told does not repeat it"


@given(MAIL_LIKE)
@example("a@b.example")
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_whatever_is_typed_reaches_that_mailbox_alone_or_is_refused(box: Box, to: str) -> None:
    before = len(box.to)
    try:
        await send(box, to)
    except MalformedError:
        assert len(box.to) == before
        return
    assert box.to[before:] == [to]
    assert box.senders[-1] == US
    read = email.message_from_string(box.contents[-1].decode(), policy=email.policy.SMTPUTF8)
    assert [one.addr_spec for one in read["To"].addresses] == [to]
    assert not {"cc", "bcc"} & {name.lower() for name in read}


@given(st.text())
@example("\n")
@settings(max_examples=200, deadline=None)
def test_no_subject_ends_its_header(subject: str) -> None:
    try:
        content = outgoing(Letter("anna@t.example", subject, "x"), US, "1", NOW).content
    except MalformedError:
        return
    names = email.message_from_bytes(content, policy=email.policy.default).keys()
    assert sorted(name.lower() for name in names) == sorted([
        "from", "to", "subject", "date", "message-id", "auto-submitted",
        "content-type", "content-transfer-encoding", "mime-version",
    ])  # fmt: skip


async def test_a_mailbox_beyond_ascii_takes_a_server_that_can(box: Box) -> None:
    await send(box, "用户@t.example")
    assert box.to[-1] == "用户@t.example"
    async with mailbox(utf8=False) as old:
        with pytest.raises(RefusedMailError, match="SMTPUTF8"):
            await send(old, "用户@t.example")
        await send(old, "anna@t.example")
        assert old.to == ["anna@t.example"], "who needs it not does without"


async def test_no_for_good_and_no_for_now_are_told_apart(box: Box) -> None:
    box.answers = {"gone@t.example": "550 5.1.1 gone@t.example is unknown", "busy@t.example": "450 4.2.1 later"}
    with pytest.raises(RefusedMailError) as refused:
        await send(box, "gone@t.example")
    assert refused.value.reason == "SMTPRecipientRefused 550", "the server's words repeat the address"
    with pytest.raises(Exception) as later:
        await send(box, "busy@t.example")
    assert not isinstance(later.value, (RefusedMailError, UnavailableError))


async def test_a_server_that_is_away_is_nothing_against_the_mail() -> None:
    async with mailbox() as gone:
        pass
    with pytest.raises(UnavailableError):
        await send(gone, "anna@t.example")


async def test_starttls_is_required_where_the_way_is_long(box: Box) -> None:
    with pytest.raises(UnavailableError):
        async with MailServer(box.settings(smtp_tls="starttls"), nothing).connected():
            pass
    near, far = ("127.0.0.1", "::1", "localhost"), ("mail.example", "10.0.0.1")
    assert all(map(is_loopback, near)) and not any(map(is_loopback, far))


@pytest.fixture
def tried() -> list[str]:
    """Every password that a client has said to the server."""
    return []


@pytest.fixture
async def guarded(tmp_path: Path, tried: list[str]) -> AsyncIterator[tuple[Box, Path]]:
    """A server that takes mail over TLS alone, from who signs in; and the file of who vouches for it."""

    def sign_in(*said: Any) -> AuthResult:
        name, word = said[-1]
        tried.append(word.decode())
        return AuthResult(success=(name, word) == (b"kept", WORD.encode()), handled=False)

    context, ca = vouched(tmp_path)
    asked = {"tls_context": context, "require_starttls": True, "auth_required": True, "authenticator": sign_in}
    async with mailbox(**asked) as box:
        yield box, ca


async def test_over_tls_and_signed_in_a_mail_leaves(guarded: tuple[Box, Path], tried: list[str]) -> None:
    box, ca = guarded
    settings = box.settings(smtp_tls="starttls", smtp_ca_file=ca, smtp_user="kept")
    letter = outgoing(Letter("anna@t.example", "Hello", "x"), US, "1", NOW)
    async with MailServer(settings, word).connected() as connection:
        await connection.send(letter)
    assert box.to == ["anna@t.example"] and tried == [WORD]


@pytest.mark.parametrize("how", ["nobody vouches for it", "another vouches for it", "a wrong password"])
async def test_a_server_that_is_not_ours_hears_no_mail_and_no_password(
    guarded: tuple[Box, Path], tried: list[str], tmp_path_factory: pytest.TempPathFactory, how: str
) -> None:
    box, ca = guarded
    _, other = vouched(tmp_path_factory.mktemp("other"))
    trusted = {"nobody vouches for it": None, "another vouches for it": other, "a wrong password": ca}[how]
    settings = box.settings(smtp_tls="starttls", smtp_ca_file=trusted, smtp_user="kept")
    with pytest.raises(UnavailableError) as away:
        async with MailServer(settings, wrong if trusted is ca else word).connected():
            pass
    assert box.handed == 0 and WORD not in str(away.value) and WRONG not in str(away.value)
    assert set(tried) == ({WRONG} if trusted is ca else set()), "the password went to a stranger"


def test_pauses_grow_and_end() -> None:
    assert [pause_after(n) for n in (1, 2, 3)] == [timedelta(seconds=s) for s in (5, 10, 20)]
    assert pause_after(500) == PAUSE_MAX


@given(st.emails(domains=st.just("t.example")))
def test_plain_mailboxes_pass(address: str) -> None:
    if address[0] != '"':
        assert "@".join(mailbox_parts(address)) == address
