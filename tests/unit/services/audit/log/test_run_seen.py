"""A whole log verified against what was seen of it before, and against what its ledger says of its shards."""

import asyncio
import base64
import json
from pathlib import Path

import pytest

from services.audit.log.checkpoint import Checkpoint
from services.audit.log.entry import Entry, Kind, Place, encode
from services.audit.log.run import Report
from services.audit.log.seen import Seen
from shared.notes.note import LocalSigner, sign_note
from tests.support.synthetic import SHARD, write_log
from tests.unit.services.audit.log.test_run import LEDGER, flip, grown, verified

# -- what was seen ----------------------------------------------------------------------------------------------


def kinds(report: Report) -> list[tuple[str, str]]:
    return [(f.kind, f.detail.partition(":")[0].partition(" 3")[0]) for f in report.faults]


def test_the_first_look_says_so_and_the_next_compares(tmp_path: Path) -> None:
    seen = Seen(tmp_path / "seen")
    assert "first look" in verified(grown(tmp_path, 300), tmp_path, seen=seen).notices[0]
    assert verified(grown(tmp_path, 900), tmp_path, seen=seen) == verified(grown(tmp_path, 900), tmp_path)
    assert kinds(verified(grown(tmp_path, 700), tmp_path, seen=seen)) == [
        ("seen", "900 entries were seen before; now the log has 700")
    ]


def test_another_history_is_found(tmp_path: Path) -> None:
    seen = Seen(tmp_path / "seen")
    verified(grown(tmp_path, 300), tmp_path, seen=seen)
    report = verified(grown(tmp_path, 900, base=1), tmp_path, seen=seen)
    assert kinds(report) == [("seen", "another history")]
    assert verified(grown(tmp_path, 900), tmp_path, seen=seen).whole  # what is faulty was not remembered


def test_a_damaged_tile_is_not_taken_for_another_history(tmp_path: Path) -> None:
    seen = Seen(tmp_path / "seen")
    verified(grown(tmp_path, 300), tmp_path, seen=seen)
    tile = grown(tmp_path, 900) / SHARD / "tile/1/000.p/3"
    tile.write_bytes(bytes(32) + tile.read_bytes()[32:])
    report = verified(tmp_path / "log", tmp_path, seen=seen)
    assert [f.kind for f in report.faults] == ["tile"]
    assert "another history" in report.notices[0]


def test_a_checkpoint_from_elsewhere(tmp_path: Path) -> None:
    note = (grown(tmp_path, 300) / SHARD / "checkpoint").read_bytes()
    assert verified(grown(tmp_path, 900), tmp_path, given=[note]).whole
    assert kinds(verified(grown(tmp_path, 900, base=5), tmp_path, given=[note])) == [("seen", "another history")]
    assert [f.file for f in verified(grown(tmp_path, 900), tmp_path, given=[b"no checkpoint"]).faults] == ["shards"]


def test_a_memory_under_other_keys(tmp_path: Path) -> None:
    seen, root = Seen(tmp_path / "seen"), grown(tmp_path, 300)
    origin = f"bench.local/log/{SHARD}"
    other = asyncio.run(sign_note(Checkpoint(origin, 5, bytes(32)).text(), LocalSigner(origin, b"\x01" * 32)))
    seen.remember(origin, other.encode())
    report = verified(root, tmp_path, seen=seen, pinned=True)
    assert [f.kind for f in report.faults] == ["seen"]
    report = verified(root, tmp_path, seen=seen)
    assert report.whole
    assert "not of these keys" in report.notices[0]


def test_a_strange_origin_is_one_file_name(tmp_path: Path) -> None:
    seen = Seen(tmp_path / "seen")
    for origin in ("../../etc/x", "..", "a/b", "x" * 500, "é/~"):
        seen.remember(origin, b"note")
        assert seen.last(origin) == b"note"
    assert {p.parent for p in (tmp_path / "seen").rglob("*")} == {tmp_path / "seen"}


