"""A stream lasts no longer than the session that asked for it, and there is no other way to stream."""

import ast
import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from shared.errors import KeptError, UnauthenticatedError
from shared.http import stream
from shared.http.stream import Stream, while_signed_in

ROOT = Path(__file__).parents[4]
HOME = ROOT / "shared" / "http" / "stream.py"
# What answers in pieces, of the web framework's; the gateway passes answers on, and asks nobody who they are.
STREAMING = {"StreamingResponse", "EventSourceResponse", "FileResponse"}


class Session:
    """Signed in, for so many questions."""

    def __init__(self, times: int = 10**6) -> None:
        self.times = times

    def __call__(self) -> None:
        self.times -= 1
        if self.times < 0:
            raise UnauthenticatedError("signed out; sign in again")


class Pieces:
    """One piece after another, for ever or `many`; remembers whether it was closed."""

    def __init__(self, many: int = 10**6, *, quiet: bool = False) -> None:
        self.many, self.quiet, self.given, self.closed = many, quiet, 0, False

    async def __call__(self) -> AsyncIterator[bytes]:
        try:
            while self.given < self.many:
                if self.quiet:
                    await asyncio.Event().wait()
                self.given += 1
                yield b"piece"
        finally:
            self.closed = True


def bye(error: KeptError) -> bytes:
    return f"bye: {error.detail}".encode()


async def test_all_of_it_while_the_session_is_open() -> None:
    pieces = Pieces(3)
    assert [one async for one in while_signed_in(pieces(), Session(), bye)] == [b"piece"] * 3
    assert pieces.closed


async def test_no_piece_after_the_session_ended_and_the_last_message_says_so() -> None:
    pieces, session = Pieces(), Session()
    found = []
    async for one in while_signed_in(pieces(), session, bye):
        found.append(one)
        if len(found) == 2:
            session.times = 0
    assert found == [b"piece", b"piece", b"bye: signed out; sign in again"]
    assert pieces.given <= 3 and pieces.closed


async def test_what_came_as_the_session_ended_is_not_shown() -> None:
    session = Session()

    async def late() -> AsyncIterator[bytes]:
        session.times = 0
        yield b"too late"

    assert [one async for one in while_signed_in(late(), session, bye)] == [b"bye: signed out; sign in again"]


async def test_a_stream_that_has_nothing_to_say_ends_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "LOOK_SECONDS", 0.01)
    pieces = Pieces(quiet=True)
    async with asyncio.timeout(30):
        assert [one async for one in while_signed_in(pieces(), Session(3), bye)] == [b"bye: signed out; sign in again"]
    assert pieces.closed


async def test_a_file_of_somebody_signed_out_stays_unfinished() -> None:
    sent: list[dict[str, object]] = []

    async def send(message: object) -> None:
        assert isinstance(message, dict)
        sent.append(message)

    session = Session(5)
    await Stream(Pieces()(), session, media_type="text/csv").stream_response(send)
    assert sent[0]["type"] == "http.response.start" and len(sent) < 10
    assert all(one["more_body"] for one in sent[1:]), "the answer looks whole"


async def test_who_goes_away_leaves_nothing_behind() -> None:
    pieces = Pieces(quiet=True)
    reading = asyncio.create_task(anext(aiter(while_signed_in(pieces(), Session(), bye))))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    assert pieces.closed


def modules() -> Iterator[tuple[Path, ast.Module]]:
    for folder in ("services", "shared"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            if path != HOME:
                yield path, ast.parse(path.read_text(encoding="utf-8"))


def test_every_stream_goes_through_the_one_that_asks_again() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {name}"
        for path, tree in modules()
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.ImportFrom)
            else [node.attr]
            if isinstance(node, ast.Attribute)
            else []
        )
        if name in STREAMING
    ]
    assert found == [], "streams that outlive the session; use shared/http/stream.py"


def test_no_endpoint_streams_by_yielding() -> None:
    """The framework makes a stream of an endpoint that yields."""
    found = [
        f"{path.relative_to(ROOT)}: {node.name}"
        for path, tree in modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.AsyncFunctionDef | ast.FunctionDef)
        and any(
            isinstance(d, ast.Call) and getattr(d.func, "attr", "") in ("get", "post", "api_route") for d in node.decorator_list
        )
        and any(isinstance(inner, ast.Yield | ast.YieldFrom) for inner in ast.walk(node))
    ]
    assert found == []
