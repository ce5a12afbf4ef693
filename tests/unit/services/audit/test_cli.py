"""`kept audit verify` over a directory: exit codes, every fault in JSON, and shards that the list hides."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from services.audit.cli import app
from services.audit.index.receipts import receipt
from services.audit.log.validity import encode, of, parse
from shared.blobs import PosixStore
from shared.keys import ed25519
from shared.keys.vault import KeyVersion
from shared.notes.cosignature import COSIGNATURE, cosign
from shared.notes.note import split_note, vkey
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


def verified(root: Path, *words: str) -> tuple[int, dict[str, object]]:
    done = CliRunner().invoke(app, ["verify", "--dir", str(root), "--json", *words])
    return done.exit_code, json.loads(done.stdout or done.stderr)


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


WITNESSES = {f"w.test/{n}": bytes([n]) * 32 for n in (1, 2, 3)}
VKEYS = [vkey(name, ed25519.public_of(seed), COSIGNATURE) for name, seed in WITNESSES.items()]


def witnessed_by(root: Path, *names: str) -> None:
    path = root / NAME / "checkpoint"
    note = path.read_text()
    path.write_text(note + "".join(cosign(split_note(note)[0], name, WITNESSES[name], 1_800_000_000) for name in names))


def named(count: int) -> list[str]:
    return [word for one in VKEYS[:count] for word in ("--witness", one)]


def test_a_quorum_of_witnesses(root: Path) -> None:
    witnessed_by(root, "w.test/1", "w.test/3")
    assert verified(root)[0] == 0, "who names no witness passes over their lines"
    assert verified(root, *named(3))[0] == 0
    assert verified(root, *named(2), "--quorum", "1")[0] == 0
    for words in (named(2), [*named(3), "--quorum", "3"]):
        code, said = verified(root, *words)
        (fault,) = said["faults"]  # type: ignore[misc]  # parsed JSON
        assert (code, fault["kind"], fault["file"]) == (1, "witness", f"{NAME}/checkpoint")
        assert "w.test/2" in fault["detail"]
    done = CliRunner().invoke(app, ["verify", "--dir", str(root), *named(3)])
    assert "also by 2 of 3 witnesses or more" in done.stdout
    for words in (["--quorum", "1"], ["--witness", KEYS[0]], [*named(1), *named(1)]):
        assert verified(root, *words)[0] == 2


def test_a_cosignature_that_was_changed_is_a_fault_to_who_knows_the_witness(root: Path) -> None:
    witnessed_by(root, "w.test/1", "w.test/2")
    path = root / NAME / "checkpoint"
    text = path.read_text()
    path.write_text(text[:-6] + ("A" if text[-6] != "A" else "B") + text[-5:])
    assert [f["kind"] for f in verified(root, *named(2), "--quorum", "1")[1]["faults"]] == ["witness"]  # type: ignore[attr-defined]  # JSON
    assert verified(root, *named(1))[0] == 0


def test_a_receipt_carries_its_witnesses(root: Path, tmp_path: Path) -> None:
    witnessed_by(root, "w.test/1", "w.test/2")
    file, keys = tmp_path / "receipt", tmp_path / "vkeys"
    file.write_text(receipt(PosixStore(root), NAME, 7))
    keys.write_text(KEYS[0])

    def checked(*words: str) -> tuple[int, dict[str, object]]:
        done = CliRunner().invoke(app, ["check", str(file), "--keys", str(keys), "--json", *words])
        return done.exit_code, json.loads(done.stdout or done.stderr)

    assert checked()[1]["witnesses"] == []
    assert checked(*named(3))[1]["witnesses"] == ["w.test/1", "w.test/2"]
    code, said = checked(*named(3), "--quorum", "3")
    assert (code, said["code"]) == (2, "unwitnessed")


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
    assert (done.exit_code, json.loads(done.stderr)["code"]) == (2, "malformed")
