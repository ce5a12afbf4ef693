"""One grammar for mailboxes: docs/formats/values.md, section 1."""

import csv
import unicodedata
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTPUTF8
from pathlib import Path

import pytest
from aiosmtplib.email import extract_addresses, parse_address
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import InvalidInputError
from shared.mail.message import outgoing
from shared.mail.model import Letter
from shared.values import characters
from shared.values.mailbox import LOCAL_OCTETS_MAX, OCTETS_MAX, as_written, mailbox
from tests.support.strategies import INVISIBLE, mailbox_like

CASES = Path(__file__).parents[3] / "vectors" / "cases"

GOOD = {
    "luisg@embraer.com.br": "luisg@embraer.com.br",
    "  LuisG@Embraer.com.BR ": "luisg@embraer.com.br",
    "\u3000anna@t.example\u3000": "anna@t.example",
    "mailto:anna@t.example": "anna@t.example",
    " MailTo: Anna@t.example\n": "anna@t.example",
    "ｍａｉｌｔｏ：anna@t.example": "anna@t.example",
    "ａｎｎａ＠ｔ．ｅｘａｍｐｌｅ": "anna@t.example",
    "anna@t。example": "anna@t.example",
    "anna｡b@t.example": "anna.b@t.example",
    "jane@münchen.de": "jane@xn--mnchen-3ya.de",
    "jane@mu\u0308nchen.de": "jane@xn--mnchen-3ya.de",
    "jane@XN--MNCHEN-3YA.DE": "jane@xn--mnchen-3ya.de",
    "李@例子.中国": "李@xn--fsqu00a.xn--fiqs8s",
    "jose\u0301@t.example": "jos\u00e9@t.example",
    "straße@straße.de": "straße@xn--strae-oqa.de",
    "o'hara+x=1@t.example": "o'hara+x=1@t.example",
    "a%00@b.example": "a%00@b.example",
    "somebody@firma.local": "somebody@firma.local",
    "ꭰ@t.example": "ꭰ@t.example",
    "x" * LOCAL_OCTETS_MAX + "@t.example": "x" * LOCAL_OCTETS_MAX + "@t.example",
}
BAD = {
    "": "no @",
    "anna": "no @",
    "@t.example": "not an e-mail",
    "anna@": "not an e-mail",
    "anna@@t.example": "more than one @",
    "anna@b@t.example": "more than one @",
    "anna＠@t.example": "more than one @",
    "anna@t.example.": "ends with a dot",
    "anna@t.example。": "ends with a dot",
    "anna.@t.example": "not an e-mail",
    ".anna@t.example": "not an e-mail",
    "an..na@t.example": "not an e-mail",
    "an\u2025na@t.example": "not an e-mail",
    "anna@t": "not an e-mail",
    "anna@localhost": "not an e-mail",
    "anna@x.invalid": "not an e-mail",
    "anna@127.0.0.1": "not an e-mail",
    "anna@[127.0.0.1]": "not an e-mail",
    "anna@-t.example": "not an e-mail",
    "anna@t_x.example": "not an e-mail",
    "kim@t.example;lee@t.example": "not a list",
    "kim@t.example,lee@t.example": "not a list",
    "kim@t.example\uff0clee@t.example": "not a list",
    "kim\u037elee@t.example": "not a list",
    "kim@t.example lee@t.example": "blank",
    "an na@t.example": "blank",
    "an\u00a8na@t.example": "blank",
    "Anna <anna@t.example>": "alone",
    "<anna@t.example>": "alone",
    "＜anna@t.example＞": "alone",
    '"anna b"@t.example': "alone",
    "anna(home)@t.example": "alone",
    "to:;anna@t.example": "not a list",
    "anna:@t.example": "not an e-mail",
    ".:@t.example": "not an e-mail",
    "mailto:mailto:anna@t.example": "not an e-mail",
    "mailto:anna@t.example?subject=x": "not an e-mail",
    "=?utf-8?b?!!?=@t.example": "encoded word",
    "=?utf-8?q?=40?=@t.example": "encoded word",
    "a\0@b.example": "U+0000 at character 2",
    "a\x85@b.example": "U+0085 at character 2",
    "zw\u200b@t.example": "U+200B at character 3",
    "\ufefffeff@t.example": "U+FEFF at character 1",
    "so\u00adft@t.example": "U+00AD at character 3",
    "anna@exa\u00admple.org": "U+00AD at character 9",
    "anna@exa\ufe0fmple.org": "U+FE0F at character 9",
    "a\u202enna@t.example": "U+202E at character 2",
    "a\u2028nna@t.example": "U+2028 at character 2",
    "a\u3164nna@t.example": "U+3164 at character 2",
    "a\u200dnna@t.example": "U+200D at character 2",
    "a\ue000@t.example": "U+E000 at character 2",
    "a\U000e0041@t.example": "U+E0041 at character 2",
    "a\ud800@t.example": "U+D800 at character 2",
    "\u0301anna@t.example": "not an e-mail",
    "x" * (LOCAL_OCTETS_MAX + 1) + "@t.example": "not an e-mail",
    "é" * 33 + "@t.example": "too long",
    "a@" + ".".join(["x" * 50] * 5) + ".example": "too long|not an e-mail",
    "a@" + "x" * 64 + ".example": "not an e-mail",
    "a" * 100_000: "too long",
    "a@" * 100_000: "too long",
}


