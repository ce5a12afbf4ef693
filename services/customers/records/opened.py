"""The fields of a record in clear, each opened when it is looked at, and not before. Whoever looks tells of it."""

from collections.abc import Iterator, Mapping, Sequence

from services.customers.tables import Customer, column
from shared.keys.cipher import Sealed
from shared.work import Work


class Opened(Mapping[str, str | None]):
    """Of a customer whose key is unlocked, as the record was when this was made."""

    def __init__(self, w: Work, customer: Customer, names: Sequence[str]) -> None:
        self._w = w
        self._subject = customer.id
        self._sealed: dict[str, Sealed | None] = {name: getattr(customer, name) for name in names}

    def __getitem__(self, name: str) -> str | None:
        sealed = self._sealed[name]
        return None if sealed is None else self._w.open(column(name), self._subject, sealed)

    def __iter__(self) -> Iterator[str]:
        return iter(self._sealed)

    def __len__(self) -> int:
        return len(self._sealed)


class Corrected(Mapping[str, str | None]):
    """A record with other values in the place of some: the others stay closed until somebody looks."""

    def __init__(self, values: Mapping[str, str | None], new: Mapping[str, str | None]) -> None:
        self._values, self._new = values, new

    def __getitem__(self, name: str) -> str | None:
        return self._new[name] if name in self._new else self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)
