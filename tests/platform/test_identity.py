"""identity against the real servers: signing in, refusals, the cookie, the keys, the account, what the events say."""

import json
import time
import uuid

import httpx
import psycopg
import pyotp
import pytest

from tests.support.insider import Insider, wait_until
from tests.support.platform import Platform
from tests.support.staff import credentials, signed_in, token, try_codes

pytestmark = pytest.mark.platform


def post(platform: Platform, email: str, password: str, code: str) -> httpx.Response:
    body = {"email": email, "password": password, "code": code}
    return httpx.post(f"{platform.origin}/api/identity/sessions", json=body, timeout=30)


def identity(platform: Platform) -> "psycopg.Connection[tuple[object, ...]]":
    return Insider(platform.state, "identity").connect("identity")


def published(platform: Platform, kind: str) -> list[dict[str, object]]:
    """Bodies of identity's events of one kind, oldest first."""
    with identity(platform) as database:
        rows = database.execute(
            "SELECT convert_from(value, 'UTF8') FROM outbox WHERE headers::text LIKE %s ORDER BY id", [f"%{kind}%"]
        ).fetchall()
    return [json.loads(str(row[0])) for row in rows]


def test_reporting_lines_and_roles_are_in_the_token(platform: Platform) -> None:
    me = {who: signed_in(platform, who).get("/api/identity/me").json() for who in ("andrew", "nancy", "jane", "michael")}
    assert [len(me[who]["team"]) for who in ("andrew", "nancy", "jane", "michael")] == [8, 4, 1, 3]
    assert me["jane"]["id"] in me["nancy"]["team"] and me["michael"]["id"] not in me["nancy"]["team"]
    assert me["jane"]["roles"] == ["agent"]


def test_a_code_works_once(platform: Platform) -> None:
    secret = credentials(platform.state, "laura")
    totp = pyotp.TOTP(secret["totp"])
    while True:  # an earlier test run may have used this step
        code = totp.now()
        if post(platform, secret["email"], secret["password"], code).status_code == 201:
            break
        time.sleep(totp.interval - time.time() % totp.interval + 0.5)
    assert post(platform, secret["email"], secret["password"], code).status_code == 401
    assert published(platform, "session.refused")[-1]["reason"] == "replay"


def test_every_refusal_looks_the_same(platform: Platform) -> None:
    secret = credentials(platform.state, "robert")
    answers = [
        post(platform, f"{uuid.uuid4().hex}@example.org", "x", "000000"),
        post(platform, secret["email"], "wrong", "000000"),
        post(platform, secret["email"], secret["password"], "000000"),
    ]
    assert {one.status_code for one in answers} == {401}
    assert len({one.text for one in answers}) == 1
    assert all(one.elapsed.total_seconds() >= 0.5 for one in answers), "the time must not tell which of them was wrong"


def test_an_unknown_address_has_to_wait_too(platform: Platform) -> None:
    email = f"{uuid.uuid4().hex}@example.org"
    answers = [post(platform, email, "guess", "000000") for _ in range(6)]
    assert [one.status_code for one in answers] == [401] * 4 + [429] * 2
    assert 0 < int(answers[-1].headers["retry-after"]) <= 60
    assert published(platform, "session.refused")[-1]["reason"] == "too-many"


def test_what_is_no_address_is_told_like_a_wrong_password(platform: Platform) -> None:
    assert post(platform, "no address", "guess", "000000").status_code == 401


@pytest.mark.parametrize("body", [{}, {"email": "a@x.org"}, {"email": 3}, "text", ["x"]])
def test_bad_input_is_named_never_a_500(platform: Platform, body: object) -> None:
    answer = httpx.post(f"{platform.origin}/api/identity/sessions", json=body, timeout=30)
    assert answer.status_code == 422 and answer.headers["content-type"] == "application/problem+json"


