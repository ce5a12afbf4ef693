"""A whole log verified: in processes, resumed, against what was seen before, and with its ledger."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.audit.log import paths
from services.audit.log.bundles import encode as bundle
from services.audit.log.bundles import parse
from services.audit.log.entry import Entry, Kind, Place, encode
from services.audit.log.run import FAULTS_MAX, Options, Report, verify_log
from services.audit.log.sources import opened
from services.audit.log.span import LEAVES
from services.audit.log.tree import leaf_hash, root_of
from services.audit.log.trust import Trust
from services.audit.log.verify import vkeys
from tests.support.synthetic import SHARD, write_log

SIZE = 2 * LEAVES + 700
WIDTH = paths.WIDTH
LEDGER = "kept.audit/0"


def small(index: int) -> bytes:
    return encode(Entry(Kind.GAP, Place("bench", 0, 7 + index, -1)))


def grown(tmp_path: Path, size: int, base: int = 0) -> Path:
    write_log(tmp_path / "log", size, entry=lambda i: encode(Entry(Kind.GAP, Place("bench", 0, base + i, -1))))
    return tmp_path / "log"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three spans. Tests take it through `log`, which undoes what they change."""
    root = tmp_path_factory.mktemp("log")
    write_log(root, SIZE, entry=small)
    return root


@pytest.fixture
def log(whole: Path) -> Iterator[Path]:
    """The three spans, and whatever a test does to their files undone."""
    CHANGED.clear()
    yield whole
    for path, data in CHANGED.items():
        path.write_bytes(data)


CHANGED: dict[Path, bytes] = {}  # what files held before a test changed them


def flip(root: Path, name: str, at: int) -> None:
    path = root / SHARD / name
    CHANGED.setdefault(path, path.read_bytes())
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def overwrite(root: Path, name: str, data: bytes) -> None:
    path = root / SHARD / name
    CHANGED.setdefault(path, path.read_bytes())
    path.write_bytes(data)


def verified(root: Path, tmp_path: Path, workers: int = 1, **more: object) -> Report:
    options = Options(workers=workers, resume_dir=tmp_path / "resume", **more)  # type: ignore[arg-type]  # passed on
    return verify_log(str(root), Trust.of(vkeys(opened(str(root)))), options)


def named(report: Report) -> list[tuple[str, str, int]]:
    return sorted((f.file.removeprefix(f"{SHARD}/"), f.kind, f.index) for f in report.faults)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_whole_log(log: Path, tmp_path: Path, workers: int) -> None:
    report = verified(log, tmp_path, workers)
    assert (report.whole, report.entries, report.passed) == (True, SIZE, 0)
    assert list((tmp_path / "resume").iterdir()) == []  # a run that came to its end leaves nothing to go on from


@pytest.mark.parametrize("workers", [1, 2])
def test_faults_of_every_level_at_once_are_each_named(log: Path, tmp_path: Path, workers: int) -> None:
    flip(log, "tile/entries/003", 30)
    flip(log, "tile/0/400", 32 * 9)
    flip(log, "tile/1/000", 32 * 17)
    flip(log, "tile/2/000.p/2", 33)
    flip(log, "tile/0/514.p/188", 32 * 100)
    assert named(verified(log, tmp_path, workers)) == [
        ("tile/0/400", "tile", 400 * 256 + 9),
        ("tile/0/514.p/188", "tile", 514 * 256 + 100),
        ("tile/1/000", "tile", 17 * 256),
        ("tile/2/000.p/2", "tile", LEAVES),
        ("tile/entries/003", "entries", 3 * 256),
    ]


def test_an_item_wrong_at_three_levels_is_still_found(log: Path, tmp_path: Path) -> None:
    """Tiles of levels 0, 1 and 2 over the same leaf: only the entries are left to say who is right."""
    flip(log, "tile/0/000", 0)
    flip(log, "tile/1/000", 0)
    flip(log, "tile/2/000.p/2", 0)
    assert named(verified(log, tmp_path)) == [
        ("tile/0/000", "tile", 0),
        ("tile/1/000", "tile", 0),
        ("tile/2/000.p/2", "tile", 0),
    ]


def test_a_first_entry_at_a_wrong_offset_does_not_blame_the_others(log: Path, tmp_path: Path) -> None:
    flip(log, "tile/entries/000", 2 + 4 + len("bench") + 4 + 7)
    assert named(verified(log, tmp_path)) == [("tile/entries/000", "entries", 0)]


