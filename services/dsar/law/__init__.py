"""The law's clocks as data: one reviewed file per law, read once at start. A file that is not whole stops the start."""

import tomllib
from importlib.resources import files

from pydantic import ValidationError

from services.dsar.requests.model import Law
from shared.errors import MalformedError


def parse(text: str, name: str) -> Law:
    """The law written in `text`. Raises MalformedError that names the file and the field."""
    try:
        law = Law.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise MalformedError(f"law file {name}: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise MalformedError(f"law file {name}: {where}: {first['msg']}") from error
    if f"{law.id}.toml" != name:
        raise MalformedError(f"law file {name}: holds the law {law.id}")
    return law


def load() -> dict[str, Law]:
    """Every law of the book, by id."""
    found = sorted((file for file in files(__name__).iterdir() if file.name.endswith(".toml")), key=lambda f: f.name)
    return {law.id: law for law in (parse(file.read_text(encoding="utf-8"), file.name) for file in found)}
