"""What a unit of work opens with the keys it has unlocked; and what a process remembers of them."""

from collections.abc import Mapping
from typing import cast

import pytest
from sqlalchemy import Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from shared.errors import InvariantError, ShreddedError, TamperError
from shared.keys import unlocked
from shared.keys.cache import KeyCache
from shared.keys.cipher import DataKey, FieldCipher, Place, Sealed, new_data_key, open_
from shared.keys.column import SealedText
from shared.keys.keyring import Keyring, WrappedKey
from shared.keys.unlocked import Unlocked


class Base(DeclarativeBase):
    """Only to name columns."""


class Person(Base):
    __tablename__ = "persons"
    id: Mapped[str] = mapped_column(Text, primary_key=True)
    email: Mapped[Sealed | None] = mapped_column(SealedText)
    name: Mapped[Sealed | None] = mapped_column(SealedText)


KEYS = {"vault:v1:a": new_data_key(), "vault:v1:b": new_data_key()}
A, B = WrappedKey(1, "vault:v1:a"), WrappedKey(1, "vault:v1:b")


class Ring:
    """The keyring of a service that has everything at hand."""

    service = "customers"

    async def unwrap(self, keys: Mapping[str, WrappedKey]) -> dict[str, DataKey | None]:
        return {one: KEYS[key.wrapped] if key.wrapped else None for one, key in keys.items()}


@pytest.fixture
def mine() -> Unlocked:
    return Unlocked(cast(Keyring, Ring()))


async def test_what_is_sealed_opens_where_it_belongs_and_nowhere_else(mine: Unlocked) -> None:
    await mine.unlock({"sub_a": A, "sub_b": B})
    sealed = mine.seal(Person.email, "sub_a", "a@example.org")
    other = Unlocked(cast(Keyring, Ring()))
    await other.unlock({"sub_a": A, "sub_b": B})
    for one in (mine, other):
        assert one.open(Person.email, "sub_a", sealed) == "a@example.org"
        for column, subject in ((Person.name, "sub_a"), (Person.email, "sub_b")):
            with pytest.raises(TamperError):
                one.open(column, subject, sealed)
    assert open_(KEYS["vault:v1:a"], Place("customers", "persons", "email", "sub_a"), sealed) == "a@example.org"


async def test_a_value_is_opened_once_and_what_was_sealed_here_never(mine: Unlocked, monkeypatch: pytest.MonkeyPatch) -> None:
    await mine.unlock({"sub_a": A})
    stored = FieldCipher(KEYS["vault:v1:a"]).seal(Place("customers", "persons", "name", "sub_a").associated_data(), "Anna")
    opened: list[bytes] = []

    class Counting(FieldCipher):
        def open(self, place: bytes, sealed: bytes) -> str:
            opened.append(sealed)
            return super().open(place, sealed)

    monkeypatch.setattr(unlocked, "FieldCipher", Counting)
    sealed = mine.seal(Person.email, "sub_a", "a@example.org")
    assert [mine.open(Person.name, "sub_a", stored) for _ in range(3)] == ["Anna"] * 3
    assert mine.open(Person.email, "sub_a", sealed) == "a@example.org"
    assert opened == [stored]


async def test_without_a_key_nothing_opens(mine: Unlocked) -> None:
    await mine.unlock({"sub_a": A, "sub_gone": WrappedKey(1, None)})
    sealed = mine.seal(Person.email, "sub_a", "x")
    with pytest.raises(ShreddedError):
        mine.open(Person.email, "sub_gone", sealed)
    with pytest.raises(InvariantError):
        mine.open(Person.email, "sub_b", sealed)
    mine.lock("sub_a")
    with pytest.raises(ShreddedError):
        mine.open(Person.email, "sub_a", sealed)


def test_the_least_used_keys_are_let_go_of() -> None:
    cache = KeyCache(10)
    keys = {f"vault:v1:{n}": new_data_key() for n in range(100)}
    for wrapped, key in keys.items():
        cache.put(wrapped, key)
        assert len(cache) <= 10
        assert cache.get("vault:v1:0") == keys["vault:v1:0"], "it is in use all the time"
    assert cache.get("vault:v1:99") == keys["vault:v1:99"] and cache.get("vault:v1:50") is None
    cache.forget("vault:v1:0")
    assert cache.get("vault:v1:0") is None


def test_what_nobody_used_for_a_while_is_let_go_of(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr("shared.keys.cache.time.monotonic", lambda: now)
    cache = KeyCache(10)
    cache.put("vault:v1:old", new_data_key())
    for n in range(3):
        now += 301
        cache.put(f"vault:v1:{n}", new_data_key())
    assert cache.get("vault:v1:old") is None
