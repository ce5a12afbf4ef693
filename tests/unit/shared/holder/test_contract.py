"""What holders answer: parts that fit the bus and lose nothing, sealed so that only the request's key opens them."""

import ast
import base64
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyrage import decrypt, encrypt, x25519

from shared.access.actor import Actor
from shared.bus import outbox
from shared.bus.envelope import to_record
from shared.clock import SystemClock
from shared.errors import MalformedError
from shared.holder.contract import Category, Collected, Collection, Located, SubjectShredded, parts_of

REPOSITORY = Path(__file__).parents[4]


def category(name: str, records: list[dict[str, str]]) -> Category:
    return Category(name=name, purpose="p", basis="b", retention="r", records=list(records))


def joined(parts: list[Collection]) -> dict[str, list[object]]:
    found: dict[str, list[object]] = {}
    for part in parts:
        for one in part.categories:
            found.setdefault(one.name, []).extend(one.records)
    return found


@settings(max_examples=20)
@given(st.lists(st.lists(st.sampled_from([10, 1000, 200_000, 350_000]), max_size=6), max_size=3))
def test_parts_lose_nothing_and_keep_the_order(sizes: list[list[int]]) -> None:
    given_ = [category(f"c{n}", [{"v": "x" * size, "n": str(m)} for m, size in enumerate(one)]) for n, one in enumerate(sizes)]
    assert joined(list(parts_of("demo", given_))) == {one.name: one.records for one in given_}


@pytest.mark.parametrize("letter", ["x", "é", "漢", "𝄞"])
def test_every_part_fits_the_bus_in_any_script(letter: str) -> None:
    """Bytes count, not letters: a Chinese letter has three."""
    recipient = x25519.Identity.generate().to_public()
    parts = list(parts_of("demo", [category("c", [{"v": letter * 30_000} for _ in range(40)])]))
    assert len(parts) > 1
    for part in parts:
        sealed = base64.b64encode(encrypt(part.model_dump_json().encode(), [recipient])).decode()
        assert len(sealed) <= 512 * 1024
        event = Collected.of("demo")(
            request_id="req_1", holder="demo", subjects=["sub_" + "0" * 32], part=1, parts=1, sealed=sealed, note="n" * 600
        )
        outbox.row("id", to_record(event, Actor.system("demo"), SystemClock().now(), "id"))  # TooLargeError otherwise


def test_nothing_held_is_one_empty_part() -> None:
    assert [part.categories for part in parts_of("demo", [])] == [[]]


def test_only_the_requests_key_opens_an_answer() -> None:
    mine, other = x25519.Identity.generate(), x25519.Identity.generate()
    [part] = parts_of("demo", [category("c", [{"email": "luisg@embraer.com.br"}])])
    sealed = encrypt(part.model_dump_json().encode(), [x25519.Recipient.from_str(str(mine.to_public()))])
    assert Collection.model_validate_json(decrypt(sealed, [mine])) == part
    assert b"luisg" not in sealed
    with pytest.raises(Exception, match="No matching keys"):
        decrypt(sealed, [other])


def test_each_holder_has_its_own_types_once() -> None:
    assert Located.of("demo") is Located.of("demo")
    assert Located.of("demo").type_ == "kept.demo.answer.located.v2"
    assert Collected.of("demo").topic == "kept.dsar.answers.demo"
    assert SubjectShredded.of("demo").topic == "kept.demo"
    for name in ("", "A", "a.b", "x" * 33):
        with pytest.raises(MalformedError):
            Located.of(name)


def test_the_foreign_service_imports_the_public_sdk_alone() -> None:
    tree = ast.parse((REPOSITORY / "examples/billing/app.py").read_text(encoding="utf-8"))
    names = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)} | {
        one.name for node in ast.walk(tree) if isinstance(node, ast.Import) for one in node.names
    }
    assert {name for name in names if name and name.partition(".")[0] in ("shared", "services", "deploy")} == {
        "shared.holder.foreign"
    }
