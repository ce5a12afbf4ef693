"""N customers, made straight in the database: real data keys, wrapped by Vault; real ciphertext, blind indexes and locators. A
million in minutes: COPY, on every core. Beside each one, in the schema `twin`, the same person in clear."""

import asyncio
import os
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psycopg
from psycopg import sql

from deploy.local.state import State
from shared.keys.blind import BlindIndex
from shared.keys.cipher import DataKey, Place, new_data_key, seal
from shared.keys.locators import Locators
from shared.keys.login import AppRole
from shared.keys.vault import Vault
from shared.values.identifiers import NORMAL_FORM, Identifier, external
from shared.values.mailbox import Mailbox
from shared.values.phone import Phone
from shared.values.typed import Number
from tests.support.insider import Insider

CHUNK = 9_000
STAFF = [f"sub_{'5' * 31}{n:x}" for n in range(16)]  # customer n belongs to STAFF[n % 16]
TEAM = STAFF[:4]  # who asks sees a quarter of all
EMPLOYEE_FIRST = 7_000  # the number of STAFF[0]
FIELDS = ("first_name", "last_name", "email", "phone", "address", "city", "state", "country", "postal_code")
TWIN = """
DROP SCHEMA IF EXISTS twin CASCADE;
CREATE SCHEMA twin;
CREATE TABLE twin.customers (
  id text PRIMARY KEY, version int NOT NULL, owner_id text, created_at timestamptz NOT NULL, updated_at timestamptz NOT NULL,
  erased_at timestamptz, number text, first_name text, last_name text, email text, phone text, address text, city text,
  state text, country text, postal_code text);
CREATE INDEX ON twin.customers (owner_id);
CREATE INDEX ON twin.customers (email);
CREATE INDEX ON twin.customers (phone);
"""
Columns = Sequence[str]
Rows = Iterable[Sequence[object]]


@dataclass(frozen=True)
class Person:
    """Customer n, as anybody can compute them."""

    n: int

    @property
    def id(self) -> str:
        return f"sub_01932b5c00007000800{self.n:013x}"

    @property
    def email(self) -> str:
        return f"somebody.{self.n}@example.org"

    @property
    def phone(self) -> str:
        return f"+4930{10_000_000 + self.n}"

    @property
    def owner(self) -> int:
        return self.n % len(STAFF)

    def values(self) -> list[str]:
        """In the order of FIELDS."""
        n = self.n
        street = f"{n % 300} Long Street"
        return [f"Some{n % 997}", f"Body{n}", self.email, self.phone, street, f"Town {n % 500}", "BE", "Germany", f"{n:08d}"]


def make(state: State, people: int, said: Callable[[str], None]) -> None:
    """The customers 0..people-1, their keys, locators and owners, and the twin's table."""
    began, insider = time.perf_counter(), Insider(state, "customers")
    staff = asyncio.run(_staff(insider))
    with insider.connect("customers") as db:
        db.execute(TWIN)
        _copy(db, "staff_locators", ("locator", "user_id"), zip(staff, STAFF, strict=True))
    with ProcessPoolExecutor(os.cpu_count()) as workers:
        parts = [(str(state.root), staff, first, min(first + CHUNK, people)) for first in range(0, people, CHUNK)]
        for done, _ in enumerate(workers.map(_part, parts), 1):
            if done % 10 == 0:
                said(f"{done * CHUNK:,} of {people:,} people, {done * CHUNK / (time.perf_counter() - began):,.0f}/s")
    with insider.connect("customers") as db:
        db.autocommit = True
        for table in ("customers", "customer_locators", "data_keys", "twin.customers"):
            db.execute(sql.SQL("VACUUM (ANALYZE) {}").format(sql.Identifier(*table.split("."))))
    said(f"{people:,} people in {time.perf_counter() - began:.0f} s")


def _vault(insider: Insider) -> Vault:
    env = insider.env
    return Vault(env["KEPT_VAULT_ADDR"], AppRole(env["KEPT_VAULT_ROLE_ID"], Path(env["KEPT_VAULT_SECRET_ID_FILE"])))


