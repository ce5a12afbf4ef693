"""customers on the real servers: who sees whom, masks, corrections, import and export."""

import csv
import html
import io
import re
import threading
from collections.abc import AsyncIterator

import httpx
import pyrage
import pytest

from services.customers.base import TABLES
from services.customers.pages.texts import TEXTS
from services.customers.settings import CustomersSettings
from shared.access.actor import Actor
from shared.service import Ground, ground
from tests.support.customers import holder_of, tools_of
from tests.support.insider import Insider
from tests.support.made_up import JANE, MARGARET, email, numbers, table
from tests.support.people import CHINOOK
from tests.support.platform import Platform
from tests.support.staff import signed_in

CSV = {"Content-Type": "text/csv"}
LEFT = ("forgotten", "forgotten_numbers")
MICHAEL = "6"  # IT's manager, who reports to Andrew and not to Nancy


@pytest.fixture(scope="module")
def somebody(platform: Platform, nancy: httpx.Client) -> str:
    """The number of a made-up customer of Jane's."""
    number = numbers(1)[0]
    assert nancy.post("/api/customers/imports", content=table([number]), headers=CSV).status_code == 201
    return number


def everybody(client: httpx.Client) -> set[str]:
    """The ids of all customers that `client` may see."""
    found: set[str] = set()
    cursor = ""
    while True:
        page = client.get("/api/customers", params={"cursor": cursor, "limit": 50}).raise_for_status().json()
        found |= {one["id"] for one in page["items"]}
        cursor = page["next"] or ""
        if not cursor:
            return found


def find(client: httpx.Client, number: str, purpose: str = "support") -> httpx.Response:
    listed = client.post("/api/customers/search", json={"email": email(number)}, headers={"X-Purpose": purpose})
    return client.get(f"/api/customers/{listed.json()['items'][0]['id']}", headers={"X-Purpose": purpose})


def test_each_sees_their_own_and_their_reporting_line(platform: Platform, jane: httpx.Client, nancy: httpx.Client) -> None:
    with signed_in(platform, "margaret") as margaret:
        hers, others, all_ = everybody(jane), everybody(margaret), everybody(nancy)
    assert len(hers) >= 20 and len(others) >= 19, "twenty-one and twenty, but for who asked to be forgotten"
    assert not hers & others
    assert hers | others < all_


@pytest.mark.parametrize("name", ["michael", "robert", "laura"])
def test_it_sees_nobody_and_learns_nothing(platform: Platform, jane: httpx.Client, name: str) -> None:
    one = next(iter(everybody(jane)))
    with signed_in(platform, name) as it:
        assert it.get("/api/customers").status_code == 403
        known, unknown = it.get(f"/api/customers/{one}"), it.get(f"/api/customers/sub_{'0' * 32}")
        assert (known.status_code, known.text) == (unknown.status_code, unknown.text)
        assert it.get("/customers", headers={"Accept": "text/html"}).status_code == 403


def test_a_refusal_never_tells_whether_somebody_exists(platform: Platform, jane: httpx.Client) -> None:
    with signed_in(platform, "margaret") as margaret:
        theirs = next(iter(everybody(margaret)))
    answers = [jane.get(f"/api/customers/{one}") for one in (theirs, f"sub_{'0' * 32}", "17", "sub_'; --")]
    assert {(a.status_code, a.json()["detail"]) for a in answers} == {(404, answers[0].json()["detail"])}
    body = {"fields": {"city": "X"}}
    patches = [
        jane.patch(f"/api/customers/{one}", json=body, headers={"If-Match": '"1"'}) for one in (theirs, f"sub_{'0' * 32}")
    ]
    assert {(a.status_code, a.text) for a in patches} == {(404, patches[0].text)}


def test_nobody_without_a_token(platform: Platform) -> None:
    assert httpx.get(f"{platform.origin}/api/customers").status_code == 401
    forged = {"Authorization": "Bearer e30.e30.AAAA"}
    assert httpx.get(f"{platform.origin}/api/customers", headers=forged).status_code == 401


def test_what_the_purpose_does_not_need_is_masked(jane: httpx.Client, somebody: str) -> None:
    support, contact = (find(jane, somebody, purpose).json()["fields"] for purpose in ("support", "contact"))
    assert support["email"] == {"level": "masked", "value": "m•••@e•••.org"}
    assert support["address"] == {"level": "hidden", "value": None}
    assert contact["email"] == {"level": "clear", "value": email(somebody)}
    assert contact["address"]["level"] == "hidden"
    refused = jane.get("/api/customers", headers={"X-Purpose": "curiosity"})
    assert (refused.status_code, refused.json()["field"]) == (422, "purpose")


