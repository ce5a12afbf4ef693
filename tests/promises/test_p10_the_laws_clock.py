"""P10. The law's clock is data: deadlines stand in reviewed files with article numbers, and the software keeps them."""

import ast
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path

import pytest

from services.dsar import law
from services.dsar.requests.calendars import governing, holidays_of
from services.dsar.requests.model import Right, deadline

RECEIVED = datetime(2026, 11, 24, 12, tzinfo=UTC)
ROOM = Path(law.__file__).parents[1]


@pytest.mark.parametrize("name", ["eu-gdpr", "uk-gdpr", "us-ca-ccpa", "us-hipaa", "cn-pipl"])
def test_each_law_has_its_clock_its_article_its_source_and_its_review(name: str) -> None:
    one = law.load()[name]
    assert one.source.startswith("http") and one.computing_source and one.reviewer and one.reviewed_on
    assert one.duty_for("access"), "every one of the five laws gives access"
    for duty in one.duty:
        assert duty.article and duty.clock and duty.seen


@pytest.mark.parametrize("right", ["access", "erasure"])
def test_change_the_file_and_the_deadline_changes(right: Right) -> None:
    text = (files("services.dsar.law") / "us-ca-ccpa.toml").read_text(encoding="utf-8")
    old = law.parse(text, "us-ca-ccpa.toml")
    new = law.parse(text.replace("within = { days = 45 }", "within = { days = 10 }"), "us-ca-ccpa.toml")

    def due(one: law.Law) -> datetime:
        found = deadline(one, right, RECEIVED, holidays_of(one.calendar))
        assert found is not None
        return found.due

    assert due(old) - due(new) == timedelta(days=35)


@pytest.mark.parametrize("right", ["access", "erasure"])
def test_whoever_meets_the_deadline_kept_has_met_every_law(right: Right) -> None:
    book = law.load()
    kept = governing(list(book.values()), right, RECEIVED)
    assert kept is not None
    for one in book.values():
        its = deadline(one, right, RECEIVED, holidays_of(one.calendar))
        assert its is None or kept.due <= its.due


def test_no_deadline_is_written_in_code() -> None:
    """30, 45, 60, 90 or 72 near a law: only the files say them."""
    found = []
    for path in [*ROOM.glob("requests/*.py"), *ROOM.glob("saga/*.py"), *ROOM.glob("law/*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.keyword)
                and node.arg in ("days", "weeks", "hours")
                and isinstance(node.value, ast.Constant)
            ):
                found += [f"{path.name}:{node.value.lineno}"] if node.value.value in (30, 31, 45, 60, 72, 90) else []
    assert not found, f"a law's period stands in code: {found}"
