"""Runs in a checkout of the released version, with its own Python, while its `make demo` is up (tests/upgrade/make.sh):

    python then.py <where to put what it finds>

Leaves it as an installation is on any working day when it is stopped to be upgraded: requests under way, a holder that has not
answered yet, an event that the bus has not got yet, a dead letter. Then stops it, and dumps the databases.
"""

import asyncio
import base64
import csv
import gzip
import json
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

sys.path.insert(0, str(Path.cwd()))  # the released version's modules, not ours
import age  # beside this file
import psutil
import pyrage

from deploy.local import ports, processes
from deploy.local.postgres import SUPERUSER, programs
from deploy.local.state import State
from deploy.local.vault import Secrets
from tests.support.insider import Insider, wait_until
from tests.support.portal import Person
from tests.support.staff import signed_in, token

STATE = State.find()
OUT = Path(sys.argv[1])
PLATFORM: Any = SimpleNamespace(state=STATE, origin=f"http://localhost:{ports.load(STATE)['gateway']}")
SERVICES = ("identity", "customers", "audit", "backup", "dsar")


def ask(email: str, right: str) -> Person:
    person = Person(PLATFORM.origin, email)
    assert person.ask(right).status_code == 303
    return person


def proven(email: str, right: str) -> Person:
    person = ask(email, right)
    person.prove()
    return person


def approve(person: Person, *names: str) -> None:
    for name in names:
        with signed_in(PLATFORM, name) as http:

            def waiting(http: Any = http) -> str | None:
                items = http.get("/api/identity/approvals").json()["items"]
                return next((str(one["id"]) for one in items if one["resource"] == person.request_id), None)

            http.post(f"/api/identity/approvals/{wait_until(waiting)}/approve").raise_for_status()


def family(part: str) -> list[psutil.Process]:
    process = processes.alive(STATE.pid_file(part))
    assert process is not None, f"{part} does not run"
    return processes.family(process)


def send(part: str, number: signal.Signals) -> None:
    for member in family(part):
        member.send_signal(number)


# -- what is under way when it is stopped


def requests() -> dict[str, Person]:
    """At every stage at which a request can wait. billing does not answer any more when this ends."""
    found = {
        "ready": proven("ftremblay@gmail.com", "access"),
        "asked": ask("jacksmith@microsoft.com", "access"),
        "to approve": proven("fharris@google.com", "erasure"),
        "approved once": proven("leonekohler@surfeu.de", "erasure"),
        "approved": proven("kachase@hotmail.com", "erasure"),
    }
    found["ready"].until("/package")
    approve(found["approved once"], "nancy")
    send("billing", signal.SIGSTOP)
    approve(found["approved"], "nancy", "andrew")
    answered("approved", found["approved"], "erase")
    found["collecting"] = proven("edfrancis@yachoo.ca", "access")
    answered("collecting", found["collecting"], "locate")
    return found


def answered(name: str, person: Person, command: str) -> None:
    """Until all holders but billing have answered."""
    with Insider(STATE, "dsar").connect("dsar") as database:
        query = "SELECT count(*) FILTER (WHERE answered_at IS NULL), count(*) FROM asks WHERE request_id = %s AND command = %s"
        wait_until(lambda: database.execute(query, (person.request_id, command)).fetchone() == (1, 5))
    print(f"{name}: {person.request_id} waits for billing")


async def dead_letter() -> None:
    producer = Insider(STATE, "identity").producer()
    await producer.start()
    await producer.send_and_wait("kept.identity", b"no event", key=b"key")
    await producer.stop()


def unsent() -> str:
    """Jane corrects somebody while the bus is away: the event stays in the outbox. Its id."""
    send("kafka", signal.SIGSTOP)
    with signed_in(PLATFORM, "jane") as jane:
        (one,) = jane.post("/api/customers/search", json={"email": "michelleb@aol.com"}).json()["items"]
        change = {"fields": {"city": "Yonkers"}}
        answer = jane.patch(f"/api/customers/{one['id']}", json=change, headers={"If-Match": f'"{one["version"]}"'})
        assert answer.status_code == 200, answer.text
    with Insider(STATE, "customers").connect("customers") as database:
        waiting = database.execute("SELECT ce_id FROM outbox WHERE published_at IS NULL AND headers::text LIKE '%updated%'")
        return str(waiting.fetchone()[0])


# -- what is kept of it


def seen(found: dict[str, Person]) -> dict[str, Any]:
    """What a test compares: whose each customer is, whom each address finds; and the browsers with their requests."""
    owned: dict[str, list[str]] = {}
    for name in ("jane", "margaret", "steve"):
        with signed_in(PLATFORM, name) as http:
            items = http.get("/api/customers", params={"limit": 200}).json()["items"]
            owned[name] = sorted(one["id"] for one in items)
    addresses: dict[str, str] = {}
    with signed_in(PLATFORM, "nancy") as http, Path("examples/chinook/customer.csv").open() as file:
        for row in csv.DictReader(file):
            for one in http.post("/api/customers/search", json={"email": row["Email"]}).json()["items"]:
                addresses[row["Email"]] = one["id"]
    return {
        "taken": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout.strip(),
        "owned": owned,
        "addresses": addresses,
        "token": token(PLATFORM, "jane"),
        "requests": {
            name: {"email": one.email, "id": one.request_id, "cookies": dict(one.http.cookies)} for name, one in found.items()
        },
    }


def the_set() -> dict[str, str]:
    """The content of the one set, decrypted, to make its parts again from it; see age.py."""
    (place,) = (STATE.root / "blobs/backup/store/sets").iterdir()
    parts = b"".join(one.read_bytes() for one in sorted((place / "parts").iterdir()))
    lines = dict(line.split(" ", 1) for line in (place / "manifest").read_text().splitlines() if " " in line)
    opened = Insider(STATE, "backup").vault.write_data("transit/decrypt/kept-backup", data={"ciphertext": lines["key"]})
    identity = base64.b64decode(opened["data"]["plaintext"]).decode()
    gzipped = pyrage.decrypt(parts, [pyrage.x25519.Identity.from_str(identity)])
    (OUT / "set.tar").write_bytes(gzip.decompress(gzipped))
    head = age.head(parts)
    return {"id": place.name, "head": head.hex(), "file_key": age.file_key(parts, identity).hex()}


def dump() -> None:
    address = {"PGHOST": "127.0.0.1", "PGPORT": str(ports.load(STATE)["postgres"]), "PGUSER": SUPERUSER}
    password = asyncio.run(Secrets(STATE, ports.load(STATE)).password("platform/postgres"))
    env = {**os.environ, **address, "PGPASSWORD": password}
    stop = subprocess.Popen([str(Path(sys.prefix) / "bin/kept"), "down"])
    wait_until(lambda: all(processes.alive(STATE.pid_file(name)) is None for name in SERVICES))
    commands = {"roles": ["pg_dumpall", "--roles-only"]} | {name: ["pg_dump", "--create", name] for name in SERVICES}
    for name, (program, *words) in commands.items():
        subprocess.run([str(programs() / program), *words, "-f", str(OUT / f"{name}.sql")], env=env, check=True)
    send("kafka", signal.SIGCONT)
    assert stop.wait() == 0


def main() -> None:
    OUT.mkdir(parents=True, exist_ok=True)
    asyncio.run(dead_letter())
    notes = {"set": the_set()}
    found = requests()
    notes |= seen(found)
    notes["unsent"] = unsent()
    (OUT / "notes.json").write_text(json.dumps(notes, indent=1) + "\n")
    dump()


main()