def test_a_correction_needs_what_was_read(jane: httpx.Client, somebody: str) -> None:
    read = find(jane, somebody)
    path, etag = f"/api/customers/{read.json()['id']}", read.headers["etag"]
    change = {"fields": {"city": "Elsewhere"}}
    assert jane.patch(path, json=change).status_code == 428
    assert jane.patch(path, json=change, headers={"If-Match": '"999"'}).status_code == 412
    assert jane.patch(path, json={"fields": {"fax": "1"}}, headers={"If-Match": etag}).json()["field"] == "fax"
    assert jane.patch(path, json={"fields": {"email": "x"}}, headers={"If-Match": etag}).status_code == 422
    done = jane.patch(path, json=change, headers={"If-Match": etag})
    assert (done.status_code, done.json()["fields"]["city"]["value"]) == (200, "Elsewhere")
    assert done.headers["etag"] != etag
    assert jane.patch(path, json=change, headers={"If-Match": etag}).status_code == 412, "the old version is over"
    same = jane.patch(path, json=change, headers={"If-Match": done.headers["etag"]})
    assert same.headers["etag"] == done.headers["etag"], "nothing changed, so nothing is told"


def test_a_corrected_address_is_found_and_the_old_one_is_not(jane: httpx.Client, nancy: httpx.Client) -> None:
    number, other = numbers(2)
    nancy.post("/api/customers/imports", content=table([number]), headers=CSV).raise_for_status()
    read = find(jane, number)
    change = {"fields": {"email": f" {email(other).upper()} "}}
    path, seen = f"/api/customers/{read.json()['id']}", {"If-Match": read.headers["etag"]}
    blind = jane.patch(path, json=change, headers={**seen, "X-Purpose": "support"})
    assert (blind.status_code, blind.json()["field"]) == (422, "email"), "masked for this purpose: no writing over it"
    jane.patch(path, json=change, headers={**seen, "X-Purpose": "contact"}).raise_for_status()
    assert find(jane, other).json()["id"] == read.json()["id"]
    assert jane.post("/api/customers/search", json={"email": email(number)}).json()["items"] == []


def test_an_import_run_again_changes_nothing(nancy: httpx.Client) -> None:
    raw = (CHINOOK / "customer.csv").read_bytes()
    done = nancy.post("/api/customers/imports", content=raw, headers=CSV).json()
    assert done["refused_columns"] == ["Company", "Fax"]
    again = nancy.post("/api/customers/imports", content=raw, headers=CSV).json()
    assert (again["rows"], again["created"], again["already_there"] + again["forgotten"]) == (59, 0, 59)


@pytest.fixture
async def base(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Ground]:
    for name, value in platform.environment("customers").items():
        monkeypatch.setenv(name, value)
    found = await ground(CustomersSettings(), TABLES)
    yield found
    await found.engine.dispose()


async def test_an_old_file_brings_nobody_back_who_was_forgotten(platform: Platform, nancy: httpx.Client, base: Ground) -> None:
    number = numbers(1)[0]
    file = table([number])
    first = nancy.post("/api/customers/imports", content=file, headers=CSV).raise_for_status().json()
    assert (first["created"], first["forgotten"], first["returned"]) == (1, 0, 0)
    subject = find(nancy, number).json()["id"]
    async with base.door.begin(Actor.system("customers")) as w:
        said = await holder_of(tools_of(base.vault)).erase(w, subject, "req_1")
    assert any("customer number and of the e-mail address" in one.what for one in said.kept), "what is kept is told"
    again = nancy.post("/api/customers/imports", content=file, headers=CSV).raise_for_status().json()
    assert (again["created"], again["already_there"], again["forgotten"]) == (0, 0, 1)
    assert nancy.post("/api/customers/search", json={"email": email(number)}).json()["items"] == []
    with Insider(platform.state, "customers").connect("customers") as connection:
        rows = [one for name in LEFT for one in connection.execute(f"SELECT * FROM {name}").fetchall()]
    assert rows and subject not in str(rows) and number not in str(rows), "a keyed hash and a day, nothing else"
    back = nancy.post("/api/customers/imports?returning=true", content=file, headers=CSV).raise_for_status().json()
    assert (back["created"], back["forgotten"], back["returned"]) == (1, 0, 1)
    assert find(nancy, number).json()["id"] != subject, "a new person: nothing of the old one can be read"
    usual = nancy.post("/api/customers/imports", content=file, headers=CSV).raise_for_status().json()
    assert (usual["already_there"], usual["forgotten"]) == (1, 0)


