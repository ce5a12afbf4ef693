"""Fixtures of the suites that need real servers."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest

from tests.support import s3
from tests.support.platform import Platform
from tests.support.postgres import server
from tests.support.staff import signed_in


@pytest.fixture(scope="session")
def s3_server() -> Iterator[s3.Server]:
    """An S3 server with Object Lock, one for all suites; each test makes its own bucket."""
    with s3.server() as running:
        yield running


@pytest.fixture(scope="module")
async def customers_server() -> AsyncIterator[Any]:
    """A PostgreSQL of the module's own: where customers' database is."""
    async with server() as databases:
        yield databases["customers"]


@pytest.fixture(scope="module")
def officer(platform: Platform) -> Iterator[httpx.Client]:
    """Andrew, who may read the audit trail."""
    with signed_in(platform, "andrew") as client:
        yield client


@pytest.fixture(scope="module")
def jane(platform: Platform) -> Iterator[httpx.Client]:
    """Jane, who looks after customers and may not read the trail."""
    with signed_in(platform, "jane") as client:
        yield client


@pytest.fixture(scope="module")
def nancy(platform: Platform) -> Iterator[httpx.Client]:
    """Nancy, who leads the sales agents and may import."""
    with signed_in(platform, "nancy") as client:
        yield client
