"""A package: what every holder has on a person, as files. Pure: the same answers give the same bytes."""

import io
import json
import re
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from shared.errors import MalformedError

_EPOCH = (1980, 1, 1, 0, 0, 0)  # a zip's dates say nothing: the package names its own
COLUMNS_MAX = 30  # of a table that people can read; a wider one has one value per line
CELLS_PER_VALUE = (
    4  # a table is columns x records: with more cells than this per value it is mostly empty, and has lines instead
)
_SAFE = re.compile(r"[^a-z0-9-]+")


class Category(BaseModel):
    """One kind of data: why it is held, on what basis, how long, who received it, and the records."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    name: str
    purpose: str = ""
    basis: str = ""
    retention: str = ""
    recipients: str | list[str] = Field(default_factory=list)
    records: list[dict[str, Any]] = Field(default_factory=list)

    @property
    def columns(self) -> list[str]:
        """Every key of the records, in the order of first appearance."""
        return list(dict.fromkeys(key for record in self.records for key in record))

    @property
    def tabular(self) -> bool:
        """Whether the page shows a table: never one that grows faster than what the holder said."""
        columns, values = len(self.columns), sum(len(record) for record in self.records)
        few = columns <= COLUMNS_MAX and columns * len(self.records) <= CELLS_PER_VALUE * values
        return len(self.records) > 1 and few


class HolderAnswer(BaseModel):
    """What one holder says; several parts of it are joined by `join`."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    holder: str
    categories: list[Category] = Field(default_factory=list)

    @property
    def count(self) -> int:
        return sum(len(category.records) for category in self.categories)


def read_part(raw: bytes, holder: str) -> HolderAnswer:
    """One opened part. Raises MalformedError where it is not what the contract says or speaks for another holder."""
    try:
        part = HolderAnswer.model_validate_json(raw)
    except ValidationError as error:
        raise MalformedError("a holder's answer does not follow the contract") from error
    if part.holder != holder:
        raise MalformedError("a holder's answer speaks for another holder")
    return part


def join(parts: Sequence[HolderAnswer]) -> HolderAnswer:
    """Numbered parts, in order, as one answer: categories of the same name continue each other."""
    heads: dict[str, Category] = {}
    records: dict[str, list[dict[str, Any]]] = {}
    for category in (one for part in parts for one in part.categories):
        heads[category.name] = category
        records.setdefault(category.name, []).extend(category.records)
    whole = [heads[name].model_copy(update={"records": found}) for name, found in records.items()]
    return HolderAnswer(holder=parts[0].holder, categories=whole)


def file_name(holder: str) -> str:
    """A safe name inside the zip, whatever a holder calls itself."""
    return f"data/{_SAFE.sub('-', holder.lower()) or 'holder'}.json"


def files_of(summary: Mapping[str, Any], answers: Sequence[HolderAnswer], index_html: str) -> dict[str, bytes]:
    """Name -> content: the page to read, the summary, and each holder's data to take elsewhere."""

    def as_json(value: object) -> bytes:
        return (json.dumps(value, ensure_ascii=False, indent=2, default=str) + "\n").encode()

    found = {"index.html": index_html.encode(), "request.json": as_json(dict(summary))}
    for answer in answers:
        found[file_name(answer.holder)] = as_json(answer.model_dump())
    return found


def zipped(contents: Mapping[str, bytes]) -> bytes:
    """One zip, in memory: nothing of it ever touches a disk."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(contents):
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), contents[name], zipfile.ZIP_DEFLATED)
    return buffer.getvalue()