async def _staff(insider: Insider) -> list[str]:
    numbers: list[Identifier] = [("external", external("employee", Number(str(EMPLOYEE_FIRST + n)))) for n in range(len(STAFF))]
    return [newest for newest, *_ in await Locators(_vault(insider)).of(numbers)]


def _part(of: tuple[str, Sequence[str], int, int]) -> None:
    root, staff, first, after = of
    insider = Insider(State(Path(root)), "customers")
    people = [Person(n) for n in range(first, after)]
    made = asyncio.run(_hashed(insider, people))
    with insider.connect("customers") as db:
        db.execute("SET synchronous_commit = off")  # of the making alone
        _store(db, people, made, staff)


@dataclass(frozen=True)
class _Made:
    keys: Sequence[DataKey]
    wrapped: Sequence[str]
    indexes: Sequence[tuple[bytes, bytes]]
    locators: Sequence[Sequence[str]]  # number, e-mail, phone


async def _hashed(insider: Insider, people: Sequence[Person]) -> _Made:
    """What needs Vault."""
    vault = _vault(insider)
    keys = [new_data_key() for _ in people]
    wrapped = await vault.encrypt("kept-customers", [one.secret for one in keys])
    blind = BlindIndex("customers", vault)
    indexes = [
        ((await blind.of("email", Mailbox(one.email))).value, (await blind.of("phone", Phone(one.phone))).value)
        for one in people
    ]
    known: list[Identifier] = []
    for one in people:
        number = external("customer", Number(str(one.n + 1)))
        known += [("external", number), ("email", Mailbox(one.email)), ("phone", Phone(one.phone))]
    found = [newest for newest, *_ in await Locators(vault).of(known)]
    return _Made(keys, wrapped, indexes, [found[at : at + 3] for at in range(0, len(found), 3)])


def _store(db: "psycopg.Connection[tuple[object, ...]]", people: Sequence[Person], made: _Made, staff: Sequence[str]) -> None:
    now = datetime.now(UTC)
    everyone = list(zip(people, made.keys, made.wrapped, made.indexes, made.locators, strict=True))
    _copy(db, "data_keys", ("subject", "version", "wrapped"), ((one.id, 1, wrapped) for one, _, wrapped, _, _ in everyone))
    about = (
        "id",
        "version",
        "owner_id",
        "owner_locator",
        "created_at",
        "updated_at",
        "normal_form",
        "email_index",
        "phone_index",
    )
    _copy(
        db, "customers", (*about, "number", *FIELDS),
        (
            (one.id, 1, STAFF[one.owner], staff[one.owner], now, now, NORMAL_FORM, *index, *_sealed(key, one))
            for one, key, _, index, _ in everyone
        ),
    )  # fmt: skip
    _copy(
        db, "customer_locators", ("locator", "customer_id", "kind"),
        (
            (locator, one.id, kind)
            for one, _, _, _, found in everyone
            for kind, locator in zip(("external", "email", "phone"), found, strict=True)
        ),
    )  # fmt: skip
    clear = ("id", "version", "owner_id", "created_at", "updated_at", "number", *FIELDS)
    rows = ((one.id, 1, STAFF[one.owner], now, now, str(one.n + 1), *one.values()) for one in people)
    _copy(db, "twin.customers", clear, rows)


def _sealed(key: DataKey, one: Person) -> list[bytes]:
    named = zip(("number", *FIELDS), (str(one.n + 1), *one.values()), strict=True)
    return [bytes(seal(key, Place("customers", "customers", name, one.id), value)) for name, value in named]


def _copy(db: "psycopg.Connection[tuple[object, ...]]", table: str, columns: Columns, rows: Rows) -> None:
    command = sql.SQL("COPY {} ({}) FROM STDIN").format(
        sql.Identifier(*table.split(".")), sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    with db.cursor().copy(command) as copy:
        for row in rows:
            copy.write_row(row)
