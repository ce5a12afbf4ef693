"""Fixtures of the suites that need real servers."""

from collections.abc import Iterator

import pytest

from tests.support import s3


@pytest.fixture(scope="session")
def s3_server() -> Iterator[s3.Server]:
    """An S3 server with Object Lock, one for all suites; each test makes its own bucket."""
    with s3.server() as running:
        yield running
