"""What differs between broker, log and index, by the rule alone."""

from aiokafka import TopicPartition as At
from hypothesis import given
from hypothesis import strategies as st

from services.audit.index.reconcile import Gaps, Range, ShardSize, compare


def shard(topic: str, base: int, published: int, indexed: int | None = None, generation: int = 1) -> ShardSize:
    name = topic if generation == 1 else f"{topic}~{generation}"
    return ShardSize(f"{name}/0", topic, 0, generation, base, published, published if indexed is None else indexed)


def test_in_step() -> None:
    report = compare(r"kept\..*", {At("kept.a", 0): Range(0, 10), At("other", 0): Range(0, 5)}, [shard("kept.a", 0, 10)])
    assert report.in_step and report.outside == ["other"] and not report.missing


def test_everything_that_can_differ_is_named() -> None:
    broker = {At("kept.a", 0): Range(8, 20), At("kept.b", 0): Range(0, 3), At("kept.c", 0): Range(0, 1)}
    shards = [shard("kept.a", 0, 5, 4), shard("kept.b", 0, 9), shard("kept.old", 0, 2), shard("kept.x", 0, 4),
              shard("kept.x", 0, 1, generation=2)]  # fmt: skip
    report = compare(r"kept\..*", broker | {At("kept.x", 0): Range(0, 1)}, shards, [Gaps("kept.a/0", 2, 3, 4)])
    by = {line.topic: line for line in report.lines}
    assert (by["kept.a"].behind, by["kept.a"].lost, by["kept.a"].index_behind) == (15, 3, 1)
    assert by["kept.b"].ahead == 6
    assert (report.missing, report.gone, report.older) == (["kept.c/0"], ["kept.old/0"], ["kept.x/0"])
    assert by["kept.x"].shard == "kept.x~2/0" and not report.in_step and report.asdict()["gaps"][0]["count"] == 2


numbers = st.integers(0, 50)


@given(numbers, numbers, numbers, numbers, numbers)
def test_no_record_is_counted_twice(base: int, published: int, begin: int, more: int, indexed: int) -> None:
    report = compare(".*", {At("t", 0): Range(begin, begin + more)}, [shard("t", base, published, min(indexed, published))])
    line = report.lines[0]
    assert line.behind - line.ahead == begin + more - (base + published)
    assert 0 <= line.lost <= line.behind
    assert report.in_step == (begin + more == base + published and indexed >= published)


def test_what_came_after_we_looked_is_not_ahead() -> None:
    then, now = {At("t", 0): Range(0, 5)}, {At("t", 0): Range(0, 8)}
    report = compare(".*", then, [shard("t", 0, 7)], (), now)
    assert report.in_step and report.lines[0].ahead == 0
    assert compare(".*", then, [shard("t", 0, 9)], (), now).lines[0].ahead == 1