# -- the ledger -------------------------------------------------------------------------------------------------


def ledger(root: Path, claims: list[dict[str, object]]) -> None:
    """A second shard, of the audit service's own events, with one ledger entry."""
    event = (("ce_type", b"kept.audit.ledger.recorded.v1"),)
    value = json.dumps({"shards": claims}).encode()
    keys = (root / "keys").read_text()
    entry = encode(Entry(Kind.RECORD, Place("kept.audit", 0, 0, 1), event, None, value))
    write_log(root, 1, shard=LEDGER, entry=lambda _: entry)
    (root / "keys").write_text(keys + (root / "keys").read_text())
    (root / "shards").write_text(f"{LEDGER}\n{SHARD}\n")


def root_at(tmp_path: Path, size: int) -> str:
    write_log(tmp_path / "other", size, entry=lambda i: encode(Entry(Kind.GAP, Place("bench", 0, i, -1))))
    return (tmp_path / "other" / SHARD / "checkpoint").read_text().split("\n")[2]


@pytest.mark.parametrize(
    ("size", "of", "wrong"),
    [(300, 300, ""), (900, 900, ""), (0, 0, ""), (300, 299, "saw another"), (901, 900, "saw bench/0 with 901 entries")],
)
def test_what_the_ledger_says_of_a_shard(tmp_path: Path, size: int, of: int, wrong: str) -> None:
    root = grown(tmp_path, 900)
    said = (
        root_at(tmp_path, of)
        if of
        else base64.b64encode(bytes.fromhex("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")).decode()
    )
    ledger(root, [{"shard": SHARD, "size": size, "root": said}])
    report = verified(root, tmp_path)
    assert [(f.file, f.kind, f.index) for f in report.faults] == (
        [(f"{LEDGER}/tile/entries/000.p/1", "ledger", 0)] if wrong else []
    )
    assert not wrong or wrong in report.faults[0].detail


@pytest.mark.parametrize(("name", "at", "kind"), [("checkpoint", 20, "checkpoint"), ("tile/0/000", 40, "tile")])
def test_a_damaged_shard_is_named_and_the_ledger_that_speaks_of_it_is_not(
    tmp_path: Path, name: str, at: int, kind: str
) -> None:
    root = grown(tmp_path, 900)
    ledger(root, [{"shard": SHARD, "size": 100, "root": root_at(tmp_path, 100)}])
    assert verified(root, tmp_path).whole
    flip(root, name, at)
    assert [(f.file, f.kind) for f in verified(root, tmp_path).faults] == [(f"{SHARD}/{name}", kind)]


def test_a_damaged_entry_excuses_nothing(tmp_path: Path) -> None:
    """The tiles are whole, so what the ledger says can be compared, and is."""
    root = grown(tmp_path, 900)
    ledger(root, [{"shard": SHARD, "size": 300, "root": root_at(tmp_path, 299)}])
    flip(root, "tile/entries/000", 30)
    assert sorted(f.kind for f in verified(root, tmp_path).faults) == ["entries", "ledger"]


def test_a_shard_that_the_ledger_knows_and_the_log_hides(tmp_path: Path) -> None:
    root = grown(tmp_path, 900)
    ledger(root, [{"shard": "gone/0", "size": 1, "root": base64.b64encode(bytes(32)).decode()}])
    assert [f.kind for f in verified(root, tmp_path).faults] == ["ledger"]


@pytest.mark.parametrize("claim", [{}, {"shard": SHARD, "size": "1", "root": ""}, {"shard": SHARD, "size": 1, "root": "AAAA"}])
def test_a_ledger_entry_that_cannot_be_read(tmp_path: Path, claim: dict[str, object]) -> None:
    root = grown(tmp_path, 900)
    ledger(root, [claim])
    assert [(f.kind, f.index) for f in verified(root, tmp_path).faults] == [("entries", 0)]