async def test_the_forgotten_stay_so_under_a_new_number_too(nancy: httpx.Client, base: Ground) -> None:
    number, new = numbers(2)
    nancy.post("/api/customers/imports", content=table([number]), headers=CSV).raise_for_status()
    async with base.door.begin(Actor.system("customers")) as w:
        await holder_of(tools_of(base.vault)).erase(w, find(nancy, number).json()["id"], "req_1")
    file = table([new]).replace(email(new).encode(), email(number).upper().encode())
    kept_out = nancy.post("/api/customers/imports", content=file, headers=CSV).raise_for_status().json()
    assert (kept_out["created"], kept_out["forgotten"]) == (0, 1)
    assert [(one["code"], one["places"][0]["row"]) for one in kept_out["notices"]] == [("forgotten", 1)]
    back = nancy.post("/api/customers/imports?returning=true", content=file, headers=CSV).raise_for_status().json()
    assert (back["created"], back["returned"]) == (1, 1)


def test_what_a_file_says_otherwise_is_told_and_overwrites_nothing(nancy: httpx.Client, jane: httpx.Client) -> None:
    same, other, twin = numbers(3)
    nancy.post("/api/customers/imports", content=table([same, other]), headers=CSV).raise_for_status()
    changed = table([same, other, twin]).replace(f"{other} Nowhere Lane".encode(), b"2 Elsewhere")
    changed = changed.replace(email(twin).encode(), email(same).encode()).replace(b",", b";")
    changed = changed.replace(email(same).encode(), email(same).upper().encode())  # another spelling is no difference
    asked = nancy.post("/api/customers/imports/check", content=changed, headers=CSV).raise_for_status().json()
    done = (
        nancy.post("/api/customers/imports", content=changed.decode().encode("utf-16"), headers=CSV).raise_for_status().json()
    )
    assert done.pop("import_id") and (asked.pop("encoding"), done.pop("encoding")) == ("UTF-8", "UTF-16") and asked == done
    assert (done["created"], done["already_there"], done["different"], done["separator"]) == (1, 2, 1, "semicolon")
    said = {one["code"]: one["places"] for one in done["notices"]}
    assert said == {
        "different": [{"row": 2, "columns": ["Address"]}], "shared_address": [{"row": 3, "columns": ["Email"]}],
    }  # fmt: skip
    assert find(jane, other, "delivery").json()["fields"]["address"]["value"] == f"{other} Nowhere Lane"


def test_a_second_click_shows_what_the_first_one_saved(jane: httpx.Client, somebody: str) -> None:
    page = {"Accept": "text/html"}
    path = f"/customers/{find(jane, somebody).json()['id']}"
    shown = jane.get(path, headers=page).text
    version, mark = (re.search(rf'name="{name}" value="([^"]+)"', shown) for name in ("version", "form"))
    assert version is not None and mark is not None
    form = {"version": version[1], "form": mark[1], "field": "city", "value": "Twice"}
    first, second = (jane.post(path, data=form, headers=page) for _ in range(2))
    assert (first.status_code, second.status_code) == (303, 303) and first.headers["location"] == second.headers["location"]
    assert jane.post(path, data={**form, "form": ""}, headers=page).status_code == 412, "another wish, on what is over"
    now = find(jane, somebody).headers["etag"].strip('"')
    nothing = jane.post(path, data={"version": now, "field": "city"}, headers=page)
    assert nothing.status_code == 422 and find(jane, somebody).json()["fields"]["city"]["value"] == "Twice"
    emptied = jane.post(path, data={"version": now, "field": "city", "empty": "true"}, headers=page)
    assert emptied.status_code == 303 and find(jane, somebody).json()["fields"]["city"]["value"] is None


