"""The S3 store against a real server with Object Lock: the contract of every store, and what an attacker tries who may do all
that the owner of the bucket may."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from shared.blobs import s3_versions
from shared.blobs.s3 import S3Store
from shared.blobs.store import Overlaid
from shared.errors import ConflictError, NotFoundError, TamperError
from tests.support import s3
from tests.support.blob_contract import BlobContract


class TestS3(BlobContract):
    @pytest.fixture(autouse=True)
    def _place(self, s3_server: s3.Server) -> None:
        self.server, self.bucket, self.count = s3_server, s3_server.bucket(), 0

    def make(self) -> S3Store:
        self.count += 1
        return self.server.store(self.bucket, f"deep/store{self.count}")


TILE, MOVED = "t/0/tile/0/000", "t/0/checkpoint"


def moves(path: str) -> bool:
    return path.endswith("/checkpoint")


@pytest.fixture
def store(s3_server: s3.Server) -> S3Store:
    """A bucket with one tile and one checkpoint that has moved."""
    store = s3_server.store(prefix="log")
    store.put_new(TILE, b"first")
    for data in (b"1", b"2", b"3"):
        store.replace(MOVED, data)
    return store


def at(store: S3Store, path: str = TILE) -> dict[str, str]:
    return {"Bucket": store.bucket, "Key": f"log/{path}"}


def locked(store: S3Store, path: str = TILE) -> dict[str, str]:
    """The version that was written first."""
    versions = store.client.list_object_versions(Bucket=store.bucket, Prefix=f"log/{path}")["Versions"]
    return {**at(store, path), "VersionId": versions[-1]["VersionId"]}


def found(store: S3Store) -> list[Overlaid]:
    return list(store.overlaid(moves))


def test_what_is_written_once_is_kept_for_years_and_what_moves_for_days(store: S3Store) -> None:
    for path, days in ((TILE, 3650), (MOVED, 89)):
        kept = store.client.get_object_retention(**at(store, path))["Retention"]
        assert kept["Mode"] == "COMPLIANCE"
        assert kept["RetainUntilDate"] > datetime.now(UTC) + timedelta(days=days)
    versions = store.client.list_object_versions(Bucket=store.bucket, Prefix="log/t/0/checkpoint")["Versions"]
    assert [store.client.get_object(**at(store, MOVED), VersionId=v["VersionId"])["Body"].read() for v in versions] == [
        b"3", b"2", b"1",
    ]  # fmt: skip
    assert found(store) == []


CHEATS = {
    "delete the version": lambda c, v: c.delete_object(**v),
    "delete it with the right to bypass": lambda c, v: c.delete_object(**v, BypassGovernanceRetention=True),
    "delete it among others": lambda c, v: _deleted(c, v),
    "shorten the retention": lambda c, v: _retain(c, v, "COMPLIANCE", 1),
    "end the retention": lambda c, v: _retain(c, v, "COMPLIANCE", -1),
    "make it GOVERNANCE": lambda c, v: _retain(c, v, "GOVERNANCE", 5000),
    "suspend versioning": lambda c, v: c.put_bucket_versioning(
        Bucket=v["Bucket"], VersioningConfiguration={"Status": "Suspended"}
    ),
    "overwrite as the store writes": lambda c, v: c.put_object(Bucket=v["Bucket"], Key=v["Key"], Body=b"x", IfNoneMatch="*"),
    "delete the bucket": lambda c, v: c.delete_bucket(Bucket=v["Bucket"]),
}


def _retain(client: Any, version: dict[str, str], mode: str, days: int) -> None:
    until = datetime.now(UTC) + timedelta(days=days)
    client.put_object_retention(**version, Retention={"Mode": mode, "RetainUntilDate": until}, BypassGovernanceRetention=True)


def _deleted(client: Any, version: dict[str, str]) -> None:
    one = {"Key": version["Key"], "VersionId": version["VersionId"]}
    answer = client.delete_objects(Bucket=version["Bucket"], Delete={"Objects": [one]}, BypassGovernanceRetention=True)
    if answer.get("Errors"):
        raise ClientError({"Error": answer["Errors"][0]}, "DeleteObjects")


@pytest.mark.parametrize("cheat", CHEATS)
@pytest.mark.parametrize("path", [TILE, MOVED])
def test_the_store_refuses(store: S3Store, cheat: str, path: str) -> None:
    version = locked(store, path)
    with pytest.raises(ClientError):
        CHEATS[cheat](store.client, version)
    kept = store.client.get_object_retention(**version)["Retention"]
    assert kept["Mode"] == "COMPLIANCE" and kept["RetainUntilDate"] > datetime.now(UTC) + timedelta(days=80)
    assert store.get(TILE) == b"first" and store.get(MOVED) == b"3"
    assert found(store) == [] and store.check()


def test_a_version_laid_over_a_locked_one_is_found_and_named(store: S3Store) -> None:
    first = locked(store)["VersionId"]
    store.client.put_object(**at(store), Body=b"forged")
    assert store.get(TILE) == b"forged"  # what is read is proven by the tree, not by the store
    (one,) = found(store)
    assert (one.path, one.first) == (TILE, first) and "lies over" in one.detail
    assert store.first(TILE) == b"first"
    with pytest.raises(TamperError, match=f"holds other bytes .* lies over version {first}"):
        store.put_same(TILE, b"first")


def test_even_the_same_bytes_laid_over_are_found(store: S3Store) -> None:
    store.client.put_object(**at(store), Body=b"first")
    store.put_same(TILE, b"first")
    assert [one.path for one in found(store)] == [TILE]


@pytest.mark.parametrize("path", [TILE, MOVED])
def test_a_delete_marker_is_found_and_named(store: S3Store, path: str) -> None:
    store.client.delete_object(**at(store, path))
    with pytest.raises(TamperError, match=f"{path} is hidden: delete marker .* lies over version"):
        store.get(path)
    assert [one.path for one in found(store)] == [path]
    assert store.first(TILE) == b"first"
    with pytest.raises((TamperError, ConflictError)):
        store.put_new(path, b"other")
    with pytest.raises(NotFoundError):
        store.get("t/0/never")


def test_many_versions_of_names_that_move_do_not_hide_one_that_may_not(
    s3_server: s3.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More versions than one page of the listing has, before and behind the faults."""
    monkeypatch.setattr(s3_versions, "PAGE_MAX", 5)
    store = s3_server.store(prefix="log")
    for path in (TILE, "t/1/tile/0/000", "t/2/checkpoint.tile"):
        store.put_new(path, b"1")
    for shard in ("t/0", "t/1"):
        for n in range(13):
            store.replace(f"{shard}/checkpoint", b"%d" % n)
    assert found(store) == []
    first = locked(store)["VersionId"]
    for path in ("t/1/tile/0/000", "t/2/checkpoint.tile", *[TILE] * 13):
        store.client.put_object(**at(store, path), Body=b"2")
    store.client.delete_object(**at(store, "t/1/checkpoint"))
    assert [one.path for one in found(store)] == [TILE, "t/1/checkpoint", "t/1/tile/0/000", "t/2/checkpoint.tile"]
    assert found(store)[0].first == first


@pytest.mark.parametrize("page", [2, 3, 7])
def test_a_version_that_the_store_names_on_two_pages_lies_over_nothing(
    s3_server: s3.Server, monkeypatch: pytest.MonkeyPatch, page: int
) -> None:
    """This server begins a page with the version that the page before ended with, in folders that lie in folders."""
    monkeypatch.setattr(s3_versions, "PAGE_MAX", page)
    store = s3_server.store(prefix="log")
    for n in range(9):
        store.put_new(f"t/1/tile/entries/000.p/{n}", b"1")
    assert found(store) == []
