"""What a rotation is, and the one next step of it. Pure.

Nothing is remembered but the versions that it began with (no clock decides anything): which key has its new version, which
person's key is under it, which set proves it and what is trimmed are found from what is there. So a rotation goes on after a
kill at any instant, and two who drive it do the same.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from services.backup.formats.report import Report, carried, keyrings

# Whose key encryption keys are trimmed: they wrap people's keys. Backup's own wraps the keys of sets, which must stay openable.
HOLDERS = ("identity", "customers", "audit", "dsar")

# Of these keys blind indexes and locators are made; they are trimmed too, when all that live are made anew.
BLIND = ("identity", "customers", "dsar")
HASHES = ("kept-locator", *(f"kept-{one}-blind" for one in BLIND))


class Step(StrEnum):
    """What is to be done next; the last one means that nothing is."""

    BEGIN = "begin"
    ROTATE = "rotate"
    REWRAP = "rewrap"
    MARK = "mark"
    DRILL = "drill"
    REHEARSE = "rehearse"
    TRIM = "trim"
    TELL = "tell"


@dataclass(frozen=True)
class Key:
    """A transit key as Vault has it: its newest version, and the oldest that still opens (or hashes). `before`: an installation
    of before has the first version beside it (shared/keys/blind.py)."""

    name: str
    newest: int
    oldest: int
    before: bool = False


def kek(holder: str) -> str:
    """The name of a holder's key encryption key."""
    return f"kept-{holder}"


def proves(report: Report, keys: Iterable[Key]) -> bool:
    """Whether this drill restored every living person's key, from the set itself, under the newest version of its KEK."""
    newest = {key.name: key.newest for key in keys}
    found = keyrings(report)
    return (
        not carried(report)
        and report.passed
        and all(
            holder in found and (not found[holder].living or found[holder].lowest >= newest[kek(holder)]) for holder in HOLDERS
        )
    )


def outlives(report: Report, keys: Iterable[Key]) -> bool:
    """Whether the set of this drill was restored as it will be after the trim: with keyrings that need no older version."""
    newest = {key.name: key.newest for key in keys}
    found = keyrings(report)
    return report.passed and all(
        not one.living or one.lowest >= newest[kek(holder)] for holder, one in found.items() if holder in HOLDERS
    )


def due(keys: Sequence[Key], before: Mapping[str, int]) -> list[str]:
    """The keys that have no new version yet since the rotation began, with the versions `before`."""
    return [key.name for key in keys if key.newest == before.get(key.name)]


def untrimmed(keys: Sequence[Key]) -> list[str]:
    """The people's KEKs, and the keys of hashes, of which an older version than the newest still is."""
    ours = {*map(kek, HOLDERS), *HASHES}
    return [key.name for key in keys if key.name in ours and (key.oldest < key.newest or (key.before and key.newest > 1))]


def next_step(
    keys: Sequence[Key],
    before: Mapping[str, int] | None,
    *,
    settled: bool,
    unmarked: int,
    proof: Report | None,
    oldest_outlives: bool,
) -> Step:
    """The one thing to do now. `before`: the versions that the rotation began with, None where none is under way; `settled`:
    whether no living key is under an older version any more, nor on its way, and no hash; `unmarked`: what the list of the
    forgotten would lose with the old version, and nobody has decided to give up; `proof`: the newest drill that proves
    the same of a set's keys, if there is one; `oldest_outlives`: whether the oldest set that is kept was restored as it will be
    after the trim."""
    if before is None:
        return Step.BEGIN
    if due(keys, before):
        return Step.ROTATE
    if untrimmed(keys):
        if not settled:
            return Step.REWRAP
        if unmarked:  # before the set is taken: it has the list then, as a restore from before the trim needs it
            return Step.MARK
        if proof is None:
            return Step.DRILL
        return Step.TRIM if oldest_outlives else Step.REHEARSE
    return Step.TELL
