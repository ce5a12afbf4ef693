"""The label: the first blob of a set. It claims the id and says what is being written (docs/formats/backup.md §2)."""

import re
from dataclasses import dataclass

from shared.errors import MalformedError

_LABEL = re.compile(
    r"kept-backup-label/v1\nid (?P<id>bak_[0-9a-f]{32})\nstarted (?P<started>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z)\n"
)


@dataclass(frozen=True)
class Label:
    backup_id: str
    started: str


def encode(label: Label) -> str:
    text = f"kept-backup-label/v1\nid {label.backup_id}\nstarted {label.started}\n"
    if parse(text) != label:
        raise MalformedError("label: a value would be read as something else")
    return text


def parse(text: str) -> Label:
    found = _LABEL.fullmatch(text)
    if found is None:
        raise MalformedError("not a kept-backup-label/v1")
    return Label(found["id"], found["started"])
