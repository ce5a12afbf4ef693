"""`kept audit verify` over a directory: exit codes, every fault in JSON, and shards that the list hides."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from services.audit.cli import app
from services.audit.log.validity import encode, of, parse
from shared.keys.vault import KeyVersion
from tests.unit.services.audit.log.naive import Memory, MemoryHeads
from tests.unit.services.audit.log.test_shard import KEYS, NAME, START, made, opened


@pytest.fixture
async def root(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
    blobs = Memory()
    await (await opened(blobs, MemoryHeads(START))).append(made(0, 300))
    blobs.files |= {"shards": f"{NAME}\n".encode(), "keys": f"{KEYS[0]}\n".encode()}
    for name, data in blobs.files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    return tmp_path


def verified(root: Path) -> tuple[int, dict[str, object]]:
    done = CliRunner().invoke(app, ["verify", "--dir", str(root), "--json"])
    return done.exit_code, json.loads(done.stdout)


def test_a_whole_log(root: Path) -> None:
    code, said = verified(root)
    assert (code, said["ok"], said["entries"], said["faults"]) == (0, True, 300, [])


def test_an_emptied_bundle_is_named(root: Path) -> None:
    (root / NAME / "tile/entries/000").write_bytes(b"")
    code, said = verified(root)
    assert code == 1
    assert [f["file"] for f in said["faults"]] == [f"{NAME}/tile/entries/000"]  # type: ignore[attr-defined]  # parsed JSON


def test_a_shard_struck_from_the_list_is_found_and_still_verified(root: Path) -> None:
    (root / "shards").write_bytes(b"")
    code, said = verified(root)
    assert (code, said["entries"]) == (1, 300)
    assert [f["file"] for f in said["faults"]] == ["shards"]  # type: ignore[attr-defined]  # parsed JSON


def test_no_log_there(tmp_path: Path) -> None:
    assert verified(tmp_path)[0] == 2


def test_the_keys_with_their_times(root: Path) -> None:
    versions = {n: KeyVersion(bytes([n]) * 32, f"202{n}-01-01T00:00:00Z") for n in (1, 2)}
    (root / "keys.json").write_bytes(encode(of("kept.test/log/a/0", versions)))
    done = CliRunner().invoke(app, ["keys", "--dir", str(root), "--json"])
    said = json.loads(done.stdout)
    assert [(one["valid_from"][:4], one["valid_until"]) for one in said] == [("2021", "2022-01-01T00:00:00Z"), ("2022", None)]
    assert parse((root / "keys.json").read_bytes()) == of("kept.test/log/a/0", versions)


@pytest.mark.parametrize(
    "junk", ["", "{}", "[1]", '[{"name": "a"}]', '[{"name": "a", "vkey": 5, "valid_from": "", "valid_until": null}]']
)
def test_keys_that_cannot_be_read(root: Path, junk: str) -> None:
    (root / "keys.json").write_text(junk)
    done = CliRunner().invoke(app, ["keys", "--dir", str(root), "--json"])
    assert (done.exit_code, json.loads(done.stdout)["code"]) == (2, "malformed")
