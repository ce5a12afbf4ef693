"""The story that must always work (DESIGN section 9), told by doing it: eight steps over the real HTTP, bus, log and backups.

Each step prints what happened in plain words and fails with one line when a promise does not show. Told again on the same
state it goes on from there: whoever was forgotten stays forgotten.
"""

import io
import json
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from deploy.local import flip
from deploy.local.errors import Exit
from deploy.local.stage import Stage, StoryError, expect, until
from deploy.local.state import REPOSITORY, State

CHINOOK = REPOSITORY / "examples" / "chinook"
STAFF = ("andrew", "nancy", "jane", "margaret", "steve", "michael", "robert", "laura")
LUIS = "luisg@embraer.com.br"
CUSTOMERS = 59


@dataclass
class Story:
    stage: Stage
    console: Console
    facts: dict[str, Any] = field(default_factory=dict)
    backup_id: str = ""
    luis_known: bool = True

    def say(self, text: str) -> None:
        self.console.print(Padding(Text(text), (0, 0, 0, 3)))


# 1 -------------------------------------------------------------------------------------------------------------------


def staff(story: Story) -> None:
    """Eight employees become users, and sign in with password and second factor."""
    stage = story.stage
    stage.run("identity", "import-employees", str(CHINOOK / "employee.csv"), "--json")
    left = [name for name in STAFF if not stage.sign_in(name)]
    if left:
        story.say("A code works once, and this half minute's is used: waiting for the next.")
        time.sleep(31 - time.time() % 30)
        left = [name for name in left if not stage.sign_in(name)]
    expect(not left, f"could not sign in: {', '.join(left)}")
    answer = stage.ask(
        "POST", "/api/identity/sessions", json={"email": "jane@chinookcorp.com", "password": "guess", "code": "000000"},
        good=(401, 429),
    )  # fmt: skip
    teams = {name: len(stage.ask("GET", "/api/identity/me", who=name).json()["team"]) for name in STAFF}
    expect(teams["andrew"] == 8 and teams["nancy"] == 4 and teams["jane"] == 1, f"the reporting lines are wrong: {teams}")
    story.say("Eight people signed in, each with password and one-time code. A guess was refused.")
    story.say(
        f"Reporting lines: Andrew leads {teams['andrew'] - 1}, Nancy {teams['nancy'] - 1}, Michael {teams['michael'] - 1}."
    )
    story.facts["staff"] = {"signed_in": len(STAFF), "guess_refused": answer.status_code}


# 2 -------------------------------------------------------------------------------------------------------------------


def customers(story: Story) -> None:
    """Fifty-nine customers come in; columns without a purpose stay out."""
    found = story.stage.ask(
        "POST", "/api/customers/imports", who="nancy", purpose="import",
        content=(CHINOOK / "customer.csv").read_bytes(), headers={"Content-Type": "text/csv"},
    ).json()  # fmt: skip
    story.facts["import"] = found
    rows = found.get("rows", found.get("created", 0))
    refused = found.get("refused_columns", [])
    expect(bool(refused), "the import refused no column")
    story.say(f"{rows} rows read. Refused, because no purpose needs them: {', '.join(refused)}.")


# 3 -------------------------------------------------------------------------------------------------------------------


def _visible(story: Story, who: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor = ""
    while True:
        params = {"cursor": cursor} if cursor else {}
        answer = story.stage.ask("GET", "/api/customers", who=who, purpose="support", params=params, good=(200, 403))
        if answer.status_code == 403:
            return []
        body = answer.json()
        found += body["items"]
        cursor = body.get("next") or body.get("cursor") or ""
        if not cursor:
            return found


def sight(story: Story) -> None:
    """Jane sees her own customers, not Margaret's; her manager sees all; IT sees none."""

    def all_there() -> dict[str, list[dict[str, Any]]] | None:
        seen = {name: _visible(story, name) for name in ("jane", "margaret", "steve")}
        return seen if sum(len(rows) for rows in seen.values()) >= CUSTOMERS - 1 else None

    seen = until("the customers reach their agents", all_there)
    seen |= {name: _visible(story, name) for name in ("nancy", "robert")}
    ids = {name: {row["id"] for row in rows} for name, rows in seen.items()}
    expect(not ids["jane"] & ids["margaret"], "Jane sees customers of Margaret's")
    expect(ids["nancy"] >= ids["jane"] | ids["margaret"] | ids["steve"], "Nancy does not see both teams")
    expect(not ids["robert"], "IT sees customers")
    theirs = next(iter(ids["margaret"]))
    story.stage.ask("GET", f"/api/customers/{theirs}", who="jane", purpose="support", good=(403, 404))
    counts = {name: len(found) for name, found in ids.items()}
    story.facts["sight"] = counts
    agents = ", ".join(f"{name.title()} {counts[name]}" for name in ("jane", "margaret", "steve"))
    story.say(f"They see: {agents}; their manager Nancy all {counts['nancy']}; IT none.")
    sample = next(iter(seen["jane"]))
    masked = [str(value) for value in _texts(sample) if "•" in value or "*" in value]
    if masked:
        story.say(f"What her purpose does not need is masked, like {masked[0]}. Every look is an event.")


def _texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for one in value.values() for text in _texts(one)]
    if isinstance(value, list):
        return [text for one in value for text in _texts(one)]
    return [value] if isinstance(value, str) else []


# 4 -------------------------------------------------------------------------------------------------------------------


