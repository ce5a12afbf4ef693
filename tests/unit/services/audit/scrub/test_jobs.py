"""Faults become alarms: one for each shard, at the offsets that they name."""

from services.audit.log.found import Fault
from services.audit.scrub.jobs import alarms

BASES = {"a/0": 0, "a/1": 1000, "a~2/1": 5000}


def fault(file: str, index: int, about: str = "") -> Fault:
    return Fault(file, "entries", index, "wrong", about)


def test_one_alarm_for_each_shard_from_the_first_fault_to_the_last() -> None:
    found = alarms([fault("a/1/tile/entries/000", 7), fault("a/1/tile/0/000", 3), fault("a~2/1/tile/0/000", 1)], BASES)
    assert [(one.shard, one.first, one.last) for one in found] == [("a/1", 1003, 1007), ("a~2/1", 5001, 5001)]
    assert {one.kind for one in found} == {"damaged"}


def test_a_fault_of_a_whole_file_stands_at_the_shards_beginning() -> None:
    assert [(one.shard, one.first) for one in alarms([fault("a/1/checkpoint", -1)], BASES)] == [("a/1", 1000)]


def test_what_is_no_shards_is_told_too() -> None:
    assert [(one.shard, one.first) for one in alarms([fault("shards", -1)], BASES)] == [("shards", 0)]


def test_nothing_wrong_is_no_alarm() -> None:
    assert alarms([], BASES) == []
