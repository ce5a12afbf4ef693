"""Blobs in an S3 bucket with Object Lock: what is written once cannot be deleted or changed by anybody until its date.

1. `put_*` sends `If-None-Match: *`: of several writers one is first, and the others see 412. Every object carries its own
   retention in COMPLIANCE mode, so that it does not depend on a default that somebody may change.
2. A PUT whose answer was lost is sent again. `put_same` then finds its own bytes; `put_new` and `replace_if` know their own
   write by a random mark in its metadata.
3. `replace_if` reads, compares, and sends `If-Match` with what it read. Each replacement is a version of its own, kept for
   MOVED_DAYS: the trail of what was published, long enough to look into; a rule of the bucket may expire it afterwards.

`put_same` and `get` notice a name that holds other bytes or is hidden by a delete marker. A newer version over a locked one is
read as it is: what is read is proven by the tree, not by the store, and `overlaid`, which is part of verification, names it.
"""

import base64
import hashlib
import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any

from shared.blobs import s3_versions
from shared.blobs.s3_calls import CONNECTIONS_MAX, MODE, tried
from shared.blobs.s3_check import check_bucket
from shared.blobs.store import TEMPORARY, Overlaid, checked
from shared.clock import Clock, SystemClock
from shared.errors import ConflictError, NotFoundError, PreconditionError, TamperError

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client
    from types_boto3_s3.type_defs import ListObjectsV2OutputTypeDef

DAYS_OF_A_YEAR = 366  # so that ten years are never less than ten years
MOVED_DAYS = 90
BATCH_MAX = 256  # of a batch at a time: bounds what waits in memory


class S3Store:
    """`prefix` is empty, or a path under which everything lies. What is written once is kept for `years`."""

    def __init__(self, client: "S3Client", bucket: str, prefix: str, years: int, clock: Clock | None = None) -> None:
        self.client = client
        self.bucket = bucket
        self.base = f"{checked(prefix)}/" if prefix else ""
        self.years = years
        self._clock = clock or SystemClock()
        self._pool = ThreadPoolExecutor(CONNECTIONS_MAX, thread_name_prefix="s3")

    def put_new(self, path: str, data: bytes) -> None:
        try:
            self._put(path, data, self.years * DAYS_OF_A_YEAR, IfNoneMatch="*")
        except PreconditionError:
            raise ConflictError("the name is taken") from None

    def put_same(self, path: str, data: bytes) -> None:
        try:
            self.put_new(path, data)
        except ConflictError:
            found = self.get(path)
            if found != data:
                detail = f"{path} holds other bytes ({len(found)}, where {len(data)} belong)"
                raise TamperError(f"{detail}: {s3_versions.told(self._history(path))}") from None

    def put_all_same(self, files: Iterable[tuple[str, bytes]]) -> None:
        rest = iter(files)
        while some := [(checked(path), data) for path, data in islice(rest, BATCH_MAX)]:
            batch: dict[str, bytes] = {}
            for path, data in some:
                if batch.setdefault(path, data) != data:
                    raise TamperError(f"{path} is given twice, with other bytes")
            writes = [self._pool.submit(self.put_same, path, data) for path, data in batch.items()]
            failed = [error for one in writes if (error := one.exception()) is not None]  # all ended: nothing goes on behind
            for error in sorted(failed, key=lambda one: not isinstance(one, TamperError)):
                raise error

    def replace(self, path: str, data: bytes) -> None:
        self._put(path, data, MOVED_DAYS)

    def replace_if(self, path: str, data: bytes, old: bytes | None) -> None:
        try:
            if old is None:
                return self._put(path, data, MOVED_DAYS, IfNoneMatch="*")
            found, tag = self._read(path)
            if found == old:
                return self._put(path, data, MOVED_DAYS, IfMatch=tag)
        except (PreconditionError, NotFoundError):
            pass
        raise ConflictError("the name moved meanwhile")

    def get(self, path: str) -> bytes:
        return self._read(path)[0]

    def list(self, prefix: str = "") -> Iterator[str]:
        base, after = (f"{self._key(prefix)}/" if prefix else self.base), ""
        while True:
            page = self._listed(base, after)
            found = [one["Key"] for one in page.get("Contents", [])]
            yield from (key[len(self.base) :] for key in found if TEMPORARY not in key)
            if not page.get("IsTruncated"):
                return
            after = found[-1]

    def first(self, path: str) -> bytes:
        """What was written first under `path`, whatever lies over it now. NotFoundError if no version is left."""
        versions = [one for one in self._history(path) if not one.marker]
        if not versions:
            raise NotFoundError("no such blob")
        return self._read(path, VersionId=versions[-1].id)[0]

    def overlaid(self, moves: Callable[[str], bool]) -> Iterator[Overlaid]:
        """Every name that does not hold what was locked under it; `moves` says which names may have many versions."""
        return s3_versions.overlaid(self.client, self.bucket, self.base, moves)

    def check(self) -> str:
        return check_bucket(self)

    def _key(self, path: str) -> str:
        return self.base + checked(path)

    def _history(self, path: str) -> Sequence[s3_versions.Version]:
        return s3_versions.history(self.client, self.bucket, self._key(path))

    def _put(self, path: str, data: bytes, days: int, **condition: Any) -> None:
        key, mark = self._key(path), secrets.token_hex(8)
        until = self._clock.now() + timedelta(days=days)
        checksum = base64.b64encode(hashlib.sha256(data).digest()).decode()  # the server compares what arrived

        def put() -> bool:
            self.client.put_object(
                Bucket=self.bucket, Key=key, Body=data, ChecksumSHA256=checksum, Metadata={"mark": mark},
                ObjectLockMode=MODE, ObjectLockRetainUntilDate=until, **condition,
            )  # fmt: skip
            return True

        def mine() -> bool | None:
            found = tried(lambda: self.client.head_object(Bucket=self.bucket, Key=key))
            return True if found["Metadata"].get("mark") == mark else None

        tried(put, settled=mine)

    def _read(self, path: str, **version: Any) -> tuple[bytes, str]:
        """The bytes, and the tag by which `If-Match` knows them."""
        key = self._key(path)

        def read() -> tuple[bytes, str]:
            answer = self.client.get_object(Bucket=self.bucket, Key=key, **version)
            return answer["Body"].read(), answer["ETag"]

        try:
            return tried(read)
        except NotFoundError:
            if hidden := self._history(path):
                raise TamperError(f"{path} is hidden: {s3_versions.told(hidden)}") from None
            raise

    def _listed(self, base: str, after: str) -> "ListObjectsV2OutputTypeDef":
        return tried(lambda: self.client.list_objects_v2(Bucket=self.bucket, Prefix=base, StartAfter=after))