def test_the_page_sets_a_cookie_that_scripts_and_other_sites_cannot_use(platform: Platform) -> None:
    secret = credentials(platform.state, "steve")
    with httpx.Client(base_url=platform.origin, headers={"Origin": platform.origin}, timeout=30) as browser:
        first = browser.get("/approvals", headers={"Accept": "text/html"})
        assert first.status_code == 303 and first.headers["location"].startswith("/signin")
        totp = pyotp.TOTP(secret["totp"])

        def enter() -> httpx.Response | None:
            form = {"email": secret["email"], "password": secret["password"], "code": totp.now(), "next": "//evil.example"}
            answer = browser.post("/signin", data=form)
            return answer if answer.status_code == 303 else None

        answer = wait_until(enter, seconds=100, step=16)
        assert answer.headers["location"] == "/account"
        cookie = answer.headers["set-cookie"].lower()
        assert "kept_session=" in cookie and "httponly" in cookie and "samesite=strict" in cookie
        looks = len(published(platform, "account.viewed"))
        page = browser.get("/account")
        assert secret["email"] in page.text and page.headers["cache-control"] == "no-store"
        assert len(published(platform, "account.viewed")) == looks + 1, "a look at one's own data is a look"
        assert browser.post("/signout", headers={"Origin": "https://evil.example"}).status_code == 403
        copied = {"Authorization": f"Bearer {browser.cookies['kept_session']}"}
        assert httpx.get(f"{platform.origin}/api/customers", params={"limit": 1}, headers=copied).status_code == 200
        assert browser.post("/signout").status_code == 303
        assert browser.get("/account", headers={"Accept": "text/html"}).status_code == 303
    for path in ("/api/customers", "/api/identity/me", "/api/audit/events", "/api/dsar/requests", "/api/backup/sets"):
        refused(platform, path, copied)


def refused(platform: Platform, path: str, headers: dict[str, str]) -> None:
    """Within a moment the service knows that this session ended."""
    wait_until(lambda: httpx.get(f"{platform.origin}{path}", headers=headers).status_code == 401 or None, seconds=60)


def test_a_signed_out_token_stays_refused_after_a_restart(platform: Platform) -> None:
    """What ended before the start is read back from the bus, before the first token is looked at."""
    mine = {"Authorization": f"Bearer {try_codes(platform.origin, credentials(platform.state, 'laura'))}"}
    assert httpx.get(f"{platform.origin}/api/customers", headers=mine).status_code == 403, "known, and not allowed"
    assert httpx.delete(f"{platform.origin}/api/identity/sessions", headers=mine).status_code == 204
    refused(platform, "/api/customers", mine)
    platform.kill("customers")
    seen: list[int] = []

    def asked() -> bool | None:
        seen.append(httpx.get(f"{platform.origin}/api/customers", headers=mine, timeout=30).status_code)
        return seen[-1] == 401 or None

    wait_until(asked, seconds=60)
    assert set(seen) <= {401, 502, 503}, "while it starts it knows nobody, rather than somebody who left"


def test_the_keys_are_published_and_a_changed_token_is_refused(platform: Platform) -> None:
    keys = httpx.get(f"{platform.origin}/.well-known/jwks.json").json()["keys"]
    assert keys and all(key["kty"] == "OKP" and key["crv"] == "Ed25519" and "d" not in key for key in keys)
    good = token(platform, "jane")
    for bad in (good[:-8] + "AAAAAAAA", good.split(".")[0] + "..", "e30.e30.", good + "x" * 20_000):
        answer = httpx.get(f"{platform.origin}/api/identity/me", headers={"Authorization": f"Bearer {bad}"})
        assert answer.status_code in (401, 431), bad[:20]


def test_what_lies_in_the_database_is_sealed(platform: Platform) -> None:
    secret = credentials(platform.state, "jane")
    with identity(platform) as database:
        rows = database.execute("SELECT users::text, factors::text FROM users JOIN factors ON user_id = users.id").fetchall()
        outbox = database.execute("SELECT headers::text, convert_from(value, 'UTF8') FROM outbox").fetchall()
    everything = str(rows) + str(outbox)
    for value in (secret["email"], "Peacock", "Jane", secret["totp"], secret["password"]):
        assert value not in everything and value.encode().hex() not in everything
    assert all("$argon2id$" in str(row[0]) for row in rows if "{agent}" in str(row[0]))


def test_importing_again_changes_nothing(platform: Platform) -> None:
    done = platform.kept("identity", "import-employees", "examples/chinook/employee.csv", "--json")
    assert done.returncode == 0 and json.loads(done.stdout) == {"created": 0, "already_there": 8, "numbered": 0}


def test_a_bad_file_is_refused_in_one_line(platform: Platform, tmp_path: object) -> None:
    done = platform.kept("identity", "import-employees", "examples/chinook/customer.csv")
    assert done.returncode == 1 and "EmployeeId" in done.stderr and "Traceback" not in done.stderr
