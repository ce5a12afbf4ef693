"""Records: the rules. What a value must be, what changed, and how much of a record a purpose sees."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from services.customers.policy.model import FieldPolicy
from shared.access.masks import Level, shown
from shared.errors import InvalidInputError
from shared.keys.normalise import normalise_email, normalise_phone

# Countries of the file as they are written -> region for phone numbers without a country code.
REGIONS: Mapping[str, str] = {
    "Argentina": "AR", "Australia": "AU", "Austria": "AT", "Belgium": "BE", "Brazil": "BR", "Canada": "CA", "Chile": "CL",
    "China": "CN", "Czech Republic": "CZ", "Denmark": "DK", "Finland": "FI", "France": "FR", "Germany": "DE", "Hungary": "HU",
    "India": "IN", "Ireland": "IE", "Italy": "IT", "Netherlands": "NL", "Norway": "NO", "Poland": "PL", "Portugal": "PT",
    "Spain": "ES", "Sweden": "SE", "USA": "US", "United Kingdom": "GB",
}  # fmt: skip


@dataclass(frozen=True)
class Shown:
    """One field as somebody sees it. `value` is None where the level is hidden or nothing is held."""

    level: Level
    value: str | None


def clean(name: str, value: str, policy: FieldPolicy) -> str | None:
    """The value to store, None for an empty one. InvalidInputError names the field, never the value."""
    rule = policy.fields.get(name)
    if rule is None:
        raise InvalidInputError("no such field, or none with a purpose", field=name)
    text = value.strip()
    if not text:
        if rule.required:
            raise InvalidInputError("must not be empty", field=name)
        return None
    if len(text) > rule.characters_max:
        raise InvalidInputError(f"over its limit of {rule.characters_max} characters", field=name)
    if any(ord(c) < 32 or ord(c) == 127 for c in text):
        raise InvalidInputError("holds control characters", field=name)
    if name == "email":
        normalise_email(text)
    return text


def identifiers(values: Mapping[str, str | None]) -> dict[str, str]:
    """Field -> normalised value, of those by which a record is found. A number nobody can dial is not one."""
    found: dict[str, str] = {}
    email, phone = values.get("email"), values.get("phone")
    if email:
        found["email"] = normalise_email(email)
    if phone:
        with suppress(InvalidInputError):  # it is kept as it was written, and simply can't be searched
            found["phone"] = normalise_phone(phone, REGIONS.get(values.get("country") or ""))
    return found


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


def seen(values: Mapping[str, str | None], purpose: str, policy: FieldPolicy) -> dict[str, Shown]:
    """Every field at the level that `purpose` gives it."""
    found = {}
    for name, level in policy.levels(purpose).items():
        value = values.get(name)
        found[name] = Shown(level, shown(level, policy.fields[name].kind, value) if value else None)
    return found
