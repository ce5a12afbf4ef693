"""Reads the reviewed files once, at start. A file that is not whole stops the start."""

import tomllib
from importlib.resources import files

from pydantic import ValidationError

from services.customers.policy.model import FieldPolicy
from shared.errors import MalformedError


def parse(text: str) -> FieldPolicy:
    """MalformedError names the place, never a traceback."""
    try:
        return FieldPolicy.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise MalformedError(f"field policy: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise MalformedError(f"field policy: {where}: {first['msg']}") from error


def load() -> FieldPolicy:
    """The policy in force."""
    return parse((files(__package__ or "") / "field_policy.toml").read_text(encoding="utf-8"))
