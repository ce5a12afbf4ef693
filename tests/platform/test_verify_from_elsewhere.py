"""`kept audit verify` on a whole log that lies in a directory, behind an address and in a bucket: one verdict."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from deploy.local.flip import copied
from services.audit.log.store import moves
from tests.support import s3
from tests.support.insider import wait_until
from tests.support.logbook import log_of, size
from tests.support.platform import Platform

pytestmark = pytest.mark.platform
SOURCES = ("directory", "address", "bucket")


class _Silent(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None: ...


@contextmanager
def address_of(log: Path) -> Iterator[str]:
    """Any web server that gives files will do."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Silent, directory=str(log)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def in_bucket(server: s3.Server, log: Path) -> str:
    """Locked, as the service writes it; its address."""
    store = server.store(prefix="log")
    for path in (one for one in sorted(log.rglob("*")) if one.is_file()):
        name = path.relative_to(log).as_posix()
        (store.replace if moves(name) else store.put_new)(name, path.read_bytes())
    return f"s3://{store.bucket}/log?endpoint={server.endpoint}&region={s3.REGION}"


@contextmanager
def at(source: str, log: Path, server: s3.Server) -> Iterator[tuple[str, str]]:
    """The option that names the log there."""
    if source == "directory":
        yield "--dir", str(log)
    elif source == "bucket":
        yield "--bucket", in_bucket(server, log)
    else:
        with address_of(log) as address:
            yield "--url", address


def verified(platform: Platform, *words: str) -> tuple[int, Any]:
    done = platform.kept("audit", "verify", "--json", *words)
    return done.returncode, json.loads(done.stdout or done.stderr)


@pytest.mark.parametrize("source", SOURCES)
def test_from_wherever_it_is_read_the_verdict_is_the_same(
    platform: Platform, s3_server: s3.Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", s3.KEYS.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", s3.KEYS.secret_key)
    wait_until(lambda: sum(size(platform.origin, f"kept.customers/{n}") for n in range(3)) >= 59)
    copy = copied(log_of(platform), tmp_path / "log")
    (tmp_path / "keys").write_bytes((copy / "keys").read_bytes())
    keys = ("--keys", str(tmp_path / "keys"))
    expected, whole = verified(platform, "--dir", str(copy), *keys)
    assert expected == 0 and whole["entries"] > 59
    with at(source, copy, s3_server) as where:
        code, said = verified(platform, *where, *keys)
    assert (code, said["entries"], said["faults"]) == (0, whole["entries"], [])

    shard, leaves = next(
        (s["shard"], s["size"]) for s in said["shards"] if s["shard"].startswith("kept.customers/") and s["size"]
    )
    tile = copy / shard / "tile" / "0" / (f"000.p/{leaves}" if leaves < 256 else "000")
    raw = bytearray(tile.read_bytes())
    raw[-1] ^= 1
    tile.write_bytes(raw)
    with at(source, copy, s3_server) as where:
        code, said = verified(platform, *where, *keys)
    assert code == 1, "the same for a forged file"
    assert {(fault["file"], fault["kind"]) for fault in said["faults"]} == {(tile.relative_to(copy).as_posix(), "tile")}


def test_a_log_that_cannot_be_read_is_no_verdict(platform: Platform, tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_bytes((log_of(platform) / "keys").read_bytes())
    with address_of(tmp_path) as address:
        assert verified(platform, "--url", address, "--keys", str(keys))[0] == 2, "there is no log"
    assert verified(platform, "--url", address, "--keys", str(keys))[0] == 3, "nobody is there"
