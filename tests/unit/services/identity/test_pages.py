"""Every word in both languages, every page renders in both, and what people typed is escaped."""

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from fastapi import Request

from services.identity.approvals.model import ACTIONS, RESOURCES, Ground, Level, State
from services.identity.pages.show import Show
from services.identity.pages.texts import EN, TEXTS, ZH
from services.identity.sessions.model import local_path
from shared.access.actor import Actor

ACTOR = Actor("sub_1", "user", frozenset({"agent"}), frozenset({"sub_1"}))


def request(lang: str) -> Request:
    return Request({"type": "http", "headers": [(b"accept-language", lang.encode())], "query_string": b"", "path": "/"})


def test_both_languages_have_the_same_words_and_every_state_and_action_has_one() -> None:
    assert EN.keys() == ZH.keys()
    levels = {f"level.{level}{end}" for level in Level if level is not Level.WAITING for end in ("", ".law")}
    assert levels | {f"state.{state}" for state in State} <= EN.keys()
    assert {f"{what}.{action}" for what in ("action", "effect") for action in ACTIONS} <= EN.keys()
    named = [one for action in ACTIONS if action != "change_policy" for one in RESOURCES[action].pattern.split("|")]
    assert {f"resource.{one.partition('_')[0]}" for one in named} <= EN.keys()


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_pages(lang: str) -> None:
    show, at = Show(), datetime(2026, 1, 1, tzinfo=UTC)
    row = SimpleNamespace(
        id="apr_1", action="erase", resource="req_1", requester="system:dsar", state="requested", requested_at=at,
        expires_at=at, lapses=False, reminders=3, ground=None,
    )  # fmt: skip
    ground = Ground(code="law-1", article="17(3)", en="the law <b>says</b> so", zh="法律如此")
    seen = SimpleNamespace(row=row, approvers=["sub_2"], grounds=(ground,))
    levels, days = {"apr_1": Level.OVERDUE}, {"apr_1": 12}
    no = SimpleNamespace(**vars(row) | {"id": "apr_2", "state": "refused", "ground": "law-1"})
    refused = SimpleNamespace(row=no, approvers=[], grounds=(ground,))
    said = [
        show(request(lang), "signin.html", next="/account", said="wait", seconds=30),
        show(request(lang), "account.html", actor=ACTOR, own={"name": "<b>A</b>", "email": "a@x.org"}),
        show(request(lang), "approvals.html", actor=ACTOR, approvals=[seen], allowed={"apr_1"}, levels=levels, days=days),
        show(request(lang), "approvals.html", actor=ACTOR, approvals=[seen, refused], allowed=set(), levels={}, days={}),
    ]
    texts = [bytes(page.body).decode() for page in said]
    assert "30" in texts[0] and "&lt;b&gt;A" in texts[1] and "<b>A" not in texts[1]
    assert "/approvals/apr_1/approve" in texts[2] and "/approvals/apr_1/approve" not in texts[3]
    asked, told = (
        ("the law &lt;b&gt;says&lt;/b&gt; so (17(3))", TEXTS[lang]) if lang == "en" else ("法律如此 (17(3))", TEXTS[lang])
    )
    assert "/approvals/apr_1/refuse" in texts[2] and f'<option value="law-1">{asked}</option>' in texts[2]
    assert told["level.overdue.law"].replace("'", "&#39;") in texts[2] and told["requester.person"] in texts[2]
    effect = told["effect.erase"].replace("'", "&#39;")
    assert effect in texts[2] and told["resource.req"].replace("'", "&#39;") in texts[2] and "12" in texts[2]
    assert asked in texts[3], "why it was a no"
    assert texts[3].count(effect) == 1, "nothing follows from what is decided"
    assert all(page.headers["cache-control"] == "no-store" for page in said)


@pytest.mark.parametrize("evil", ["//evil.org", "/\\evil.org", "https://evil.org", "javascript:x", "", None, "/a\r\nb"])
def test_signing_in_never_leads_elsewhere(evil: str | None) -> None:
    assert local_path(evil) == "/account"


def test_signing_in_leads_back() -> None:
    assert local_path("/approvals?lang=zh") == "/approvals?lang=zh"
