"""A record's fields open when somebody looks at them: a correction opens what it compares, a view what its purpose sees."""

from datetime import UTC, datetime
from typing import Any, cast

import pytest

from services.customers.policy.load import load
from services.customers.records.actions import FIELDS
from services.customers.records.model import changed, require_a_name, seen, unusable
from services.customers.records.opened import Corrected, Opened
from services.customers.tables import Customer
from shared.keys.cipher import Place, Sealed, new_data_key, seal
from shared.work import Work

NOW = datetime(2026, 1, 1, tzinfo=UTC)
POLICY = load()


class Looking:
    """A unit of work that notes which columns are opened."""

    def __init__(self) -> None:
        self.looked: list[str] = []

    def open(self, column: Any, subject: str, sealed: Sealed) -> str:
        self.looked.append(column.key)
        return f"the {column.key}"


@pytest.fixture
def w() -> Looking:
    return Looking()


@pytest.fixture
def values(w: Looking) -> Opened:
    key = new_data_key()
    fields = {name: seal(key, Place("customers", "customers", name, "sub_a"), "x") for name in FIELDS if name != "phone"}
    customer = Customer(id="sub_a", version=1, created_at=NOW, updated_at=NOW, **fields)
    return Opened(cast(Work, w), customer, FIELDS)


def test_nothing_opens_before_it_is_looked_at(w: Looking, values: Opened) -> None:
    assert list(values) == list(FIELDS) and len(values) == len(FIELDS)
    assert w.looked == []
    assert (values["city"], values["phone"], values.get("none")) == ("the city", None, None)
    assert w.looked == ["city"]


def test_a_correction_opens_what_it_compares(w: Looking, values: Opened) -> None:
    new = changed(values, {"city": "Berlin"}, "delivery", POLICY)
    assert new == {"city": "Berlin"} and w.looked == ["city"]
    corrected = Corrected(values, new)
    assert unusable(corrected, POLICY, {*new}) == []
    assert corrected["city"] == "Berlin" and w.looked == ["city"]
    require_a_name(corrected, POLICY)
    assert w.looked == ["city", "first_name"]
    assert dict(corrected) == {**values, "city": "Berlin"}


@pytest.mark.parametrize("purpose", sorted(POLICY.purposes))
def test_a_view_opens_what_its_purpose_sees(w: Looking, values: Opened, purpose: str) -> None:
    shown = seen(values, POLICY.sight(purpose))
    levels = POLICY.levels(purpose)
    assert set(w.looked) == {name for name, level in levels.items() if level != "hidden"} - {"phone"}
    assert {name for name, one in shown.items() if one.value is None} >= {n for n, level in levels.items() if level == "hidden"}
