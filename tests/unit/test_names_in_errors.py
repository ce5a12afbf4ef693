"""Names of our insides reach nobody: no error of ours says which class, table, column, index or constraint it was.

Who operates Kept finds them in the log; who asked reads words. Held over every `raise` of every service and the kernel."""

import ast
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, cast

import psycopg
import pytest
from sqlalchemy import MetaData
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError

from shared import errors
from shared.db import translated

ROOT = Path(__file__).parents[2]
SERVICES = ("identity", "customers", "audit", "backup", "dsar")
OURS = {name for name, one in vars(errors).items() if isinstance(one, type) and issubclass(one, errors.KeptError)}


def names_inside() -> set[str]:
    """Every table, column, index and constraint that is no word a person would use: whatever has an underscore."""
    found = set()
    for file in ROOT.glob("services/*/**/tables.py"):
        import_module(".".join(file.relative_to(ROOT).with_suffix("").parts))
    for service in SERVICES:
        metadata: MetaData = import_module(f"services.{service}.base").Base.metadata
        for table in metadata.tables.values():
            found |= {table.name, *(str(one.name) for one in (*table.indexes, *table.constraints))}
    for file in ROOT.glob("services/*/migrations/versions/*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("op.create_index", "op.create_unique_constraint"):
                found |= {one.value for one in node.args[:1] if isinstance(one, ast.Constant)}  # type: ignore[misc]
    return {one for one in found if "_" in one}


def raised() -> Iterator[tuple[str, str]]:
    """(place, source) of what every error of ours is made with."""
    for part in ("services", "shared"):
        for file in (ROOT / part).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in OURS:
                    yield f"{file.relative_to(ROOT)}:{node.lineno}", " ".join(ast.unparse(one) for one in node.args)


def test_no_error_is_made_with_a_name_of_our_insides() -> None:
    inside = names_inside()
    assert "customer_locators_one_external" in inside and "approvals_one_open" in inside
    told = [place for place, text in raised() if "__name__" in text or "diag" in text or any(name in text for name in inside)]
    assert not told, f"an error tells of a class, a table or a constraint: {told}"


class Diagnostics:
    constraint_name = "customer_locators_one_external"


class Broken(psycopg.IntegrityError):
    diag = cast(Any, Diagnostics())


class Away(psycopg.OperationalError):
    diag = cast(Any, Diagnostics())


SAID = "duplicate key"


@pytest.mark.parametrize(
    "error",
    [
        IntegrityError("INSERT INTO customer_locators", {}, Broken(SAID)),
        OperationalError("INSERT INTO customer_locators", {}, Away(SAID)),
        Broken(SAID),
        Away(SAID),
    ],
)
def test_what_the_database_says_goes_to_the_log_and_not_to_who_asked(
    error: DBAPIError | psycopg.Error, caplog: pytest.LogCaptureFixture
) -> None:
    said = translated(error)
    assert isinstance(said, errors.KeptError)
    assert not any(word in str(said) for word in ("customer", "locator", "INSERT", "Broken", "Away", "constraint", "duplicate"))
    assert "customer_locators_one_external" in caplog.text or "Away" in caplog.text
    assert "INSERT" not in caplog.text and "duplicate key" not in caplog.text
