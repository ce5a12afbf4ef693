"""The law's clocks as data: one reviewed file per law, in versions, read at the start. One that is not whole stops it."""

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from itertools import pairwise
from typing import Any

from pydantic import ValidationError

from services.dsar.law.book import Book, Versions
from services.dsar.law.model import Law
from shared.errors import MalformedError


def parse(text: str, name: str) -> Versions:
    """The law written in `text`, its versions in the order of their dates; what a version does not say is as in the one before.
    Raises MalformedError that names the file and the field."""
    try:
        common = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise MalformedError(f"law file {name}: {error}") from error
    said: list[Mapping[str, Any]] = common.pop("version", None) or [{}]
    versions: list[Law] = []
    whole: dict[str, Any] = common
    for version in said:
        whole = {**whole, **version}
        try:
            versions.append(Law.model_validate(whole))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise MalformedError(f"law file {name}: {where}: {first['msg']}") from error
    if f"{versions[0].id}.toml" != name or len({one.id for one in versions}) > 1:
        raise MalformedError(f"law file {name}: holds the law {versions[0].id}")
    if any(later.in_force_from <= earlier.in_force_from for earlier, later in pairwise(versions)):
        raise MalformedError(f"law file {name}: in_force_from: a version is not later than the one before it")
    return tuple(versions)


@cache
def book() -> Book:
    """`load()`, once: the files do not change while we run."""
    return load()


def load() -> Book:
    """Every law there is, by id."""
    found = sorted((file for file in files(__name__).iterdir() if file.name.endswith(".toml")), key=lambda f: f.name)
    return Book([parse(file.read_text(encoding="utf-8"), file.name) for file in found])
