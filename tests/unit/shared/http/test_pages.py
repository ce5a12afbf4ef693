"""Which language a page speaks, and that it stays so."""

import pytest
from starlette.requests import Request

from shared.http.pages import language_of, remembered


def request(query: str, cookie: str, accept: str) -> Request:
    headers = [(b"cookie", f"kept_lang={cookie}".encode()), (b"accept-language", accept.encode())]
    return Request({"type": "http", "query_string": query.encode(), "headers": headers})


@pytest.mark.parametrize(
    ("query", "cookie", "accept", "language"),
    [
        ("", "", "", "en"),
        ("", "", "zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("", "", "de-DE,de;q=0.9,en;q=0.5,zh;q=0.3", "en"),
        ("lang=zh", "en", "en", "zh"),
        ("", "zh", "en", "zh"),
        ("lang=<script>", "<script>", "zh", "zh"),
    ],
)
def test_the_language_of_a_visitor(query: str, cookie: str, accept: str, language: str) -> None:
    assert language_of(request(query, cookie, accept)) == language


def test_a_choice_is_remembered_and_nothing_else_is() -> None:
    ((name, value),) = remembered(b"purpose=support&lang=zh")
    assert name == b"set-cookie" and value.startswith(b"kept_lang=zh; Path=/; ")
    assert remembered(b"") == remembered(b"lang=fr") == remembered(b"lang=%0d%0aset-cookie:x") == []
