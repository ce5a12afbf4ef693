"""`Idempotency-Key`: which keys are keys, and what makes two requests the same. What is done once: tests/platform."""

from typing import Any, cast

import pytest
from fastapi import Request, Response

from shared.access.actor import Actor
from shared.errors import InvalidInputError
from shared.http.idempotency import only_once
from shared.once import Once

KEY = "8e03978e-40d5-43e8-bc93-6894a57f9324"
JANE, STEVE = Actor("sub_jane", "user"), Actor("sub_steve", "user")


async def once(key: str, *, actor: Actor = JANE, path: str = "/a", query: str = "", body: bytes = b"{}") -> Any:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    scope = {"type": "http", "method": "POST", "path": path, "query_string": query.encode(), "headers": []}
    return cast(Any, await only_once(Request(scope, receive), Response(), actor, key))


async def test_the_key_with_and_without_quotes_is_one_key() -> None:
    quoted, bare = await once(f'"{KEY}"'), await once(KEY)
    assert (quoted._key, quoted._request) == (bare._key, bare._request)


@pytest.mark.parametrize(
    "key", ["short", '"short"', f'"{KEY}', f"{KEY} {KEY}", '"' + "x" * 201 + '"', '"with \\" inside, long"']
)
async def test_what_is_no_key_is_refused(key: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        await once(key)
    assert refused.value.field == "Idempotency-Key" and KEY in refused.value.detail


async def test_actor_and_key_name_the_entry_and_all_else_is_the_request() -> None:
    first = await once(KEY)
    assert (await once(KEY, actor=STEVE))._key != first._key
    for other in (await once(KEY, path="/b"), await once(KEY, query="x=1"), await once(KEY, body=b"[]")):
        assert other._key == first._key and other._request != first._request


def test_neither_key_nor_request_lies_there_to_be_guessed() -> None:
    one, two = Once(KEY, "sub_jane", b"luisg@embraer.com.br", 201), Once(KEY[::-1], "sub_jane", b"luisg@embraer.com.br", 201)
    assert one._request != two._request, "the same request under two keys must not look the same"
