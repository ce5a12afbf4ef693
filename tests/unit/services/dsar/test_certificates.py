"""The certificate's text: one accepted encoding."""

import base64
import hashlib
import json
from typing import Any

import pytest

from services.dsar.certificates.model import REMAINS, Answer, Certificate, Covered, Kept, ordered, parse, render
from shared.errors import MalformedError

SUB = "sub_0192f0c4b1a27c3e8d5f6a7b8c9d0e1f"


def certificate(version: int = 2) -> Certificate:
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
    coverage: dict[str, Any] = {
        "covered": (Covered(subject=SUB, by="number"),),
        "left_out": 2,
        "counted": "2026-11-24T06:00:00Z",
        "remains": REMAINS,
    }
    return Certificate(
        **({"version": 1} if version == 1 else coverage),
        request="req_1",
        law="eu-gdpr",
        article="17",
        received="2026-11-24T05:00:00Z",
        approval="apr_1",
        approvers=("sub_a", "sub_b"),
        issued="2026-11-24T06:00:00Z",
        answers=ordered(answers),
    )


@pytest.mark.parametrize("version", [1, 2])
def test_what_is_rendered_is_read_back(version: int) -> None:
    assert parse(render(certificate(version))) == certificate(version)


def test_it_names_what_it_covers_and_what_not() -> None:
    lines = render(certificate()).split("\n")
    assert lines[6:9] == [
        "covers 1 records",
        f"covered {SUB} number",
        "not covered 2 records with the same address, counted 2026-11-24T06:00:00Z",
    ]
    assert [line.partition(" ")[0] for line in lines if line.startswith("remains")] == ["remains"] * len(REMAINS)


def test_version_1_is_the_same_byte_for_byte() -> None:
    """As the version before wrote it; it says nothing of what is covered, and must not come to say so."""
    text = render(certificate(1))
    assert hashlib.sha256(text.encode()).hexdigest() == "478e38d893cd6de6675adf8e0698bb92bec747b80b18280ebc1b46dc6b2cdf19"
    raw = json.loads(base64.b64decode(text.rstrip("\n").rsplit("evidence ", 1)[1]))
    assert raw.keys() == {"answers", "approval", "approvers", "article", "issued", "law", "received", "request"}
    with pytest.raises(ValueError, match="version 1"):
        Certificate.model_validate({**raw, "version": 1, "left_out": 1})


def test_plain_lines_are_for_people() -> None:
    lines = render(certificate()).split("\n")
    assert lines[0] == "kept certificate of erasure v2"
    assert f"erased {SUB} identity 3" in lines
    assert f'kept {SUB} audit "the log\\nitself" "17(3)(b)"' in lines, "a line break can't make a line of its own"


@pytest.mark.parametrize(
    "damage",
    [
        lambda t: t.replace("identity 3", "identity 4"),
        lambda t: t.replace("law eu-gdpr", "law uk-gdpr"),
        lambda t: t + "\n",
        lambda t: t.replace("\n", "\r\n"),
        lambda t: t.replace("kept certificate of erasure v2", "kept certificate of erasure v3"),
        lambda t: t.replace("kept certificate of erasure v2", "kept certificate of erasure v1"),
        lambda t: t.replace("not covered 2", "not covered 0"),
        lambda t: t.rsplit("evidence ", 1)[0],
        lambda t: t.rsplit("evidence ", 1)[0] + "evidence " + base64.b64encode(b"{}").decode() + "\n",
        lambda t: t.rsplit("evidence ", 1)[0] + "evidence !!!\n",
        lambda t: "",
    ],
)
def test_any_other_text_is_refused(damage: object) -> None:
    with pytest.raises(MalformedError):
        parse(damage(render(certificate())))  # type: ignore[operator]
