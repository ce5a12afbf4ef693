"""Whoever's key is renewed: no encrypted column of any service is forgotten."""

import importlib
from collections.abc import Sequence
from pathlib import Path

import pytest
from sqlalchemy.orm import DeclarativeBase, InstrumentedAttribute

from services.customers.records import rekey as customers
from services.dsar.requests import rekey as dsar
from services.identity.accounts import rekey as identity
from shared.keys.column import SealedText

SEALED: dict[str, Sequence[InstrumentedAttribute[str]]] = {
    "customers": customers.SEALED, "identity": identity.SEALED, "dsar": dsar.SEALED,
}  # fmt: skip


@pytest.mark.parametrize("service", ["audit", "backup", "customers", "dsar", "identity"])
def test_every_table_with_an_encrypted_column_is_sealed_anew(service: str) -> None:
    for path in Path(f"services/{service}").rglob("tables.py"):
        importlib.import_module(".".join(path.with_suffix("").parts))
    base: type[DeclarativeBase] = importlib.import_module(f"services.{service}.base").Base
    tables = base.metadata.tables.items()
    sealed = {name for name, table in tables if any(isinstance(one.type, SealedText) for one in table.columns)}
    assert sealed == {one.class_.__tablename__ for one in SEALED.get(service, ())}
