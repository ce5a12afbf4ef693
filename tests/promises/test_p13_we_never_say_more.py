"""P13. We never say more than was done: what a certificate says is erased nobody can read, what can still be read is named, and
page, mail and package repeat it and add nothing."""

import html
import json
import re
from collections.abc import Sequence
from pathlib import Path

import psycopg
import pytest

from deploy.local.catalog import SERVICES
from deploy.local.postgres_programs import programs
from services.audit.log.seal import opened as log_opened
from services.backup.restore import scratch
from services.dsar.certificates.model import Certificate, parse
from services.dsar.holder_words import all_called, called, quoted
from shared.errors import TamperError
from shared.holder.answers import signed
from shared.holder.contract import Erased, answers_topic
from shared.notes.note import split_note
from shared.values.mailbox import mailbox
from tests.platform.test_answers_are_proven import Stolen, owing, refused, row, send, until
from tests.platform.test_erased_in_the_log import every_shard, publish, traces
from tests.platform.test_records import checked
from tests.promises.test_p09_no_resurrection import restored
from tests.support import backups, left
from tests.support.insider import Insider, wait_until
from tests.support.people import customers
from tests.support.platform import Platform
from tests.support.portal import Person
from tests.support.portal import opened as package_of
from tests.support.staff import approve, signed_in
from tests.support.topic import whole

pytestmark = pytest.mark.platform
CASES = Path(__file__).parents[1] / "vectors" / "cases"
HOLDERS = ["audit", "billing", "customers", "dsar", "identity"]
HASHES = "keyed hashes"  # what a holder calls an identifier of which only that is left
SAYS_TOO_MUCH = ("forgotten", "everywhere", "every system that held", "nothing is left", "all of your data", "被遗忘")
STAFF = ("jane", "margaret", "steve", "nancy", "andrew", "michael", "robert", "laura")  # every role there is
LOOKS = ("/api/customers/{}", "/customers/{}", "/api/audit/subjects/{}/looks", "/api/audit/events?subject={}")
MINUTES_LATER = "UPDATE requests SET {0} = {0} - interval '5 minutes' WHERE id = %s AND {0} IS NOT NULL RETURNING id"
OF_EVENTS = ("outbox", "idempotency")  # an event as it went out: sealed fields under the person's key, and keyed hashes


def brought(platform: Platform, case: str) -> list[str]:
    """The file of a case, imported by Nancy; the pseudonyms that its address leads to."""
    with signed_in(platform, "nancy") as nancy:
        nancy.post("/api/customers/imports", content=(CASES / case).read_bytes()).raise_for_status()
        found = nancy.post("/api/customers/search", json={"email": "ida@t.example"}).json()["items"]
    return [str(one["id"]) for one in found]


def proven(platform: Platform, person: Person, folder: Path) -> Certificate:
    """Asked for, proved, approved by two, carried out: what the certificate says, once `kept dsar check` has proven it."""
    person.until("it waits for two people to decide")
    approve(platform, person.request_id, "nancy", "andrew")
    person.until("Download the certificate")
    checked(person, folder)
    return parse(split_note(person.certificate())[0])


async def holds(
    platform: Platform, person: Person, said: Certificate, values: Sequence[str], identifiers: Sequence[str]
) -> None:
    """The certificate against tables, log, bus, page and mail. `values`: what stood in the covered records, the address last;
    `identifiers`: the locators that led there, of the address first."""
    covered = {one.subject for one in said.covered}
    keys, kept = left.keys_left(platform), {(one.holder, one.subject): one.kept for one in said.answers}
    assert set(kept) == {(holder, subject) for holder in HOLDERS for subject in covered}
    for subject in covered:
        assert not [service for service, whose in keys if whose == subject], "a key is left"
        await _unreadable(platform, subject, keys, values)
        _rows_are_named(platform, subject, keys, kept)
    _hashes_are_named(platform, covered, identifiers, kept)
    # Whatever the address still leads to is counted, and nothing of what is covered is among it.
    assert left.live(platform, identifiers[0]) & covered == set()
    assert said.left_out == len(left.live(platform, identifiers[0])), "the address leads to more than is named"
    for holder in HOLDERS:
        await _repeats(platform, holder, said)
    _no_more(person.page(), said, " | ".join(values))
    mail = person.mail("is done")
    _no_more(mail, said, " | ".join(values))
    assert f"{all_called(HOLDERS, 'en')}." in mail


async def _unreadable(platform: Platform, subject: str, keys: left.Keys, values: Sequence[str]) -> None:
    """Neither the log, nor a holder that is asked for everything, nor the staff's pages and API give one of the values."""
    found = traces(platform, subject, every_shard(platform))
    for (service, _), key in keys.items():
        for entry in found.sealed.values() if service == "audit" else ():
            with pytest.raises(TamperError):
                log_opened(entry, key)
    for sealed in (one for fields in found.fields.values() for one in fields.values()):
        assert left.opens(sealed, subject, keys) == []
    answers = await left.collected(platform, subject)
    told = json.dumps(answers, ensure_ascii=False)
    assert [one for one in values if one in told] == []
    for name in STAFF:
        with signed_in(platform, name) as http:
            said = [http.get(path.format(subject)) for path in LOOKS]
            said.append(http.post("/api/customers/search", json={"email": values[-1]}))
        assert [one.url for one in said if one.status_code >= 500] == []
        shown = "".join(one.text for one in said[:-1])
        assert [one for one in values if re.search(rf"\b{re.escape(one)}\b", shown)] == [], f"{name} still reads it"
        assert subject not in said[-1].text, f"{name} still finds it"


