"""The certificate's text: one accepted encoding."""

import base64

import pytest

from services.dsar.certificates.model import Answer, Certificate, Kept, ordered, parse, render
from shared.errors import MalformedError

SUB = "sub_0192f0c4b1a27c3e8d5f6a7b8c9d0e1f"


def certificate() -> Certificate:
    answers = [
        Answer(
            holder=holder,
            subject=SUB,
            fields=3,
            kept=kept,
            event_id=f"id-{holder}",
            note="text\n\n— name sig\n",
            receipt="r",
        )
        for holder, kept in (("identity", ()), ("audit", (Kept(what="the log\nitself", reason="17(3)(b)"),)))
    ]
    return Certificate(
        request="req_1",
        law="eu-gdpr",
        article="17",
        received="2026-11-24T05:00:00Z",
        approval="apr_1",
        approvers=("sub_a", "sub_b"),
        issued="2026-11-24T06:00:00Z",
        answers=ordered(answers),
    )


def test_what_is_rendered_is_read_back() -> None:
    assert parse(render(certificate())) == certificate()


def test_plain_lines_are_for_people() -> None:
    lines = render(certificate()).split("\n")
    assert lines[0] == "kept certificate of erasure v1"
    assert f"erased {SUB} identity 3" in lines
    assert f'kept {SUB} audit "the log\\nitself" "17(3)(b)"' in lines, "a line break can't make a line of its own"


@pytest.mark.parametrize(
    "damage",
    [
        lambda t: t.replace("identity 3", "identity 4"),
        lambda t: t.replace("law eu-gdpr", "law uk-gdpr"),
        lambda t: t + "\n",
        lambda t: t.replace("\n", "\r\n"),
        lambda t: t.replace("kept certificate of erasure v1", "kept certificate of erasure v2"),
        lambda t: t.rsplit("evidence ", 1)[0],
        lambda t: t.rsplit("evidence ", 1)[0] + "evidence " + base64.b64encode(b"{}").decode() + "\n",
        lambda t: t.rsplit("evidence ", 1)[0] + "evidence !!!\n",
        lambda t: "",
    ],
)
def test_any_other_text_is_refused(damage: object) -> None:
    with pytest.raises(MalformedError):
        parse(damage(render(certificate())))  # type: ignore[operator]
