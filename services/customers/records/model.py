"""Records: the rules. What a value must be, what changed, and how much of a record a purpose sees."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

from services.customers.policy.model import FieldPolicy, Sight
from shared.access.masks import Level, shown
from shared.errors import InvalidInputError
from shared.values import legacy
from shared.values.identifiers import Identifier
from shared.values.mailbox import as_written, mailbox
from shared.values.name import free_text
from shared.values.phone import Phone, phone


class Shown(NamedTuple):
    """One field as somebody sees it. `value` is None where the level is hidden or nothing is held."""

    level: Level
    value: str | None


@dataclass(frozen=True)
class Note:
    """A value that is kept as it was written, but can't be used: for the people who sent it, without the value."""

    field: str
    reason: str


@dataclass(frozen=True)
class Cleaned:
    """One row as it will be stored, by what it is found, and what its sender should know of it."""

    values: Mapping[str, str | None]
    known: Sequence[Identifier]
    notes: Sequence[Note]


def clean_row(written: Mapping[str, str], policy: FieldPolicy) -> Cleaned:
    """Every field of `written` as `clean` says. A phone that can't be used is no reason to refuse the person: it is noted.

    InvalidInputError: `field` says which one, as the policy names it."""
    values = {name: clean(name, value, policy) for name, value in written.items()}
    return Cleaned(values, *identified(values))


def notes(values: Mapping[str, str | None]) -> list[Note]:
    """What of `values` is stored and of no use."""
    return identified(values)[1]


def unusable(values: Mapping[str, str | None], policy: FieldPolicy, names: Collection[str]) -> list[Note]:
    """What of `names` is stored and today's grammar refuses: an older version took it. And what is of no use."""
    found: dict[str, Note] = {one.field: one for one in notes(values)} if "phone" in names else {}
    for name in names:
        if value := values.get(name):
            try:
                clean(name, value, policy)
            except InvalidInputError as error:
                found[name] = Note(name, error.detail)
    return list(found.values())


def clean(name: str, value: str, policy: FieldPolicy) -> str | None:
    """The value to store, None for an empty one. InvalidInputError names the field, never the value."""
    rule = policy.fields.get(name)
    if rule is None:
        raise InvalidInputError("no such field, or none with a purpose", field=name)
    text = free_text(value, name, lines=rule.kind == "address")
    if text is None:
        if rule.required:
            raise InvalidInputError("must not be empty", field=name)
        return None
    if len(text) > rule.characters_max:
        raise InvalidInputError(f"over its limit of {rule.characters_max} characters", field=name)
    return as_written(text, name) if name == "email" else text


def require_a_name(values: Mapping[str, str | None], policy: FieldPolicy) -> None:
    """Many people have one name only: one of the two is enough, and one there must be."""
    if not (values.get("first_name") or values.get("last_name")):
        first, last = (policy.fields[name].column for name in ("first_name", "last_name"))
        raise InvalidInputError(f"{first} and {last} are both empty; one name is enough", field=last)


def found_by(values: Mapping[str, str | None]) -> list[Identifier]:
    """By what of `values` a record is found, in normal form; what can't be used is not among it."""
    return identified(values)[0]


def indexed(values: Mapping[str, str | None], known: Sequence[Identifier], *, email: bool, phone: bool) -> list[Identifier]:
    """By what the staff finds a record that has such an index: in today's form (`known`: found_by(values)), else in the one of
    before."""
    found = [*known]
    kinds = {kind for kind, _ in found}
    if email and "email" not in kinds:
        found += [("email", one) for one in legacy.mailboxes(values.get("email") or "")[:1]]
    if phone and "phone" not in kinds:
        found += [("phone", one) for one in legacy.phones(values.get("phone") or "", values.get("country"))[:1]]
    return found


def identified(values: Mapping[str, str | None]) -> tuple[list[Identifier], list[Note]]:
    """By what of `values` a record is found, in normal form; and what is stored and of no use: nobody is found by it, no call
    goes there."""
    found: list[Identifier] = []
    with suppress(InvalidInputError):  # stored by a version that took it: named among the unusable
        if email := values.get("email"):
            found.append(("email", mailbox(email)))
    try:
        if number := _phone(values):
            found.append(("phone", number))
    except InvalidInputError as error:
        return found, [Note("phone", error.detail)]
    return found, []


def _phone(values: Mapping[str, str | None]) -> Phone | None:
    written = values.get("phone")
    return phone(written, values.get("country")) if written else None


def changed(
    old: Mapping[str, str | None], wanted: Mapping[str, str | None], purpose: str, policy: FieldPolicy
) -> dict[str, str | None]:
    """Cleaned values of `wanted` that differ from `old`.

    Only of fields that `purpose` shows whole: who may not see a value must not learn it by writing guesses over it."""
    new = {name: clean(name, value or "", policy) for name, value in wanted.items()}
    for name in new:
        if policy.levels(purpose)[name] != "clear":
            raise InvalidInputError("not shown whole for this purpose; take one that shows it", field=name)
    return {name: value for name, value in new.items() if value != old.get(name)}


def seen(values: Mapping[str, str | None], sight: Sight) -> dict[str, Shown]:
    """Every field as far as the sight goes."""
    found = {}
    for name, level, kind in sight.fields:
        value = None if level == "hidden" else values.get(name)
        found[name] = Shown(level, shown(level, kind, value) if value else None)
    return found