def forge(root: Path, index: int, levels: int) -> list[str]:
    """Another entry in the place of `index`, and the tiles over it, up to `levels` of them, made to say so: what an insider
    would do. The files that are forged, from the bottom up."""
    width = lambda level, n: min(WIDTH, SIZE // WIDTH**level - n * WIDTH)  # noqa: E731
    n = index // WIDTH
    forged = [paths.bundle(n, width(0, n))]
    entries = parse((root / SHARD / forged[0]).read_bytes())
    entries[index % WIDTH] = encode(Entry(Kind.GAP, Place("bench", 0, 7 + index, 1_700_000_000_000)))
    overwrite(root, forged[0], bundle(entries))
    hashes = [leaf_hash(entry) for entry in entries]
    for level in range(levels):
        if level:
            below, n = n, n // WIDTH
            raw = (root / SHARD / paths.tile(level, n, width(level, n))).read_bytes()
            items = [raw[at : at + 32] for at in range(0, len(raw), 32)]
            items[below % WIDTH] = root_of(hashes)
            hashes = items
        forged.append(paths.tile(level, n, width(level, n)))
        overwrite(root, forged[-1], b"".join(hashes))
    return forged


@pytest.mark.parametrize(
    ("index", "levels", "named_of_them"),
    [
        pytest.param(300, 0, (0,), id="alone"),
        pytest.param(300, 1, (0, 1), id="with its tile"),
        pytest.param(300, 2, (2,), id="with two levels"),
        pytest.param(300, 3, (), id="with all levels"),
        pytest.param(2 * LEAVES + 100, 1, (0, 1), id="in the last span, with its tile"),
        pytest.param(2 * LEAVES + 600, 0, (0,), id="in the last bundle, alone"),
        pytest.param(2 * LEAVES + 600, 1, (), id="in the last bundle, with its tile"),
    ],
)
def test_an_entry_that_was_forged_with_the_tiles_over_it(
    log: Path, tmp_path: Path, index: int, levels: int, named_of_them: tuple[int, ...]
) -> None:
    """Entries and tiles agree, and only what is signed says that they are not what it covers."""
    forged = forge(log, index, levels)
    expected = sorted(forged[n] for n in named_of_them) or ["checkpoint"]
    assert [file for file, _, _ in named(verified(log, tmp_path))] == expected


def test_faults_beyond_the_limit_are_counted(log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.audit.log.run.FAULTS_MAX", 3)
    for n in range(5):
        flip(log, f"tile/entries/{n:03d}", 30)
    report = verified(log, tmp_path)
    assert (len(report.faults), report.uncounted, FAULTS_MAX) == (3, 2, 10_000)


def test_faults_of_several_shards_beyond_the_limit_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.audit.log.run.FAULTS_MAX", 3)
    root = grown(tmp_path, 900)
    key = write_log(root, 900, shard="other/0", entry=lambda i: encode(Entry(Kind.GAP, Place("other", 0, i, -1))))
    (root / "keys").write_text(f"{key}\n{(grown(tmp_path, 900) / 'keys').read_text()}")
    (root / "shards").write_text(f"{SHARD}\nother/0\n")
    for shard in (SHARD, "other/0"):
        for n in range(2):
            file = root / shard / f"tile/entries/{n:03d}"
            file.write_bytes(file.read_bytes()[:-1] + b"\0")
    report = verified(root, tmp_path)
    assert (len(report.faults), report.uncounted) == (3, 1)


# -- going on ---------------------------------------------------------------------------------------------------


class Stop(Exception):
    pass


def interrupted(root: Path, tmp_path: Path) -> None:
    """A run that ends after its first span."""

    def moved(_: str, done: int, __: int) -> None:
        if done >= LEAVES:
            raise Stop

    with pytest.raises(Stop):
        verify_log(str(root), Trust.of(vkeys(opened(str(root)))), Options(workers=1, resume_dir=tmp_path / "resume"), moved)


def test_an_interrupted_run_goes_on(log: Path, tmp_path: Path) -> None:
    interrupted(log, tmp_path)
    flip(log, "tile/entries/000", 30)  # not read again ...
    report = verified(log, tmp_path)
    assert (report.whole, report.passed) == (True, LEAVES)
    assert not verified(log, tmp_path).whole  # ... until the next run, which begins anew


def test_afresh_does_not_go_on(log: Path, tmp_path: Path) -> None:
    interrupted(log, tmp_path)
    assert verified(log, tmp_path, afresh=True).passed == 0


def test_a_log_that_was_made_anew_is_not_gone_on_with(log: Path, tmp_path: Path) -> None:
    """The same place and keys, other entries: what the interrupted run found is not what is signed now."""
    other = tmp_path / "log"
    write_log(other, SIZE, entry=lambda i: encode(Entry(Kind.GAP, Place("bench", 0, 9 + i, -1))))
    interrupted(other, tmp_path)
    write_log(other, SIZE, entry=small)
    assert verified(other, tmp_path).passed == 0


def test_a_log_with_other_entries_under_the_same_offsets_is_not_gone_on_with(log: Path, tmp_path: Path) -> None:
    """What was passed over must be what is signed now: the hashes that its entries were held against say so."""
    other = tmp_path / "log"
    write_log(other, SIZE, entry=lambda i: encode(Entry(Kind.GAP, Place("bench", 0, 7 + i, 1))))
    interrupted(other, tmp_path)
    write_log(other, SIZE, entry=small)
    assert verified(other, tmp_path).passed == 0


def test_a_span_that_was_faulty_is_looked_at_again(log: Path, tmp_path: Path) -> None:
    flip(log, "tile/entries/000", 30)
    interrupted(log, tmp_path)
    report = verified(log, tmp_path)
    assert (report.passed, named(report)) == (0, [("tile/entries/000", "entries", 0)])


@pytest.mark.parametrize("junk", ["", "{", "[]", '{"bench/0": 5}', '{"bench/0": {"spans": "x", "over": 1, "base": 7}}'])
def test_a_progress_file_of_anything_else_is_as_none(log: Path, tmp_path: Path, junk: str) -> None:
    interrupted(log, tmp_path)
    (file,) = (tmp_path / "resume").iterdir()
    file.write_text(junk)
    report = verified(log, tmp_path)
    assert (report.whole, report.passed) == (True, 0)


def test_processes_are_gone_afterwards(log: Path, tmp_path: Path) -> None:
    verified(log, tmp_path, 2)
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)
