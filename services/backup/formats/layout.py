"""Where things lie in the blob store (docs/formats/backup.md §1). Names only; no I/O.

sets/<bak_…>/label             written first: an id that is taken
sets/<bak_…>/parts/00000000    the age stream, cut in parts
sets/<bak_…>/manifest          written last: a set without it does not count
erasures/<holder>/<subject>    one empty fact each: this holder destroyed this subject's key
drills/<drl_…>/report          signed note
horizon/<drl_…>                signed note: what opens nothing any more, since this drill
"""

import re

from shared.errors import MalformedError
from shared.ids import require_id

PARTS_MAX = 1_000_000  # 8 MiB each: 7.6 TiB, above what one pg_basebackup stream is sensible for
_ERASURE = re.compile(r"^erasures/(?P<holder>[a-z]{1,32})/(?P<subject>[a-z]{3}_[0-9a-f]{32})$")


def label(backup_id: str) -> str:
    return f"sets/{require_id(backup_id, 'bak')}/label"


def part(backup_id: str, number: int) -> str:
    if not 0 <= number < PARTS_MAX:
        raise MalformedError(f"part number outside 0..{PARTS_MAX - 1}")
    return f"sets/{require_id(backup_id, 'bak')}/parts/{number:08d}"


def manifest(backup_id: str) -> str:
    return f"sets/{require_id(backup_id, 'bak')}/manifest"


def report(drill_id: str) -> str:
    return f"drills/{require_id(drill_id, 'drl')}/report"


def horizon(drill_id: str) -> str:
    return f"horizon/{require_id(drill_id, 'drl')}"


def erasure(holder: str, subject: str) -> str:
    path = f"erasures/{holder}/{subject}"
    parse_erasure(path)
    return path


def parse_erasure(path: str) -> tuple[str, str]:
    """(holder, subject) of an erasure's name; `erasure(*parse_erasure(p)) == p`."""
    found = _ERASURE.fullmatch(path)
    if found is None:
        raise MalformedError("not the name of an erasure")
    return found["holder"], found["subject"]
