"""Fixtures that every suite may ask for."""

import os
import tempfile
from collections.abc import Iterator

import pytest

from tests.support.platform import Platform, start

# What `kept audit verify` remembers between two runs of it is of this run of the tests, not of whoever runs them.
_MEMORY = tempfile.TemporaryDirectory(prefix="kept-test-memory-")
os.environ["XDG_STATE_HOME"] = _MEMORY.name


@pytest.fixture(scope="session")
def platform() -> Iterator[Platform]:
    """The whole platform, started once for all suites; see tests/support/platform.py."""
    yield from start()
