"""No table of locators is left out when those of trimmed versions are deleted."""

import importlib
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from sqlalchemy.orm import DeclarativeBase

from shared.sweep import Sweep
from tests.contracts.built import build


@pytest.mark.parametrize("service", ["audit", "customers", "identity"])
async def test_every_table_of_locators_is_swept(service: str) -> None:
    swept: set[str] = set()

    class Recorded(Sweep):
        def __init__(self, door: Any, locators: Any, *columns: Any) -> None:
            super().__init__(door, locators, *columns)
            swept.update(str(one.class_.__tablename__) for one in columns)

    with patch(f"services.{service}.app.Sweep", Recorded):
        await build(service)
    for path in Path(f"services/{service}").rglob("tables.py"):
        importlib.import_module(".".join(path.with_suffix("").parts))
    base: type[DeclarativeBase] = importlib.import_module(f"services.{service}.base").Base
    found = {one.name for one in base.metadata.tables.values() if "locator" in one.columns}
    assert swept == found