def test_an_import_twice_at_once_makes_each_customer_once(platform: Platform, nancy: httpx.Client) -> None:
    file = table(numbers(40))
    answers: list[httpx.Response] = []

    def post() -> None:
        with signed_in(platform, "nancy") as client:
            answers.append(client.post("/api/customers/imports", content=file, headers=CSV))

    threads = [threading.Thread(target=post) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert {a.status_code for a in answers} == {201}, "one after the other"
    assert sorted((a.json()["created"], a.json()["already_there"]) for a in answers) == [(0, 40)] * 3 + [(40, 0)]


def test_a_bad_file_is_told_where_and_nothing_of_it_is_there(platform: Platform, nancy: httpx.Client) -> None:
    good, bad = numbers(2)
    file = table([good, bad]).replace(email(bad).encode(), b"nobody")
    refused = nancy.post("/api/customers/imports", content=file, headers=CSV)
    assert (refused.status_code, refused.json()["field"]) == (422, "Email")
    assert refused.json()["detail"] == "row 2, column Email: not an e-mail address: there is no @"
    assert nancy.post("/api/customers/search", json={"email": email(good)}).json()["items"] == []
    wide = table([good]).replace(b"Nowhere Lane", b"N" * 10_000_000)
    assert "row 1, column Address: 100" in nancy.post("/api/customers/imports", content=wide, headers=CSV).json()["detail"]
    huge = nancy.post("/api/customers/imports", content=b"x" * (33 * 1024 * 1024), headers=CSV)
    assert huge.status_code == 413
    assert nancy.post("/api/customers/imports", content="Luís".encode("latin-1"), headers=CSV).status_code == 422


def test_only_managers_import(platform: Platform, jane: httpx.Client) -> None:
    assert jane.post("/api/customers/imports", content=table(numbers(1)), headers=CSV).status_code == 403
    with signed_in(platform, "michael") as michael:
        assert michael.post("/api/customers/imports", content=table(numbers(1)), headers=CSV).status_code == 403


def test_an_export_takes_two_others_and_is_sealed(platform: Platform, jane: httpx.Client, somebody: str) -> None:
    mine = pyrage.x25519.Identity.generate()
    body = {"recipient": str(mine.to_public())}
    assert jane.post("/api/customers/exports", json=body).status_code == 422, "without a grant"
    assert jane.post("/api/customers/exports", json=body, headers={"X-Kept-Grant": "e30.e30.AAAA"}).status_code == 403
    asked = jane.post("/api/identity/approvals", json={"action": "export", "resource": "customers"})
    path = f"/api/identity/approvals/{asked.raise_for_status().json()['id']}"
    for name in ("andrew", "nancy"):
        assert jane.get(f"{path}/grant").status_code == 409, "not yet"
        with signed_in(platform, name) as other:
            other.post(f"{path}/approve").raise_for_status()
    grant = {"X-Kept-Grant": jane.get(f"{path}/grant").raise_for_status().json()["grant"]}
    with signed_in(platform, "nancy") as nancy:
        assert nancy.post("/api/customers/exports", json=body, headers=grant).status_code == 403, "it is Jane's"
    assert jane.post("/api/customers/exports", json={"recipient": "age1x"}, headers=grant).json()["field"] == "recipient"
    sealed = jane.post("/api/customers/exports", json=body, headers=grant).raise_for_status().content
    assert email(somebody).encode() not in sealed
    clear = pyrage.decrypt(sealed, [mine])
    rows = list(csv.DictReader(io.StringIO(clear.decode("utf-8-sig"), newline="")))
    assert email(somebody) in str(rows) and len(rows) == len(everybody(jane))
    assert {row["Subject"] for row in rows} == everybody(jane) and somebody in {row["CustomerId"] for row in rows}
    with signed_in(platform, "nancy") as nancy:  # import(export(x)) == x
        again = nancy.post("/api/customers/imports", content=clear, headers=CSV).raise_for_status().json()
    assert (again["created"], again["already_there"], again["different"]) == (0, len(rows), 0)
    assert jane.post("/api/customers/exports", json=body, headers=grant).status_code == 409, "a grant works once"


@pytest.mark.parametrize(("lang", "word"), [("en", "Find"), ("zh", "查找")])
def test_pages(jane: httpx.Client, somebody: str, lang: str, word: str) -> None:
    page = {"Accept": "text/html"}
    listed = jane.post("/customers", params={"lang": lang}, data={"q": email(somebody)}, headers=page)
    assert listed.status_code == 200 and word in listed.text and email(somebody) not in listed.text
    path = re.search(r'href="(/customers/sub_[0-9a-f]{32})', listed.text)
    assert path is not None
    one = jane.get(path[1], params={"lang": lang, "purpose": "contact"}, headers=page)
    assert email(somebody) in one.text and "no-store" in one.headers["cache-control"]
    assert "<script" not in one.text
    version = re.search(r'name="version" value="(\d+)"', one.text)
    assert version is not None
    form = {"version": version[1], "field": "email", "value": "nobody"}
    assert jane.post(path[1], data=form, headers=page).status_code == 422
    assert jane.post(path[1], data=form | {"version": "999"}, headers=page).status_code == 412
    saved = jane.post(path[1], data=form | {"field": "city", "value": f"Town {lang}"}, headers=page)
    assert saved.status_code == 303
    bad = jane.post("/customers", params={"lang": lang}, data={"q": "no number"}, headers=page)
    assert bad.status_code == 200 and TEXTS[lang]["search.bad"] in bad.text
    assert TEXTS[lang]["none"] not in bad.text, "nothing was searched, so nothing is said of who is there"


def test_a_phone_of_no_use_is_saved_and_said_to_be_of_none(jane: httpx.Client, somebody: str) -> None:
    page, path = (
        {"Accept": "text/html", "Accept-Language": "en", "Cookie": "kept_lang=en"},
        f"/customers/{find(jane, somebody).json()['id']}?purpose=contact",
    )
    for typed, of_use in (("12", False), ("+49 30 901820", True)):
        version = find(jane, somebody).headers["etag"].strip('"')
        saved = jane.post(path, data={"version": version, "field": "phone", "value": typed}, headers=page)
        shown = html.unescape(jane.get(saved.headers["location"], headers=page).text)
        assert TEXTS["en"]["saved"] in shown and (TEXTS["en"]["unusable"] not in shown) is of_use


def test_a_manager_imports_for_those_who_report_to_them(platform: Platform, nancy: httpx.Client) -> None:
    made = numbers(2)
    assert nancy.post("/api/customers/imports", content=table(made[:1], MICHAEL), headers=CSV).status_code == 403
    nobodys = nancy.post("/api/customers/imports", content=table(made[1:], "98765"), headers=CSV)  # not there yet
    assert nobodys.status_code == 422 and "row 1, column SupportRepId: nobody on the staff" in nobodys.json()["detail"]
    taken = nancy.post("/api/customers/imports?unowned=true", content=table(made[1:], "98765"), headers=CSV).raise_for_status()
    assert (taken.json()["unowned"], taken.json()["notices"][0]["code"]) == (1, "unowned")
    waiting = nancy.get("/api/customers/unowned").raise_for_status().json()
    assert waiting == {"records": waiting["records"], "without_number": 0} and waiting["records"] >= 1
    said = TEXTS["en"]["unowned"].format(count=waiting["records"])
    assert said in nancy.get("/customers", params={"lang": "en"}, headers={"Accept": "text/html"}).text
    with signed_in(platform, "jane") as jane:
        assert jane.get("/api/customers/unowned").status_code == 403
        page = jane.get("/customers", params={"lang": "en"}, headers={"Accept": "text/html"})
        assert page.status_code == 200 and said not in page.text
    with signed_in(platform, "andrew") as andrew:
        assert andrew.post("/api/customers/imports", content=table(made[:1], MICHAEL), headers=CSV).json()["created"] == 1


def test_nothing_is_stored_in_clear(platform: Platform, somebody: str) -> None:
    with Insider(platform.state, "customers").connect("customers") as connection:
        for table_name in ("customers", "customer_locators", "outbox", "idempotency"):
            dump = str(connection.execute(f"SELECT * FROM {table_name}").fetchall())  # type: ignore[call-overload]  # fixed names
            assert f"Zyxwv{somebody}" not in dump and email(somebody) not in dump, table_name


def test_owners_are_told_apart(platform: Platform, nancy: httpx.Client, jane: httpx.Client) -> None:
    mine, theirs = numbers(2)
    nancy.post("/api/customers/imports", content=table([mine], JANE), headers=CSV).raise_for_status()
    nancy.post("/api/customers/imports", content=table([theirs], MARGARET), headers=CSV).raise_for_status()
    assert len(jane.post("/api/customers/search", json={"email": email(mine)}).json()["items"]) == 1
    assert jane.post("/api/customers/search", json={"email": email(theirs)}).json()["items"] == []