async def _in_no_backup(platform: Platform, backup_id: str, subject: str) -> None:
    """The set from before, really restored: no key of it and none of today's opens what it holds of the person."""
    now, held = left.keys_left(platform), 0
    with restored(platform, backup_id) as root:
        async with scratch.serving(scratch.Scratch(root), scratch.Postgres(programs())) as place:
            for service in SERVICES:
                with psycopg.connect(place.conninfo(service)) as database:
                    keys = {**now, **left.keys_in(Insider(platform.state, service), database)}
                    assert (service, subject) not in keys, f"the set brings a key back to {service}"
                    for one in left.rows_in(service, database, subject):
                        sealed = list(one.sealed())
                        held += len(sealed)
                        assert [text for each in sealed for text in left.opens(each, subject, keys)] == [], one.table
    assert held, "the set was taken before, so it holds sealed values"


def _rows_are_named(platform: Platform, subject: str, keys: left.Keys, kept: left.KeptLines) -> None:
    """A row that still names the person has no index, no locator, nothing that opens; and its holder says that it keeps it."""
    for one in left.rows(platform, subject):
        assert [text for sealed in one.sealed() for text in left.opens(sealed, subject, keys)] == [], one.table
        if one.table in OF_EVENTS or one.service == "backup":
            continue
        hashes = [name for name, value in one.values.items() if value and re.search(r"_index$|^locators?$", name)]
        assert not hashes or subject not in str(one.values.get("subject", subject)), (one.service, one.table, hashes)
        if one.table != "data_keys":
            assert kept[one.service, subject], f"{one.service} has a row in {one.table} and names nothing"


def _hashes_are_named(platform: Platform, covered: set[str], identifiers: Sequence[str], kept: left.KeptLines) -> None:
    """A keyed hash of an identifier stands only in rows of records that live, and where a holder says that it keeps it."""
    living = {one for locator in identifiers for one in left.live(platform, locator)}
    for locator in identifiers:
        for one in left.rows(platform, locator):
            whose = set(re.findall(r"sub_[0-9a-f]{32}", one.text))
            if whose and whose <= living:
                continue
            named = any(HASHES in line.what for subject in covered for line in kept[one.service, subject])
            assert named, f"{one.service} keeps a keyed hash in {one.table}, and its answer does not say so"


async def _repeats(platform: Platform, holder: str, said: Certificate) -> None:
    """The certificate has all that the holder's own answers on its own topic say, and the same."""
    seen = [one.envelope for one in await whole(platform.state, answers_topic(holder))]
    theirs = {
        one.data["subjects"][0]: (one.data["fields"], [(kept["what"], kept["reason"]) for kept in one.data["kept"]])
        for one in reversed(seen)  # the first one counts
        if one.type == f"kept.{holder}.answer.erased.v2" and one.data["request_id"] == said.request
    }
    ours = {
        one.subject: (one.fields, [(kept.what, kept.reason) for kept in one.kept])
        for one in said.answers
        if one.holder == holder
    }
    assert ours == theirs


def _no_more(text: str, said: Certificate, values: str) -> None:
    """What people read has the certificate's records, its count, its kept lines, what remains; and none of the big words."""
    text = html.unescape(re.sub(r"</?bdi>", "", text))
    assert set(re.findall(r"sub_[0-9a-f]{32}", text)) == {one.subject for one in said.covered}
    assert text.count("Covered:") == len(said.covered)
    counted = re.search(r"How many: (\d+)", text)
    assert (int(counted[1]) if counted else 0) == said.left_out
    assert ("We know of no other record" in text) is (said.left_out == 0)
    for who, kept in {(one.holder, (kept.what, kept.reason)) for one in said.answers for kept in one.kept}:
        what, why = (quoted(words, who, "en") for words in kept)
        assert f"{called(who, 'en')}: {what} ({why})" in text, (who, kept)
    assert len(said.remains) == 2 and "Backups taken before" in text and "recipients outside" in text
    assert [one for one in SAYS_TOO_MUCH if one in text.lower()] == []
    assert not values or values not in text


