"""Every word in both languages, every page renders in both, and what people typed is escaped."""

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from fastapi import Request

from services.identity.approvals.model import ACTIONS, State
from services.identity.pages.show import Show
from services.identity.pages.texts import EN, ZH
from services.identity.sessions.model import local_path
from shared.access.actor import Actor

ACTOR = Actor("sub_1", "user", frozenset({"agent"}), frozenset({"sub_1"}))


def request(lang: str) -> Request:
    return Request({"type": "http", "headers": [(b"accept-language", lang.encode())], "query_string": b"", "path": "/"})


def test_both_languages_have_the_same_words_and_every_state_and_action_has_one() -> None:
    assert EN.keys() == ZH.keys()
    assert {f"state.{state}" for state in State} | {f"action.{action}" for action in ACTIONS} <= EN.keys()


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_pages(lang: str) -> None:
    show, at = Show(), datetime(2026, 1, 1, tzinfo=UTC)
    row = SimpleNamespace(
        id="apr_1", action="erase", resource="req_1", requester="x", state="requested", requested_at=at, expires_at=at
    )
    seen = SimpleNamespace(row=row, approvers=["sub_2"])
    said = [
        show(request(lang), "signin.html", next="/account", said="wait", seconds=30),
        show(request(lang), "account.html", actor=ACTOR, own={"name": "<b>A</b>", "email": "a@x.org"}),
        show(request(lang), "approvals.html", actor=ACTOR, approvals=[seen], allowed={"apr_1"}),
        show(request(lang), "approvals.html", actor=ACTOR, approvals=[seen], allowed=set()),
    ]
    texts = [bytes(page.body).decode() for page in said]
    assert "30" in texts[0] and "&lt;b&gt;A" in texts[1] and "<b>A" not in texts[1]
    assert "/approvals/apr_1/approve" in texts[2] and "/approvals/apr_1/approve" not in texts[3]
    assert all(page.headers["cache-control"] == "no-store" for page in said)


@pytest.mark.parametrize("evil", ["//evil.org", "/\\evil.org", "https://evil.org", "javascript:x", "", None, "/a\r\nb"])
def test_signing_in_never_leads_elsewhere(evil: str | None) -> None:
    assert local_path(evil) == "/account"


def test_signing_in_leads_back() -> None:
    assert local_path("/approvals?lang=zh") == "/approvals?lang=zh"