@pytest.mark.parametrize(("typed", "normal"), GOOD.items())
def test_one_normal_form(typed: str, normal: str) -> None:
    assert mailbox(typed) == normal
    assert mailbox(mailbox(typed)) == normal
    assert mailbox(as_written(typed)) == normal


@pytest.mark.parametrize(("typed", "says"), BAD.items())
def test_what_is_no_mailbox_is_refused_with_a_reason_that_never_repeats_it(typed: str, says: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        mailbox(typed, "Email")
    assert refused.value.field == "Email"
    assert any(one in refused.value.detail for one in says.split("|")), refused.value.detail
    assert len(typed) < 3 or typed not in refused.value.detail


@pytest.mark.parametrize("name", ["02-two-emails-semicolon.csv", "03-zero-width.csv"])
def test_addresses_of_the_cases_are_refused(name: str) -> None:
    with (CASES / name).open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            with pytest.raises(InvalidInputError):
                mailbox(row["Email"])


def test_every_address_of_the_portals_case_is_refused() -> None:
    written = (CASES / "01-portal-kills-mail.txt").read_text(encoding="utf-8").splitlines()
    assert len(written) == 6
    for typed in written:
        with pytest.raises(InvalidInputError):
            mailbox(typed)


@given(mailbox_like)
def test_a_normal_form_is_its_own_and_shows_all_of_itself(typed: str) -> None:
    try:
        normal = mailbox(typed)
    except InvalidInputError as refused:
        assert len(typed) < 6 or typed not in refused.detail
        return
    assert mailbox(normal) == normal
    assert mailbox(as_written(typed)) == normal
    assert len(normal.encode()) <= OCTETS_MAX and normal.count("@") == 1
    assert unicodedata.normalize("NFKC", normal) == normal == normal.lower()
    assert not set(normal) & {*characters.ignorable(), *' \t\r\n\x00,;<>()[]"\\:'}
    assert all(unicodedata.category(one)[0] in "LMNPS" for one in normal)


@given(mailbox_like)
def test_what_passes_is_exactly_one_recipient_to_every_reader_of_mail(typed: str) -> None:
    try:
        normal = mailbox(typed)
    except InvalidInputError:
        return
    message = EmailMessage(policy=SMTPUTF8)
    message["To"] = normal
    assert [one.addr_spec for one in message["To"].addresses] == [normal]
    assert extract_addresses(message["To"]) == [normal]
    assert parse_address(normal) == normal
    letter = Letter(to=normal, subject="s", text="t")
    assert outgoing(letter, "privacy@kept.local", "id", datetime(2026, 11, 28, tzinfo=UTC)).recipient == normal


@given(mailbox_like, INVISIBLE, st.integers(0, 60))
def test_nothing_invisible_gets_into_a_mailbox(typed: str, one: str, at: int) -> None:
    place = min(at, len(typed))
    spoiled = typed[:place] + one + typed[place:]
    try:
        mailbox(typed)
        normal = mailbox(spoiled)
    except InvalidInputError:
        return
    assert characters.is_blank(one), f"{one!a} was taken off in silence"
    assert normal == mailbox(typed)
