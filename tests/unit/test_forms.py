"""Every form that changes something carries a mark, so that a second click on it shows what the first one did."""

import re
from pathlib import Path

from starlette.requests import Request

from shared.http.forms import once_for
from shared.http.pages import form_mark

ROOT = Path(__file__).parents[2]
FORM = re.compile(r'<form method="([^"]*)"(?:[^>]*action="([^"]*)")?.*?</form>', re.DOTALL)
# Forms that need none, and why.
WITHOUT = {
    "/signin": "its code works once, and what it answers is a secret that is kept nowhere",
    "/signout": "whoever is signed out stays so",
    "{{ here }}/code": "its code works once; a browser that has the request open is led to it",
    "{{ here }}/person": "who is named already is shown",
    "{{ here }}/person/done": "who goes on is shown where they are",
    "{{ here }}/revoke": "what is revoked stays so",
    "{{ here }}/package": "it only reads: the file comes again",
    "{{ here }}/close": "what is closed stays so, and is shown",
    "": "a search: it only reads",
}


def test_every_form_that_changes_something_has_a_mark() -> None:
    seen = []
    for template in (*ROOT.glob("services/*/*/templates/*.html"), *ROOT.glob("services/*/*/*/templates/*.html")):
        for found in FORM.finditer(template.read_text(encoding="utf-8")):
            method, action = found[1], found[2] or ""
            if method != "get" and action not in WITHOUT:
                assert "{{ form_mark() }}" in found[0], f"{template.name}: the form to {action} has no mark"
                seen.append(action)
    assert {"/approvals/{{ row.id }}/approve", "/backups/sets", "/desk/{{ row.id }}/extend", "/"} <= set(seen)


async def key(body: bytes, path: str = "/a", actor: str = "sub_jane") -> bytes:
    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": body, "more_body": False}

    head = [(b"content-type", b"application/x-www-form-urlencoded")]
    scope = {"type": "http", "method": "POST", "path": path, "query_string": b"", "headers": head}
    once = await once_for(Request(scope, receive), actor)
    return once._key if once._used else b""


async def test_the_same_form_is_the_same_wish_and_another_content_another() -> None:
    first = b"form=0123456789abcdefghijkl&value=x"
    assert await key(first) == await key(first) != b""
    others = [
        await key(first + b"y"),
        await key(first, path="/b"),
        await key(first, actor="sub_steve"),
        await key(b"g" + first),
    ]
    assert len({await key(first), *others}) == 5


async def test_a_form_without_a_mark_or_with_a_guessable_one_is_done_each_time() -> None:
    assert {await key(b"value=x"), await key(b"form=1&value=x"), await key(b"")} == {b""}


def test_each_showing_has_a_mark_of_its_own() -> None:
    assert form_mark() != form_mark() and re.fullmatch(r'<input type="hidden" name="form" value="[\w-]{22}">', form_mark())
