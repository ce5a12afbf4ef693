"""Fixtures that every suite may ask for."""

from collections.abc import Iterator

import pytest

from tests.support.platform import Platform, start


@pytest.fixture(scope="session")
def platform() -> Iterator[Platform]:
    """The whole platform, started once for all suites; see tests/support/platform.py."""
    yield from start()
