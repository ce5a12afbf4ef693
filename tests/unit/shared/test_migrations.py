"""The migrations of each service stand in one line: two that follow the same one stop a service from starting."""

from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

SERVICES = Path(__file__).parents[3] / "services"
WITH = sorted(one.parent for one in SERVICES.glob("*/migrations/versions"))


@pytest.mark.parametrize("folder", WITH, ids=lambda one: one.parent.name)
def test_they_have_one_beginning_and_one_end(folder: Path) -> None:
    config = Config()
    config.set_main_option("script_location", str(folder))
    found = ScriptDirectory.from_config(config)
    assert len(found.get_heads()) == len(found.get_bases()) == 1
    assert len(list(found.walk_revisions())) == len(list((folder / "versions").glob("0*.py")))
