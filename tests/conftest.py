"""Fixtures that every suite may ask for."""

import os
import tempfile
from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.support.platform import Platform, start

# What `kept audit verify` remembers between two runs of it is of this run of the tests, not of whoever runs them.
_MEMORY = tempfile.TemporaryDirectory(prefix="kept-test-memory-")
os.environ["XDG_STATE_HOME"] = _MEMORY.name


# How long an example may take says something of the machine, and nothing of the code. The same commit draws the same
# examples: what fails is of the change. `make fuzz` looks for what nobody has found yet.
settings.register_profile("kept", deadline=None, derandomize=True)
settings.register_profile("random", deadline=None, max_examples=1000)
settings.load_profile("random" if "KEPT_FUZZ_SECONDS" in os.environ else "kept")

# Files that take long come first: with two processes (pytest-xdist, `--dist loadfile`) none then ends long after the other.
_LONG = (
    "tests/chaos/", "tests/upgrade/", "tests/promises/test_p02_rotation", "tests/platform/test_local_start", "tests/crash/",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: not item.nodeid.startswith(_LONG))  # stable: the order is the same otherwise


@pytest.fixture(scope="session")
def platform() -> Iterator[Platform]:
    """The whole platform, started once for all suites; see tests/support/platform.py."""
    yield from start()