async def test_one_of_two_records_and_the_other_is_named(platform: Platform, tmp_path: Path) -> None:
    """cases/05: one person stands there twice and names one number; cases/06: their file comes again with a new one."""
    both = brought(platform, "05-duplicate-person.csv")
    assert len(both) == 2
    person = Person(platform.origin, "ida@t.example")
    person.ask("erasure")
    person.prove()
    person.until("This address leads to 2 records")
    assert person.say("820001") == "narrow.added"
    person.go_on()
    said = await left.locators_of(platform, ("email", mailbox(person.email)), ("external", "customer:820001"))
    certificate = proven(platform, person, tmp_path)
    assert (len(certificate.covered), certificate.left_out) == (1, 1)
    await holds(platform, person, certificate, ["Ida", "Twice", "ida@t.example"], said)
    (other,) = set(both) - {certificate.covered[0].subject}
    assert left.live(platform, said[0]) == {other}

    with signed_in(platform, "nancy") as nancy:
        new = (CASES / "06-forgotten-new-number.csv").read_bytes()
        done = nancy.post("/api/customers/imports", content=new).raise_for_status().json()
    assert (done["created"], done["forgotten"]) == (0, 1), "nobody is brought back without being asked"
    assert [one["code"] for one in done["notices"]] == ["forgotten"]


async def test_whoever_has_invoices_is_told_that_they_stay(platform: Platform, tmp_path: Path) -> None:
    """A customer of the demo: another team's holder keeps what tax law asks for, and another team's event lies in the log."""
    him = customers()[22]
    person = Person(platform.origin, him["Email"])
    person.ask("erasure")
    person.prove()
    person.until("it waits for two people to decide")
    (subject,) = row(platform, "dsar", "SELECT subjects FROM requests WHERE id = %s", person.request_id)[0]
    note = f"call {him['Email']} about the invoice"
    await publish(platform, subject, note.encode())
    wait_until(lambda: traces(platform, subject).sealed)
    with signed_in(platform, "michael") as operator:
        before = backups.take(operator)["id"]
        assert backups.drill(operator, before)["state"] == "passed"
    certificate = proven(platform, person, tmp_path)
    values = [note, *(him[name] for name in ("FirstName", "LastName", "Phone", "Address", "PostalCode", "Email"))]
    number = f"customer:{him['CustomerId']}"
    said = await left.locators_of(platform, ("email", mailbox(person.email)), ("external", number))
    await holds(platform, person, certificate, values, said)
    heard = "SELECT count(*) FROM erasures WHERE subject = %s AND holder IN ('customers', 'audit')"
    wait_until(lambda: row(platform, "backup", heard, subject) == (2,))
    await _in_no_backup(platform, before, subject)
    told = await left.collected(platform, subject)
    assert {holder for holder, found in told.items() if found} <= {one.holder for one in certificate.answers if one.kept}
    assert any("invoices" in kept.what for one in certificate.answers for kept in one.kept if one.holder == "billing")


async def test_no_certificate_while_a_holder_is_silent_or_lies_and_an_answer_names_it(
    platform: Platform, tmp_path: Path
) -> None:
    """Two people of one household of cases/05's kind: one asks to be erased, one asks what is held, and billing hangs."""
    him, her = (Person(platform.origin, customers()[n]["Email"]) for n in (24, 25))
    for person, right in ((him, "erasure"), (her, "access")):
        person.ask(right)
        person.prove()
    him.until("it waits for two people to decide")
    her.until("Download my data")
    her.http.post(f"/requests/{her.request_id}/close")
    again = Person(platform.origin, her.email)
    with platform.paused("billing"):
        again.ask("access")
        again.prove()
        approve(platform, him.request_id, "nancy", "andrew")
        wait_until(lambda: owing(platform, him.request_id) == ["billing"])
        subject, approval = row(platform, "dsar", "SELECT subjects[1], approval_id FROM requests WHERE id = %s", him.request_id)
        lie = Erased.of("billing")(
            request_id=him.request_id, holder="billing", subjects=[subject], approval_id=approval, fields=5, key_version=0,
            kept=[], at="2026-11-28T00:00:00Z", note="",
        )  # fmt: skip
        (by_customers,) = await signed([lie], Stolen(platform, "customers"))
        await until(platform, him.request_id, await send(platform, [by_customers]))
        assert [one[2] for one in await refused(platform, him.request_id)] == ["bad-note"]
        page = him.page()
        assert "certificate" not in page.lower() and "<td>billing (another system)</td><td>not yet</td>" in page
        assert not [one for one in him.mails() if "is done" in one["text"]]
        # Nobody waits for ever for what is held: after its patience the answer comes, and says whose part is missing.
        for step in ("verified_at", "dispatched_at"):
            wait_until(lambda step=step: row(platform, "dsar", MINUTES_LATER.format(step), again.request_id))  # type: ignore[misc]
        page = again.until("Download my data")
        silent = "what they hold is missing in the answer: billing (another system)"
        assert silent in page and silent in again.mail("is ready"), "the mail says it too"
        files = package_of(again.package())
        assert files["request.json"]["missing"] == ["billing"] and "did not answer in time" in files["index.html"]
        assert files["data/billing.json"]["categories"] == []
    him.until("Download the certificate")
    checked(him, tmp_path)
    certificate = parse(split_note(him.certificate())[0])
    assert {one.holder for one in certificate.answers} == set(HOLDERS)
