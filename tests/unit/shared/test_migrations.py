"""The revisions of each service, and those of the kernel beside them, stand in one line each: two that follow the same one
stop a service from starting."""

from pathlib import Path

import pytest
from alembic.script import ScriptDirectory

from shared.migrations import configured

ROOT = Path(__file__).parents[3]
SERVICES = sorted(one.parents[1].name for one in ROOT.glob("services/*/migrations/versions"))
KERNEL = ROOT / "shared" / "migrations" / "kernel"


@pytest.mark.parametrize("service", SERVICES)
def test_they_have_one_beginning_and_one_end(service: str) -> None:
    found = ScriptDirectory.from_config(configured(service))
    lines = {"kernel": KERNEL.glob("k0*.py"), service: (ROOT / "services" / service / "migrations/versions").glob("0*.py")}
    assert len(found.get_bases()) == len(lines)
    for line, files in lines.items():
        branch = [one for one in found.walk_revisions() if one.revision.startswith("kernel_") == (line == "kernel")]
        assert len([one for one in branch if not one.nextrev]) == 1
        assert {Path(one.path) for one in branch} == set(files)


@pytest.mark.parametrize("file", [*KERNEL.glob("k0*.py"), *ROOT.glob("services/*/migrations/versions/0*.py")], ids=str)
def test_a_revision_says_itself_what_it_makes(file: Path) -> None:
    """What it takes from the code of today changes with it: a fresh database would be another than one that grew."""
    ours = ("from services.", "from shared.", "import services.", "import shared.")
    assert [line for line in file.read_text().splitlines() if line.startswith(ours)] == []
