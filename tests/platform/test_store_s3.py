"""The S3 store against a real server with Object Lock: the contract that every store keeps."""

from collections.abc import Iterator

import pytest

from shared.blobs.s3 import S3Store
from tests.support import s3
from tests.support.blob_contract import BlobContract


@pytest.fixture(scope="module")
def server() -> Iterator[s3.Server]:
    with s3.server() as running:
        yield running


class TestS3(BlobContract):
    @pytest.fixture(autouse=True)
    def _place(self, server: s3.Server) -> None:
        self.server, self.bucket, self.count = server, server.bucket(), 0

    def make(self) -> S3Store:
        self.count += 1
        return self.server.store(self.bucket, f"deep/store{self.count}")
