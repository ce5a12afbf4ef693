"""The erasure horizon: below which version of a holder's KEK nothing opens any more (docs/formats/backup.md §5).

kept-backup-horizon/v1
kek kept-audit 2
kek kept-customers 2
"""

import re
from collections.abc import Mapping

from shared.errors import MalformedError

MAGIC = "kept-backup-horizon/v1"
_LINE = re.compile(r"kek kept-(?P<holder>[a-z]{1,32}) (?P<oldest>[1-9][0-9]{0,8})")


def encode(oldest: Mapping[str, int]) -> str:
    """`oldest`: holder -> the oldest version of its KEK that still opens; sorted by name."""
    text = "".join(f"{line}\n" for line in (MAGIC, *(f"kek kept-{one} {oldest[one]}" for one in sorted(oldest))))
    if parse(text) != oldest:
        raise MalformedError("horizon: a value would be read as something else")
    return text


def parse(text: str) -> dict[str, int]:
    """MalformedError for anything but the one encoding."""
    head, _, rest = text.partition("\n")
    found = [_LINE.fullmatch(line) for line in rest[:-1].split("\n")] if rest else []
    if head != MAGIC or not text.endswith("\n") or None in found:
        raise MalformedError(f"not a {MAGIC}")
    oldest = {one["holder"]: int(one["oldest"]) for one in found if one is not None}
    if list(oldest) != sorted(one["holder"] for one in found if one is not None):
        raise MalformedError("horizon: keys are not sorted by name, each once")
    return oldest
