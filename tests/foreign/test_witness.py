"""Witnesses and cosignatures against code that we did not write: transparency-dev/formats, and a log of Tessera's that has its
checkpoints signed by our witness before it publishes them."""

import base64
import json
import os
import subprocess
from pathlib import Path

import pytest

from services.audit.witness.key import opened
from shared.errors import TamperError
from shared.keys import ed25519
from shared.notes.cosignature import (
    COSIGNATURE,
    COSIGNATURE_PQ,
    Quorum,
    UnwitnessedError,
    cosign,
    cosigned,
    parse_witness,
    witness_vkey,
)
from shared.notes.note import ED25519, LocalSigner, key_id, sign_note, split_note, verify_note, vkey
from tests.support import witnesses as others
from tests.support.fsck import MODULE
from tests.support.tools import built_from

TEXT = "kept.test/log/a/0\n7\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
LOG = LocalSigner("kept.test/log/a/0", bytes(32))
OURS, THEIRS = ("w.example/ours", b"\1" * 32), ("w.example/theirs", b"\2" * 32)
KINDS = pytest.mark.parametrize("kind", [COSIGNATURE, COSIGNATURE_PQ], ids=["ed25519", "ml-dsa-44"])
ONESHOT = "github.com/transparency-dev/tessera/cmd/examples/posix-oneshot"


def private(name: str, seed: bytes, kind: bytes) -> str:
    """As Go's note package writes it. A key of type 0x04 is given as one of plain notes."""
    id_ = parse_witness(witness_vkey(name, seed, kind)).id.hex()
    type_ = ED25519 if kind == COSIGNATURE else kind
    return f"PRIVATE+KEY+{name}+{id_}+{base64.b64encode(type_ + seed).decode()}"


@KINDS
async def test_they_read_our_cosignatures_and_we_theirs(kind: bytes) -> None:
    keys = [witness_vkey(*OURS, kind), witness_vkey(*THEIRS, kind)]
    ours = await sign_note(TEXT, LOG) + cosign(TEXT, *OURS, 1_790_000_000, kind)
    done = others.cosign(ours, keys[:1], private(*THEIRS, kind))
    assert done.returncode == 0, done.stderr
    assert len(cosigned(done.stdout, [parse_witness(one) for one in keys])) == 2
    Quorum.of(keys, 2).check(done.stdout)
    assert verify_note(done.stdout, [vkey(LOG.name, LOG.public)]) == TEXT


@KINDS
async def test_both_refuse_what_was_changed(kind: bytes) -> None:
    key, note = witness_vkey(*OURS, kind), await sign_note(TEXT, LOG)
    later = cosign(TEXT, *OURS, 1_790_000_000, kind).split(" ")
    raw = bytearray(base64.b64decode(later[2]))
    raw[11] ^= 1  # one second later than what was signed
    forged = f"{note}— {later[1]} {base64.b64encode(raw).decode()}\n"
    assert others.cosign(forged, [key]).returncode == 1
    assert others.cosign(note, [key]).returncode == 1
    with pytest.raises(UnwitnessedError):
        Quorum.of([key]).check(note)
    with pytest.raises(TamperError, match="does not fit"):
        Quorum.of([key]).check(forged)


def test_a_log_of_tesseras_is_witnessed_by_ours(tmp_path: Path) -> None:
    """It publishes nothing unless its policy is met; grown, it asks from size 0 and learns from a 409 where the witness is."""
    name, seed = "tessera.test/log", bytes(range(32))
    public = ed25519.public_of(seed)
    keys = tmp_path / "keys"
    keys.write_text(vkey(name, public))
    secret = f"PRIVATE+KEY+{name}+{key_id(name, public).hex()}+{base64.b64encode(ED25519 + seed).decode()}"
    with others.witnesses(tmp_path, keys, ["witness.test/one", "witness.test/two"]) as running:
        policy = tmp_path / "policy"
        lines = [f"witness w{n} {one.vkey} {one.address}" for n, one in enumerate(running)]
        policy.write_text("\n".join([*lines, "group both all w0 w1", "quorum both"]) + "\n")
        for count in (1, 40, 300):
            entries = tmp_path / f"entries-{count}"
            entries.mkdir()
            for n in range(count):
                (entries / str(n)).write_text(json.dumps([count, n]))
            words = [built_from(MODULE, ONESHOT), f"--storage_dir={tmp_path / 'log'}", f"--entries={entries}/*"]
            done = subprocess.run(
                [*words, f"--witness_policy_file={policy}", "--witness_fail_open=false"], capture_output=True, text=True,
                timeout=120, env={**os.environ, "LOG_PRIVATE_KEY": secret}, check=False,
            )  # fmt: skip
            assert done.returncode == 0, done.stderr[-2000:]
        note = (tmp_path / "log" / "checkpoint").read_text()
        vkeys = [one.vkey for one in running]
        running[0].kill()
    Quorum.of(vkeys, 2).check(note)
    assert others.cosign(note, vkeys).returncode == 0
    assert split_note(note)[0].split("\n")[1] == "341"
    _, memory = opened(tmp_path / "witness-0")  # after kill -9: what was answered is there
    assert memory.counts() == {"signed": 1, "refused": 0}
    memory.close()
