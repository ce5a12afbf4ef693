"""Whom a restore from before the horizon leaves out: told once each, with the reason, and none who is not missing."""

from services.backup.cli import WHY, _left_out
from services.backup.drills.checks import left_out as check
from services.backup.restore.left_out import LISTED_MAX, Carried, left_out

ALIVE, BEFORE, SINCE, STRANGER = "sub_alive", "sub_before", "sub_since", "sub_stranger"
CARRIED = Carried(
    had={"customers": {ALIVE, BEFORE, SINCE, STRANGER}, "audit": {SINCE}},
    known={"customers": {ALIVE, BEFORE, SINCE}, "audit": set()},
    shredded={"customers": {BEFORE}, "audit": set()},
)
ERASED = {"customers": {BEFORE, SINCE}, "audit": {SINCE}}


def test_each_is_named_once_with_the_reason() -> None:
    found = left_out(CARRIED, ERASED)
    assert found is not None and (found.erased_since, found.unlisted) == (1, 1)
    assert [(one.subject, one.why, one.holders) for one in found.people] == [
        (SINCE, "erased_since", ["audit", "customers"]),
        (STRANGER, "unlisted", ["customers"]),
    ]
    (said,) = check(found)
    assert said.passed and said.says.startswith("1 erased after the newest drilled set, 1 without")


def test_a_set_with_keys_of_its_own_leaves_nobody_out() -> None:
    assert left_out(Carried(), ERASED) is None and check(None) == []
    assert _left_out({"left_out": None}) == []


def test_all_are_counted_and_not_more_named_than_somebody_reads() -> None:
    many = {f"sub_{n:05}" for n in range(LISTED_MAX + 5)}
    found = left_out(Carried({"audit": many}, {"audit": set()}, {"audit": set()}), {})
    assert found is not None and found.unlisted == LISTED_MAX + 5 and len(found.people) == LISTED_MAX
    lines = _left_out({"left_out": found.model_dump()})
    assert lines[0].startswith(f"  left out: {LISTED_MAX + 5} people") and lines[-1] == "    and 5 more"
    assert lines[1] == f"    sub_00000 (audit): {WHY['unlisted']}"
