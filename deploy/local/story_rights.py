"""Steps 5 to 8 of the story: a person's rights, a backup from before, the log."""

import io
import json
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx

from deploy.local import flip
from deploy.local.stage import Story, expect, until
from deploy.local.story_people import visible

LUIS = "luisg@embraer.com.br"


# -- step 5


def _prove(story: Story, browser: httpx.Client, right: str) -> str:
    """Ask on the public page, read the code from the mail, type it. The path of the request's own page."""
    asked_at = datetime.now(UTC).isoformat(timespec="seconds")
    answer = browser.post("/", data={"right": right, "email": LUIS, "lang": "en", "place": "BR"})
    expect(answer.status_code == 303, f"the portal answered {answer.status_code}")
    page = httpx.URL(answer.headers["location"]).path
    code = story.stage.mail_code(LUIS, asked_at)
    wrong = browser.post(f"{page}/code", data={"code": "0000 0000" if code != "00000000" else "1111 1111"})
    expect("kept_req" not in str(wrong.headers.get("set-cookie")), "a wrong code was taken")
    answer = browser.post(f"{page}/code", data={"code": code})
    expect("set-cookie" in answer.headers, "the right code was not taken")
    return page


def _page_shows(browser: httpx.Client, page: str, *words: str) -> Callable[[], str | None]:
    def look() -> str | None:
        text = browser.get(page).text
        return next((word for word in words if word in text), None)

    return look


def access(story: Story) -> None:
    """Luís asks what is held about him, proves who he is, and downloads it."""
    with story.stage.browser() as browser:
        page = _prove(story, browser, "access")
        shown = until("the answers of every holder", _page_shows(browser, page, f"{page}/package"))
        expect(bool(shown), "no package")
        package = browser.post(f"{page}/package", data={})
        expect(package.status_code == 200, f"the package answered {package.status_code}")
        held = _holders(package.content)
        browser.post(f"{page}/close")
    story.luis_known = any(categories for name, categories in held.items() if name in ("customers", "billing"))
    story.facts["access"] = held
    if not story.luis_known:
        story.say("Luís was forgotten when this story was told before: no holder has anything on him.")
        return
    story.say("Luís Gonçalves proved his address with the code from his e-mail (a wrong one was refused) and got:")
    for holder, categories in held.items():
        if categories:
            story.say(f"  from {holder}: {', '.join(categories)}")


def _holders(content: bytes) -> dict[str, list[str]]:
    """holder -> names of categories with records. Read in memory: the package is never written to disk."""
    found: dict[str, list[str]] = {}
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for name in archive.namelist():
            if not name.endswith(".json"):
                continue
            body = json.loads(archive.read(name))
            for one in body.get("answers", [body]) if isinstance(body, dict) else []:
                if "holder" in one:
                    found[one["holder"]] = [c["name"] for c in one.get("categories", []) if c.get("records")]
    return found


# -- step 6


def backup(story: Story) -> None:
    """A backup is taken while Luís is still known."""
    begun = story.stage.ask("POST", "/api/backup/sets", who="michael").json()
    story.backup_id = begun["id"]

    def taken() -> dict[str, Any] | None:
        row: dict[str, Any] = story.stage.ask("GET", f"/api/backup/sets/{story.backup_id}", who="michael").json()
        expect(row["state"] != "failed", f"the backup failed: {row.get('failure')}")
        return row if row["state"] in ("taken", "drilled") else None

    row = until("the backup", taken)
    story.facts["backup"] = {"id": story.backup_id, "bytes": row["bytes"]}
    story.say(f"Before that, Michael takes a backup of every database: {row['bytes'] / 2**20:.0f} MB, encrypted and signed.")


def erasure(story: Story) -> None:
    """Luís asks to be forgotten; two people approve; he gets a certificate that verifies offline."""
    stage = story.stage
    backup(story)
    if not story.luis_known:
        story.say("He is forgotten already.")
        return
    with stage.browser() as browser:
        page = _prove(story, browser, "erasure")
        request_id = page.rpartition("/")[2]

        def waiting() -> str | None:
            items = stage.ask("GET", "/api/identity/approvals", who="nancy").json()["items"]
            return next((one["id"] for one in items if one["resource"] == request_id and one["state"] == "requested"), None)

        approval = until("the request for approval", waiting)
        stage.ask("POST", f"/api/identity/approvals/{approval}/approve", who="jane", good=(403, 404))
        stage.ask("POST", f"/api/identity/approvals/{approval}/approve", who="nancy")
        stage.ask("POST", f"/api/identity/approvals/{approval}/approve", who="nancy", good=(403, 409))
        stage.ask("POST", f"/api/identity/approvals/{approval}/approve", who="andrew")
        story.say("Nancy approved, could not approve twice, and Andrew approved; Jane may not.")
        until("every holder's erasure and the certificate", _page_shows(browser, page, f"{page}/certificate"))
        certificate = browser.get(f"{page}/certificate").text
        browser.post(f"{page}/close")
    path = story.stage.state.root / "certificates" / f"{request_id}.certificate"
    path.parent.mkdir(exist_ok=True)
    path.write_text(certificate)
    _, printed = stage.run("dsar", "check", str(path), "--log-url", f"{stage.origin}/log")
    story.facts["certificate"] = {"path": str(path), "proven": True}
    for line in printed.strip().splitlines():
        story.say(line)
    ids = {row["id"] for row in visible(story, "jane")}
    story.facts["after_erasure"] = len(ids)
    story.say(f"Jane sees {len(ids)} customers now. The certificate was checked offline: {path}")


# -- step 7


def drill(story: Story) -> None:
    """The backup from before is restored elsewhere: everyone is there but him."""
    begun = story.stage.ask("POST", "/api/backup/drills", who="michael", json={"backup_id": story.backup_id}).json()

    def done() -> dict[str, Any] | None:
        row: dict[str, Any] = story.stage.ask("GET", f"/api/backup/drills/{begun['id']}", who="michael").json()
        return row if row.get("finished") else None

    row = until("the drill", done)
    expect(row["state"] == "passed", f"the drill ended as {row['state']}: {row.get('checks')}")
    story.facts["drill"] = row
    story.say(f"Restored into a scratch server, and {row['erasures']} erased again before any reading: {row['state']}.")
    for check in row["checks"]:
        story.say(f"  {'✓' if check['passed'] else '✗'} {check['name']}: {check['says']}")


# -- step 8


def verify(story: Story) -> None:
    """Every entry, tile and signature is checked; one flipped byte in a copy is found and named."""
    _, printed = story.stage.run("audit", "verify")
    story.say(printed.strip().splitlines()[-1])
    found = flip.in_a_copy(story.stage)
    story.facts["verify"] = {"clean": True, "flipped": found}
    story.say(f"One byte flipped in a copy of the log is found: {found}")
