"""Whose record is whose to decide about, from what holders said. Pure, and the same in whatever order they said it.

A holder that says the address leads to a record says so for itself alone. Only where the owner of that subject, the service
whose own topic made it, says the same is the record the request's: then the owner has decided, and everybody is asked
about it. So a holder that names a pseudonym it has seen somewhere has nothing handed over or erased, and makes nothing
unclear for the person. What no owner made is the holder's own: it alone is asked about it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

STAFF = "identity"  # makes the pseudonyms of the staff
OWNERS = (STAFF, "customers")  # services whose own topic makes subjects
GIVEN = ("audit", "dsar", "backup")  # hold about a subject what the owner gave them: by themselves they know nobody


@dataclass(frozen=True)
class Said:
    """One holder, proven: the address leads to this record there, by these locators."""

    holder: str
    subject: str
    locators: tuple[str, ...] = ()


def owner_of(subject: str, said: Iterable[Said], made: Mapping[str, str]) -> str | None:
    """Who made the subject: as its owner's topic said (`made`). Where the bus no longer has that event: the one of OWNERS that
    names it; nobody where that is not one."""
    if subject in made:
        return made[subject]
    naming = {one.holder for one in said if one.subject == subject and one.holder in OWNERS}
    return naming.pop() if len(naming) == 1 else None


def confirmed(said: Sequence[Said], made: Mapping[str, str]) -> dict[str, list[str]]:
    """The records that their owner named, each with the locators that the owner says lead there: what others say of them
    tells nobody apart."""
    return {
        one.subject: sorted(one.locators)
        for one in sorted(said, key=lambda one: one.subject)
        if one.holder == owner_of(one.subject, said, made)
    }


def alone(said: Sequence[Said], made: Mapping[str, str]) -> dict[str, list[str]]:
    """Records that no owner named: each with the holders that are asked about it, themselves alone. Nobody is where a holder
    names several, since nothing tells them apart: such a record is left out, and counted. So is one that an owner made and,
    asked itself, does not name: the holder's word alone would have a stranger's pseudonym handed to whoever asks, a certificate
    cover what stays readable, and a colleague kept from deciding on the erasure as if it were their own."""
    known, found = confirmed(said, made), dict[str, list[str]]()
    for holder in sorted({one.holder for one in said} - set(GIVEN)):
        theirs = sorted({one.subject for one in said if one.holder == holder} - known.keys())
        for subject in theirs:
            theirs_alone = len(theirs) == 1 and subject not in made
            found.setdefault(subject, []).extend([holder] if theirs_alone else [])
    return dict(sorted(found.items()))
