"""What lies over a name in a versioned bucket. Object Lock protects versions, not names: a version that nobody can delete can
still be hidden by a newer one, or by a delete marker, and readers then see that."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from shared.blobs.s3_calls import tried
from shared.blobs.store import TEMPORARY, Overlaid
from shared.clock import rfc3339
from shared.errors import UnavailableError

# Sorts before every character of a path: "name!" stands behind all versions of "name" and before every other name. Stores do
# not agree whether a key marker alone begins with that key or behind it.
AFTER = "!"
PAGE_MAX = 1000  # S3's own limit

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client


@dataclass(frozen=True)
class Version:
    key: str
    id: str
    at: datetime
    newest: bool
    marker: bool

    def __str__(self) -> str:
        return f"{'delete marker' if self.marker else 'version'} {self.id} of {rfc3339(self.at)}"


def history(client: "S3Client", bucket: str, key: str) -> list[Version]:
    """The versions of one name, newest first (of very many, the newest thousand); empty if it never was."""
    return [one for one in _versions(_page(client, bucket, key)) if one.key == key]


def told(versions: Sequence[Version]) -> str:
    """For a person who has to find out what happened."""
    if not versions:
        return "the store lists no version of it"
    over, first = versions[:-1], versions[-1]
    if not over:
        return f"there is only {first}"
    return f"{over[0]} lies over {first}" + (f", with {len(over) - 1} more between" if len(over) > 1 else "")


def overlaid(client: "S3Client", bucket: str, base: str, moves: Callable[[str], bool]) -> Iterator[Overlaid]:
    """Under `base`: every name that a delete marker hides, and every one with more on it than one version unless it `moves`."""
    marker: dict[str, str] = {}
    held: dict[str, dict[str, Version]] = {}  # by id: a store may begin a page with the version that the one before ended with
    while True:
        page = _page(client, bucket, base, **marker)
        for version in _versions(page):
            held.setdefault(version.key, {}).setdefault(version.id, version)
        more, last = bool(page.get("IsTruncated")), str(page.get("NextKeyMarker", ""))
        unfinished = more and not moves(last[len(base) :])
        for key in sorted(held):
            if not (unfinished and key == last):  # the rest of its versions is on the next page
                yield from _judged(key[len(base) :], list(held.pop(key).values()), moves)
        if not more:
            return
        before = marker
        if unfinished:
            marker = {"KeyMarker": last, "VersionIdMarker": str(page.get("NextVersionIdMarker", ""))}
        else:  # a name that moves may have millions of versions: the newest were seen, so on to the next name
            marker = {"KeyMarker": last + AFTER}
        if marker == before:
            raise UnavailableError("the store's listing of versions does not move on")


def _judged(path: str, versions: Sequence[Version], moves: Callable[[str], bool]) -> Iterator[Overlaid]:
    real = [version for version in versions if not version.marker]
    if TEMPORARY in path:  # the probe of s3_check
        return
    whole = versions[0].newest and not versions[0].marker if moves(path) else len(versions) == len(real) == 1
    if not whole:
        yield Overlaid(path, told(versions), real[-1].id if real else "")


def _page(client: "S3Client", bucket: str, prefix: str, **marker: str) -> dict[str, Any]:
    return tried(lambda: dict(client.list_object_versions(Bucket=bucket, Prefix=prefix, MaxKeys=PAGE_MAX, **marker)))  # type: ignore[arg-type]  # the markers' names


def _versions(page: dict[str, Any]) -> list[Version]:
    """Both lists of the answer as one: by key, each newest first."""
    found = [
        Version(one["Key"], one["VersionId"], one["LastModified"], one["IsLatest"], kind == "DeleteMarkers")
        for kind in ("Versions", "DeleteMarkers")
        for one in page.get(kind, [])
    ]
    # Within a second the server's own order counts, and the newest is marked; sorting is stable.
    return sorted(found, key=lambda one: (one.key, not one.newest, -one.at.timestamp()))
