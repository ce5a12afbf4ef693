"""The log on both stores, a directory and a bucket: two owners, a zombie, and what an attacker lays over a locked file."""

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from services.audit.log.store import ShardStore, moves
from services.audit.storage import cli as storage_cli
from shared.blobs import CheckedStore, PosixStore
from shared.errors import ConflictError, TamperError
from tests.support import s3
from tests.unit.services.audit.log.naive import MemoryHeads
from tests.unit.services.audit.log.test_shard import NAME, START, made, opened, size_of


@pytest.fixture(params=["directory", "bucket"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> CheckedStore:
    if request.param == "directory":
        return PosixStore(tmp_path)
    server: s3.Server = request.getfixturevalue("s3_server")
    return server.store(prefix="log")


async def test_what_is_appended_verifies_and_nothing_is_written_twice(store: Any) -> None:
    heads = MemoryHeads(START)
    shard = await opened(store, heads)
    await shard.append(made(0, 600))
    await (await opened(store, heads)).append(made(600, 70))
    assert size_of(store) == 670
    assert list(store.overlaid(moves)) == []
    assert f"{NAME}/tile/0/001" in set(store.list(NAME)) and f"{NAME}/checkpoint" in set(store.list(""))


async def test_a_zombie_that_wakes_up_publishes_nothing(store: Any) -> None:
    """It stood still before each of its steps: before the head moves, and between the head and the checkpoint."""
    heads = MemoryHeads(START)
    zombie, owner = await opened(store, heads), await opened(store, heads)
    await owner.append(made(0, 20))
    with pytest.raises(ConflictError):
        await zombie.append(made(0, 7))
    assert size_of(store) == 20

    stale = ShardStore(store, NAME).checkpoint()
    assert stale is not None
    await owner.append(made(20, 20))
    late = ShardStore(store, NAME)
    with pytest.raises(ConflictError):
        late.publish(stale.replace("\n20\n", "\n21\n"), stale)  # what it had read before it fell asleep is no longer there
    with pytest.raises(ConflictError):
        late.publish(stale, None)
    assert size_of(store) == 40


async def test_another_history_under_an_old_offset_is_tampering(store: Any) -> None:
    heads = MemoryHeads(START)
    zombie, owner = await opened(store, heads), await opened(store, heads)
    await owner.append(made(0, 20))
    with pytest.raises(TamperError):
        await zombie.append(made(0, 20, b"another history"))
    assert size_of(store) == 20


async def test_a_bucket_whose_files_were_hidden_or_laid_over_is_noticed(s3_server: s3.Server) -> None:
    store, heads = s3_server.store(prefix="log"), MemoryHeads(START)
    await (await opened(store, heads)).append(made(0, 600))  # type: ignore[arg-type]  # the helper names its own fake
    for path, forged in ((f"{NAME}/tile/entries/000", b"forged"), (f"{NAME}/tile/0/001", None)):
        place = {"Bucket": store.bucket, "Key": f"log/{path}"}
        if forged is not None:
            store.client.put_object(**place, Body=forged)
        else:
            store.client.delete_object(**place)
    assert {one.path for one in store.overlaid(moves)} == {f"{NAME}/tile/entries/000", f"{NAME}/tile/0/001"}
    with pytest.raises(TamperError, match="is hidden: delete marker"):
        store.get(f"{NAME}/tile/0/001")
    for one in store.overlaid(moves):  # what was locked is still there, and is what was signed
        assert len(store.first(one.path)) > len(b"forged")


def storage(monkeypatch: pytest.MonkeyPatch, server: s3.Server, bucket: str, *words: str) -> tuple[int, dict[str, Any]]:
    """`kept audit storage --json`, with the keys where every S3 program looks for them."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", s3.KEYS.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", s3.KEYS.secret_key)
    app = typer.Typer()
    app.command()(storage_cli.storage)
    address = f"s3://{bucket}/log?endpoint={server.endpoint}&region={s3.REGION}"
    done = CliRunner().invoke(app, ["--store", address, "--json", *words])
    return done.exit_code, json.loads(done.stdout or done.stderr)


def test_the_command_tells_what_the_bucket_is_worth(s3_server: s3.Server, monkeypatch: pytest.MonkeyPatch) -> None:
    store = s3_server.store(prefix="log")
    store.put_new(f"{NAME}/tile/0/000", b"first")
    code, said = storage(monkeypatch, s3_server, store.bucket, "--try")
    assert code == 0 and "Object Lock COMPLIANCE" in said["enforces"]
    store.client.put_object(Bucket=store.bucket, Key=f"log/{NAME}/tile/0/000", Body=b"forged")
    code, said = storage(monkeypatch, s3_server, store.bucket)
    assert code == 1 and [one["path"] for one in said["overlaid"]] == [f"{NAME}/tile/0/000"]
    code, said = storage(monkeypatch, s3_server, s3_server.bucket(lock=False), "--try")
    assert code == 2 and said["code"] == "store-unfit"
    code, said = storage(monkeypatch, s3_server, "nowhere")
    assert code == 3 and "does not exist" in said["error"]