def billing(story: Story) -> None:
    """Another team's service publishes its invoices; they are in the log."""

    def logged() -> int | None:
        total = 0
        for shard in story.stage.ask("GET", "/log/shards", good=(200, 503)).text.split():
            if "billing.events" in shard:
                answer = story.stage.ask("GET", f"/log/{shard.removeprefix('/log/').strip('/')}/checkpoint", good=(200, 404))
                total += int(answer.text.splitlines()[1]) if answer.status_code == 200 else 0
        return total if total >= 412 else None

    total = until("412 invoices of the foreign service in the log", logged)
    story.facts["billing"] = {"entries": total}
    story.say(f"`billing` published 412 invoices; the log holds {total} entries of its topic, sealed.")


# 5 -------------------------------------------------------------------------------------------------------------------


def _prove(story: Story, browser: httpx.Client, right: str) -> str:
    """Ask on the public page, read the code from the mail, type it. The path of the request's own page."""
    asked_at = datetime.now(UTC).isoformat(timespec="seconds")
    answer = browser.post("/", data={"right": right, "email": LUIS, "lang": "en"})
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


# 6 -------------------------------------------------------------------------------------------------------------------


def backup(story: Story) -> None:
    """A backup is taken while Luís is still known."""
    begun = story.stage.ask("POST", "/api/backup/sets", who="michael").json()
    story.backup_id = begun["id"]

    def taken() -> dict[str, Any] | None:
        row: dict[str, Any] = story.stage.ask("GET", f"/api/backup/sets/{story.backup_id}", who="michael").json()
        expect(row["state"] != "failed", f"the backup failed: {row.get('failure')}")
        return row if row["state"] not in ("begun", "taking", "started", "running") and row.get("bytes") else None

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
    ids = {row["id"] for row in _visible(story, "jane")}
    story.facts["after_erasure"] = len(ids)
    story.say(f"Jane sees {len(ids)} customers now. The certificate was checked offline: {path}")


# 7 -------------------------------------------------------------------------------------------------------------------


def drill(story: Story) -> None:
    """The backup from before is restored elsewhere: everyone is there but him."""
    begun = story.stage.ask("POST", "/api/backup/drills", who="michael", json={"backup_id": story.backup_id}).json()

    def done() -> dict[str, Any] | None:
        row: dict[str, Any] = story.stage.ask("GET", f"/api/backup/drills/{begun['id']}", who="michael").json()
        return row if row.get("finished") else None

    row = until("the drill", done)
    expect(row["state"] == "passed", f"the drill ended as {row['state']}: {row.get('checks')}")
    story.facts["drill"] = row
    story.say(f"Restored into a scratch server, with {row['erasures']} erasures replayed before any reading: {row['state']}.")
    for name, result in (row["checks"] or {}).items():
        story.say(f"  {name}: {result if not isinstance(result, dict | list) else json.dumps(result)}")


# 8 -------------------------------------------------------------------------------------------------------------------


def verify(story: Story) -> None:
    """Every entry, tile and signature is checked; one flipped byte in a copy is found and named."""
    _, printed = story.stage.run("audit", "verify")
    story.say(printed.strip().splitlines()[-1])
    found = flip.in_a_copy(story.stage)
    story.facts["verify"] = {"clean": True, "flipped": found}
    story.say(f"One byte flipped in a copy of the log is found: {found}")


STEPS: tuple[tuple[str, Callable[[Story], None]], ...] = (
    ("Eight employees become users", staff),
    ("Fifty-nine customers come in", customers),
    ("Who sees whom", sight),
    ("Another team's service joins", billing),
    ("Luís asks what is held about him", access),
    ("Luís asks to be forgotten", erasure),
    ("A backup from before, restored", drill),
    ("The log is checked", verify),
)


def tell(state: State, as_json: bool) -> int:
    """Exit code."""
    story = Story(Stage(state), Console(highlight=False, quiet=as_json))
    began = time.monotonic()
    done: list[dict[str, Any]] = []
    for number, (title, step) in enumerate(STEPS, 1):
        story.console.print(f"\n[bold]{number}. {title}[/]")
        started = time.monotonic()
        try:
            step(story)
        except (StoryError, httpx.HTTPError, KeyError, ValueError, OSError) as error:
            said = str(error) if isinstance(error, StoryError) else f"{type(error).__name__}: {error}"
            story.console.print(f"   [red]✗ {said}[/]")
            if as_json:
                print(json.dumps({"passed": False, "step": number, "error": said, "steps": done}))
            return int(Exit.FAILED)
        done.append({"step": number, "title": title, "seconds": round(time.monotonic() - started, 1)})
    if as_json:
        print(json.dumps({"passed": True, "steps": done, "facts": story.facts, "origin": story.stage.origin}))
    _where_to_look(story, time.monotonic() - began)
    return int(Exit.OK)


def _where_to_look(story: Story, seconds: float) -> None:
    origin = story.stage.origin
    story.console.print(f"\n[bold green]All eight steps happened[/] in {seconds:.0f} s. Kept is running:\n")
    for path, what in (
        ("/", "the portal, for anyone whose data it is"),
        ("/mail", "the e-mails that were sent"),
        ("/customers", "customers (sign in as jane, margaret or nancy)"),
        ("/approvals", "what waits for two people (nancy, andrew)"),
        ("/audit", "who looked at whom"),
        ("/backups", "backups and drills (michael)"),
        ("/log/shards", "the log, for any C2SP client"),
    ):
        story.console.print(f"  {origin}{path:<12} {what}")
    story.console.print(
        "\nSign in at /signin with what [bold]kept demo code jane[/] prints; stop everything with [bold]kept down[/]."
    )
