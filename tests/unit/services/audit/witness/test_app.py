"""What the witness answers, status by status as c2sp.org/tlog-witness has it."""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest

from services.audit.log.checkpoint import Checkpoint
from services.audit.witness.app import BODY_BYTES_MAX, Witness, app
from shared.clock import FixedClock
from shared.notes.cosignature import cosigned, parse_witness
from shared.notes.note import LocalSigner, verify_note, vkey
from tests.unit.services.audit.witness.conftest import LOG_NAME, NOW, ORIGIN, SIGNER, checkpoint, request, signed

SECONDS = int(NOW.timestamp())


@pytest.fixture
async def http(witness: Witness) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app(witness)), base_url="http://witness") as client:
        yield client


async def added(http: httpx.AsyncClient, body: bytes) -> httpx.Response:
    return await http.post("/add-checkpoint", content=body)


async def test_a_checkpoint_that_follows_is_signed(http: httpx.AsyncClient, witness: Witness) -> None:
    key = parse_witness(witness.key.vkey)
    for old, size in ((0, 0), (0, 3), (3, 3), (3, 20), (20, 300)):
        answer = await added(http, request(old, size))
        assert answer.status_code == 200, answer.text
        note = checkpoint(size) + answer.text
        assert cosigned(note, [key]) == {key: SECONDS}
        verify_note(note, [vkey(ORIGIN, SIGNER.public)])
        last = await http.get(f"/{hashlib.sha256(ORIGIN.encode()).hexdigest()}/checkpoint")
        assert last.text == note
    assert (await http.get("/")).text.strip() == witness.key.vkey
    assert "kept_witness_signed 1.0" in (await http.get("/metrics")).text


async def test_another_size_is_told(http: httpx.AsyncClient) -> None:
    for old, said in ((3, b"0\n"), (0, b"9\n"), (8, b"9\n"), (10, b"9\n")):
        answer = await added(http, request(old, 20))
        assert (answer.status_code, answer.content, answer.headers["content-type"]) == (409, said, "text/x.tlog.size")
        await added(http, request(0, 9))


@pytest.mark.parametrize(
    ("old", "size", "history", "proof"),
    [(9, 9, 1, None), (9, 20, 1, None), (9, 20, 0, [bytes(32)] * 4), (9, 20, 0, []), (9, 9, 0, [bytes(32)])],
    ids=["same size, other root", "another history", "a false proof", "no proof", "a proof between equals"],
)
async def test_what_does_not_follow_is_refused_and_kept(
    http: httpx.AsyncClient, witness: Witness, old: int, size: int, history: int, proof: list[bytes] | None
) -> None:
    await added(http, request(0, 9))
    assert (await added(http, request(old, size, history, proof))).status_code == 422
    assert witness.memory.counts() == {"signed": 1, "refused": 1}
    assert (await added(http, request(9, 20))).status_code == 200


async def test_from_nothing_there_is_nothing_to_prove(http: httpx.AsyncClient) -> None:
    assert (await added(http, request(0, 9, proof=[bytes(32)]))).status_code == 422


async def test_an_empty_tree_has_one_root(http: httpx.AsyncClient) -> None:
    note = signed(Checkpoint(ORIGIN, 0, bytes(32)))
    assert (await added(http, request(0, 0, note=note))).status_code == 422


async def test_whom_it_does_not_trust(http: httpx.AsyncClient) -> None:
    unknown = checkpoint(3, origin="kept.test/logs/billing.events/0")
    assert (await added(http, request(0, 3, note=unknown))).status_code == 404
    stranger = checkpoint(3, signer=LocalSigner(ORIGIN, b"\1" * 32))
    assert (await added(http, request(0, 3, note=stranger))).status_code == 403
    good = checkpoint(3)
    forged = good[:-10] + ("A" if good[-10] != "A" else "B") + good[-9:]
    assert (await added(http, request(0, 3, note=forged))).status_code == 403
    assert (await added(http, request(0, 3, note=good + stranger.rpartition("\n\n")[2]))).status_code == 200


async def test_a_shard_of_a_later_topic_is_an_origin_of_the_same_log(http: httpx.AsyncClient) -> None:
    for origin in ("new.topic/7", "new.topic~2/0"):
        assert (await added(http, request(0, 3, note=checkpoint(3, origin=f"{LOG_NAME}/{origin}")))).status_code == 200
    for origin in ("new.topic", "new.topic/x", "a/b/0", "new.topic/01", "new~1x/0", "~2/0"):
        assert (await added(http, request(0, 3, note=checkpoint(3, origin=f"{LOG_NAME}/{origin}")))).status_code == 404


NOTE = checkpoint(9).encode()


@pytest.mark.parametrize(
    "body",
    [
        b"", b"\n\n", b"old 0\n", b"old 0\n\n", b"old 00\n\n" + NOTE, b"old -1\n\n" + NOTE,
        b"old +1\n\n" + NOTE, b"old  1\n\n" + NOTE, b"new 0\n\n" + NOTE, b"old 0\r\n\r\n" + NOTE,
        b"old 9223372036854775808\n\n" + NOTE, b"old 10\n\n" + NOTE, b"old 0\nAAAA\n\n" + NOTE,
        b"old 0\n!\n\n" + NOTE, request(0, 9, proof=[bytes(32)] * 64), b"old 0\n\n" + NOTE[:-1],
        b"old 0\n\n" + NOTE.replace(b"\n9\n", b"\n09\n"), b"old 0\n\n" + NOTE.replace(b"\n9\n", b"\n%d\n" % (10**19 - 1)),
        b"\xff\xfe", b"old 0\n\nnothing\n",
    ],
)  # fmt: skip
async def test_what_is_no_request(http: httpx.AsyncClient, body: bytes) -> None:
    answer = await added(http, body)
    assert answer.status_code == 400, answer.text
    assert answer.text.startswith("malformed: ")


async def test_what_is_too_large_and_what_is_not_there(http: httpx.AsyncClient) -> None:
    assert (await added(http, os.urandom(BODY_BYTES_MAX + 1))).status_code == 413
    assert (await http.get("/add-checkpoint")).status_code == 405
    assert (await http.get(f"/{'0' * 64}/checkpoint")).status_code == 404


async def test_of_many_at_once_each_has_its_answer_and_one_of_two_histories_wins(http: httpx.AsyncClient) -> None:
    """They share commits; of two that contradict each other in one commit the second sees the first."""
    origins = [f"{LOG_NAME}/many/{n}" for n in range(40)]
    bodies = [request(0, 9, note=checkpoint(9, history, origin)) for origin in origins for history in (0, 1)]
    answers = await asyncio.gather(*(added(http, body) for body in [*bodies, b"junk", request(3, 9)]))
    for origin, (one, two) in zip(origins, zip(answers[:-2:2], answers[1:-2:2], strict=True), strict=True):
        assert sorted((one.status_code, two.status_code)) == [200, 409], origin
    assert [answer.status_code for answer in answers[-2:]] == [400, 409]


async def test_a_clock_that_is_set_back_says_nothing_false(http: httpx.AsyncClient, witness: Witness) -> None:
    clock, key = witness._clock, parse_witness(witness.key.vkey)
    assert isinstance(clock, FixedClock)
    await added(http, request(0, 9))
    clock.advance(timedelta(days=-1))
    assert cosigned(checkpoint(20) + (await added(http, request(9, 20))).text, [key]) == {key: SECONDS}
