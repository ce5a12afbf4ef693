"""Steps 1 to 4 of the story: people, records, who sees whom, another team's service."""

import time
from typing import Any

from deploy.local.stage import Story, expect, until
from deploy.local.state import REPOSITORY

CHINOOK = REPOSITORY / "examples" / "chinook"
STAFF = ("andrew", "nancy", "jane", "margaret", "steve", "michael", "robert", "laura")
CUSTOMERS = 59
INVOICES = 412


# -- step 1


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


# -- step 2


def customers(story: Story) -> None:
    """Fifty-nine customers come in; columns without a purpose stay out."""
    file = (CHINOOK / "customer.csv").read_bytes()

    def taken() -> dict[str, Any] | None:
        """None while nobody there knows yet who the representatives are: that comes over the bus."""
        answer = story.stage.ask(
            "POST", "/api/customers/imports", who="nancy", purpose="import", content=file,
            headers={"Content-Type": "text/csv"}, good=(201, 422),
        )  # fmt: skip
        found: dict[str, Any] = answer.json()
        expect(answer.status_code != 422 or found.get("field") == "SupportRepId", str(found.get("detail")))
        return None if answer.status_code == 422 else found

    found = until("the staff directory", taken)
    story.facts["import"] = found
    refused = found["refused_columns"]
    expect(found["rows"] == CUSTOMERS, f"{found['rows']} rows instead of {CUSTOMERS}")
    expect(bool(refused), "the import refused no column")
    story.say(f"{found['created']} customers created, {found['already_there']} were there already.")
    if found["forgotten"]:
        story.say(f"{found['forgotten']} was forgotten when this was told before: an old file brings nobody back.")
    story.say(f"Refused, because no purpose is known for them: {', '.join(refused)}.")


# -- step 3


def visible(story: Story, who: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor = ""
    while True:
        params = {"limit": "200"} | ({"cursor": cursor} if cursor else {})
        answer = story.stage.ask("GET", "/api/customers", who=who, purpose="support", params=params, good=(200, 403))
        if answer.status_code == 403:
            return []
        body = answer.json()
        found += body["items"]
        cursor = body["next"] or ""
        if not cursor:
            return found


def sight(story: Story) -> None:
    """Jane sees her own customers, not Margaret's; her manager sees all; IT sees none."""

    def all_there() -> dict[str, list[dict[str, Any]]] | None:
        seen = {name: visible(story, name) for name in ("jane", "margaret", "steve")}
        return seen if sum(len(rows) for rows in seen.values()) >= CUSTOMERS - 1 else None

    seen = until("the customers reach their agents", all_there)
    seen |= {name: visible(story, name) for name in ("nancy", "robert")}
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
    fields = seen["jane"][0]["fields"]
    levels = {level: [name for name, one in fields.items() if one["level"] == level] for level in ("clear", "masked", "hidden")}
    story.say("For her purpose: " + "; ".join(f"{level}: {', '.join(names)}" for level, names in levels.items() if names) + ".")
    story.say("Each of these looks is an event in the log: who, whose, which fields, why, by which rule.")


# -- step 4


def billing(story: Story) -> None:
    """Another team's service publishes its invoices; they are in the log."""

    def logged() -> int | None:
        total = 0
        for shard in story.stage.ask("GET", "/log/shards", good=(200, 503)).text.split():
            if "billing.events" in shard:
                answer = story.stage.ask("GET", f"/log/{shard.removeprefix('/log/').strip('/')}/checkpoint", good=(200, 404))
                total += int(answer.text.splitlines()[1]) if answer.status_code == 200 else 0
        return total if total >= INVOICES else None

    total = until(f"{INVOICES} invoices of the foreign service in the log", logged)
    story.facts["billing"] = {"entries": total}
    story.say(f"`billing` published {INVOICES} invoices; the log holds {total} entries of its topic, sealed.")
