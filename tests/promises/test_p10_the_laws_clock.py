"""P10. The law's clock is data: deadlines stand in reviewed files with article numbers, and the software keeps them."""

import ast
from datetime import UTC, date, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from services.dsar import law
from services.dsar.law.jurisdiction import holidays_of
from services.dsar.law.model import Law, Right, deadline
from tests.support.insider import Insider
from tests.support.platform import Platform
from tests.support.portal import Person
from tests.support.staff import signed_in
from tests.support.topic import told

RECEIVED = datetime(2026, 11, 24, 12, tzinfo=UTC)
ROOM = Path(law.__file__).parents[1]


@pytest.mark.parametrize("name", sorted(law.load()))
def test_each_law_has_its_clock_its_article_its_source_and_its_review(name: str) -> None:
    one = law.load()[name]
    assert one.source.startswith("http") and one.computing_source and one.reviewer and one.reviewed_on
    assert one.duty_for("access"), "every law gives access"
    for duty in one.duty:
        assert duty.article and duty.clock and duty.seen


def day_of(instant: datetime | None, zone: str) -> date | None:
    """The last day on which an answer is in time: `instant` is the first moment after it, a midnight there."""
    if instant is None:
        return None
    there = instant.astimezone(ZoneInfo(zone))
    assert (there.hour, there.minute, there.second) == (0, 0, 0), "a period ends with the last hour of its day"
    return there.date() - timedelta(days=1)


# Counted by hand on a calendar: received 25 November 2026 at noon UTC, the day before Thanksgiving; in its last days lie
# Christmas (a Friday), St Stephen's (a Saturday; observed on the Monday in England alone) and a Sunday.
@pytest.mark.parametrize(
    ("name", "last", "extended"),
    [
        ("eu-gdpr", date(2026, 12, 28), date(2027, 2, 25)),  # a month; three in all
        ("uk-gdpr", date(2026, 12, 29), date(2027, 2, 25)),
        ("us-ca-ccpa", date(2027, 1, 9), date(2027, 2, 23)),  # 45 and 90 days, a Saturday counts
        ("us-hipaa", date(2026, 12, 25), date(2027, 1, 24)),  # 30 and 60 days, Christmas and a Sunday count
        ("cn-pipl", date(2026, 12, 25), None),  # 30 days, no extension
        ("ca-pipeda", date(2026, 12, 25), date(2027, 1, 24)),
        ("ca-qc-p391", date(2026, 12, 25), None),
        ("br-lgpd", date(2026, 12, 10), None),  # 15 days
        ("ch-fadp", date(2026, 12, 25), None),
        ("au-app", date(2026, 12, 25), None),  # the 25th, 23:00, in Sydney
        ("us-va-vcdpa", date(2027, 1, 9), date(2027, 2, 23)),
        ("us-co-cpa", date(2027, 1, 9), date(2027, 2, 23)),
        ("us-tx-tdpsa", date(2027, 1, 9), date(2027, 2, 23)),
    ],
)
def test_the_last_day_is_the_one_that_the_law_says(name: str, last: date, extended: date | None) -> None:
    one = law.load()[name]
    for right in ("access", "erasure"):
        found = deadline(one, right, datetime(2026, 11, 25, 12, tzinfo=UTC), holidays_of(one.calendar))
        if found is None:
            assert right == "erasure" and name in ("us-hipaa", "ca-pipeda", "ch-fadp", "au-app"), (
                f"{name} knows no {right} any more"
            )
            continue
        zone = one.calendar.zone
        assert (day_of(found.due, zone), day_of(found.extended, zone)) == (last, extended), f"{name}, {right}"


@pytest.mark.platform
@pytest.mark.parametrize(
    ("right", "place", "law_id"),
    [("access", "CA-QC", "ca-qc-p391"), ("erasure", "US-CA", "us-ca-ccpa"), ("access", "", "eu-gdpr")],
)
async def test_the_running_service_keeps_the_files_clock(platform: Platform, right: Right, place: str, law_id: str) -> None:
    """What event and desk say is what the files say of the moment of receipt, and nobody extends it beyond."""
    person = Person(platform.origin, f"clock.{right}.{law_id}@example.org")
    person.ask(right, place=place)
    with signed_in(platform, "andrew") as officer:
        items = officer.get("/api/dsar/requests").raise_for_status().json()["items"]
        shown = next(one for one in items if one["id"] == person.request_id)
        book = law.load()
        kept = deadline(book[law_id], right, datetime.fromisoformat(shown["received"]), holidays_of(book[law_id].calendar))
        assert kept is not None
        last = day_of(kept.due, book[kept.law].calendar.zone)
        assert (shown["law"], shown["article"], date.fromisoformat(shown["due"])) == (kept.law, kept.article, last)

        with Insider(platform.state, "dsar").connect("dsar") as connection:
            clock = connection.execute("SELECT due_at, latest_at FROM requests WHERE id = %s", (person.request_id,)).fetchone()
        assert clock == (kept.due, kept.extended), "to the instant: what reminds and what is late go by it"
        kind = "kept.dsar.request.received.v1"
        (mine,) = await told(platform.state, kind, "kept.dsar", lambda e: e.data["request_id"] == person.request_id)
        assert (mine.data["law"], datetime.fromisoformat(mine.data["due"])) == (kept.law, kept.due)

        again = 1 if kept.extended else 0  # as often as the law allows an extension, and not once more
        answers = [
            officer.post(f"/desk/{person.request_id}/extend", data={"reason": "complex"}, headers={"Origin": platform.origin})
            for _ in range(2)
        ]
        assert [one.status_code for one in answers] == [303, 409] if again else [409, 409], f"{kept.law}: {again} extension"


@pytest.mark.parametrize("right", ["access", "erasure"])
def test_change_the_file_and_the_deadline_changes(right: Right) -> None:
    text = (files("services.dsar.law") / "us-ca-ccpa.toml").read_text(encoding="utf-8")
    old = law.parse(text, "us-ca-ccpa.toml")[-1]
    new = law.parse(text.replace("within = { days = 45 }", "within = { days = 10 }"), "us-ca-ccpa.toml")[-1]

    def due(one: Law) -> datetime:
        found = deadline(one, right, RECEIVED, holidays_of(one.calendar))
        assert found is not None
        return found.due

    assert due(old) - due(new) == timedelta(days=35)


def test_no_deadline_is_written_in_code() -> None:
    """30, 45, 60, 90 or 72 near a law: only the files say them. By name or by position: `timedelta(30)` says days too."""
    found = []
    for path in [*ROOM.glob("requests/*.py"), *ROOM.glob("saga/*.py"), *ROOM.glob("law/*.py"), *ROOM.glob("desk/*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("timedelta", "Period")):
                said = [*node.args, *(one.value for one in node.keywords if one.arg in ("days", "weeks", "hours"))]
                found += [
                    f"{path.name}:{one.lineno}"
                    for one in said
                    if isinstance(one, ast.Constant) and one.value in (30, 31, 45, 60, 72, 90)
                ]
    assert not found, f"a law's period stands in code: {found}"
