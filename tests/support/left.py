"""What is left of a person, by the services' own tables, the log, and what holders answer: for whoever checks what a
certificate says. Every key that is still in a keyring is tried on every sealed value that still names the person."""

import base64
import binascii
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from pyrage import decrypt, x25519

from deploy.local.catalog import ANSWERING, SERVICES
from services.customers.records.actions import FIELDS
from services.dsar.certificates.model import Kept
from shared.access.actor import Actor
from shared.bus.envelope import to_record
from shared.clock import SystemClock, rfc3339
from shared.errors import TamperError
from shared.holder.contract import Collect, answers_topic
from shared.ids import new_event_id, new_id
from shared.keys.cipher import DataKey, FieldCipher, Place
from shared.keys.locators import Locators
from shared.keys.login import AppRole
from shared.keys.vault import Vault
from shared.values.identifiers import Identifier
from tests.support.insider import Insider
from tests.support.platform import Platform
from tests.support.topic import whole

SCHEMAS = ("public", "trail")  # others are of tests
Keys = Mapping[tuple[str, str], DataKey]  # by service and whose
KeptLines = Mapping[tuple[str, str], Sequence[Kept]]  # by holder and subject
_BASE64 = re.compile(r'"([A-Za-z0-9+/]{40,}={0,2})"')


@dataclass(frozen=True)
class Row:
    """One row of a service's table."""

    service: str
    table: str
    values: Mapping[str, Any]

    @property
    def text(self) -> str:
        """All of it, with what bytes say in JSON."""
        told = [bytes.fromhex(one[2:]) for one in self.values.values() if isinstance(one, str) and one.startswith("\\x")]
        return json.dumps(dict(self.values)) + "".join(one.decode(errors="replace") for one in told)

    def sealed(self) -> Iterator[bytes]:
        """What may be a sealed value: bytes, and base64 in the body of an event."""
        for value in self.values.values():
            if isinstance(value, str) and value.startswith("\\x"):
                raw = bytes.fromhex(value[2:])
                yield raw
                for text in _BASE64.findall(raw.decode(errors="replace")):
                    try:
                        yield base64.b64decode(text, validate=True)
                    except binascii.Error:
                        continue


def rows(platform: Platform, word: str, services: Sequence[str] = SERVICES) -> list[Row]:
    """Every row of every service's database in which the word stands, as text or in bytes."""
    found = []
    for service in services:
        with Insider(platform.state, service).connect(service) as connection:
            found += rows_in(service, connection, word)
    return found


def rows_in(service: str, database: "psycopg.Connection[tuple[Any, ...]]", word: str) -> list[Row]:
    """The same of one database, which may be a restored one."""
    found = []
    tables = database.execute(
        "SELECT format('%%I.%%I', n.nspname, c.relname), c.relname FROM pg_class c JOIN pg_namespace n"
        " ON n.oid = c.relnamespace WHERE n.nspname = ANY(%s) AND c.relkind IN ('r', 'p') AND NOT c.relispartition",
        (list(SCHEMAS),),
    ).fetchall()
    for name, table in tables:
        query = (
            f"SELECT to_jsonb(t) FROM {name} t WHERE strpos(t::text, %s) > 0"
            " OR strpos(t::text, encode(convert_to(%s, 'UTF8'), 'hex')) > 0"
        )
        got = database.execute(query, (word, word)).fetchall()  # type: ignore[call-overload]  # names of tables
        found += [Row(service, str(table), one[0]) for one in got]
    return found


def keys_left(platform: Platform) -> Keys:
    """Every key of every keyring, by service and subject, unwrapped with the service's own rights."""
    found = {}
    for service in SERVICES:
        insider = Insider(platform.state, service)
        with insider.connect(service) as connection:
            found |= keys_in(insider, connection)
    return found


def keys_in(insider: Insider, database: "psycopg.Connection[tuple[Any, ...]]") -> Keys:
    """Every key of this keyring, which may be that of a backup, unwrapped with the rights that its service has now."""
    wrapped = database.execute(
        "SELECT subject, version, wrapped FROM data_keys WHERE wrapped IS NOT NULL ORDER BY subject"
    ).fetchall()
    found = {}
    for start in range(0, len(wrapped), 200):
        part = wrapped[start : start + 200]
        asked = {"batch_input": [{"ciphertext": one[2]} for one in part]}
        answer = insider.vault.write_data(f"transit/decrypt/kept-{insider.service}", data=asked)["data"]["batch_results"]
        for (subject, version, _), secret in zip(part, answer, strict=True):
            found[insider.service, str(subject)] = DataKey(int(version), base64.b64decode(secret["plaintext"]))
    return found


def opens(sealed: bytes, subject: str, keys: Keys) -> list[str]:
    """What one of these keys opens, at any place of this person's."""
    places = [Place("customers", "customers", column, subject) for column in (*FIELDS, "number")]
    places += [Place("customers", "address_changes", column, subject) for column in ("old_email", "new_email")]
    places += [Place("identity", "users", column, subject) for column in ("name", "email", "phone", "password")]
    texts, data = [], [place.associated_data() for place in places]
    for key in keys.values():
        cipher = FieldCipher(key)
        for one in data:
            try:
                texts.append(cipher.open(one, sealed))
            except TamperError:
                continue
    return texts


async def locators_of(platform: Platform, *identifiers: Identifier) -> list[str]:
    """By the service's own key in Vault."""
    env = platform.environment("customers")
    vault = Vault(env["KEPT_VAULT_ADDR"], AppRole(env["KEPT_VAULT_ROLE_ID"], Path(env["KEPT_VAULT_SECRET_ID_FILE"])))
    return [newest for newest, *_ in await Locators(vault).of(list(identifiers))]


def live(platform: Platform, locator: str) -> set[str]:
    """The records that the locator leads to, by the tables of the services that make records."""
    with Insider(platform.state, "customers").connect("customers") as connection:
        query = """SELECT c.id FROM customers c JOIN customer_locators l ON l.customer_id = c.id
        WHERE l.locator = %s AND c.erased_at IS NULL"""
        found = {str(one[0]) for one in connection.execute(query, (locator,)).fetchall()}
    with Insider(platform.state, "identity").connect("identity") as connection:
        query = "SELECT user_id FROM user_locators WHERE locator = %s"
        return found | {str(one[0]) for one in connection.execute(query, (locator,)).fetchall()}


async def collected(platform: Platform, subject: str) -> dict[str, list[dict[str, Any]]]:
    """What every holder says it has of the person, asked as dsar asks: the categories that have records, opened."""
    mine, request = x25519.Identity.generate(), new_id("req")
    command = Collect(
        request_id=request, subject=subject, holders=list(ANSWERING), recipient=str(mine.to_public()),
        reply_by=rfc3339(SystemClock().now()),
    )  # fmt: skip
    record = to_record(command, Actor.system("dsar"), SystemClock().now(), new_event_id())
    async with Insider(platform.state, "dsar").producer() as producer:
        await producer.send_and_wait(record.topic, record.value, key=record.key, headers=list(record.headers))
    said: dict[str, list[dict[str, Any]]] = {}
    for holder in ANSWERING:
        for _ in range(200):
            seen = [one.envelope for one in await whole(platform.state, answers_topic(holder))]
            parts = [one.data for one in seen if one.type.endswith("collected.v2") and one.data["request_id"] == request]
            if parts:
                break
        assert parts, f"{holder} did not answer"
        texts = [json.loads(decrypt(base64.b64decode(one["sealed"]), [mine])) for one in parts]
        said[holder] = [one for text in texts for one in text["categories"] if one["records"]]
    return said
