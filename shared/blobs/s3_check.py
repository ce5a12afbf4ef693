"""Whether a bucket keeps what it is trusted with: asked at every start, by trying it.

1. It exists, its versions are on, Object Lock is on, and the default retention is COMPLIANCE and long enough: our writes carry
   their own, so this is for what anybody else puts there.
2. The probe, an object of four bytes that no path can name: a second PUT with `If-None-Match: *`, and one with a wrong
   `If-Match`, must be refused.
3. The probe's retention reads back as COMPLIANCE; shortening it, making it GOVERNANCE and deleting the version must be refused.

A store that says yes where it must say no is not used: UnfitStoreError, with every finding and what to do about each.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol, TypedDict

from botocore.exceptions import ClientError

from shared.blobs.s3_calls import MODE, tried
from shared.blobs.store import TEMPORARY, UnfitStoreError
from shared.clock import SystemClock
from shared.errors import InvariantError, NotFoundError, PreconditionError, UnavailableError

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client
    from types_boto3_s3.literals import ObjectLockRetentionModeType

PROBE = f"{TEMPORARY}probe"
PROBE_DAYS = 1
SHORT = timedelta(minutes=1)
NEVER = datetime.min.replace(tzinfo=UTC)
REFUSALS = {400, 403, 405, 409, 412}
NO_TAG = '"00000000000000000000000000000000"'
REMAKE = "make a new bucket with Object Lock on (create-bucket --object-lock-enabled-for-bucket)"


class Bucket(Protocol):
    """What of a store (s3.py) is asked here."""

    client: "S3Client"
    bucket: str
    base: str
    years: int


def check_bucket(store: Bucket) -> str:
    """A line for the operator. UnfitStoreError where the bucket is not fit, UnavailableError where it cannot be asked."""
    found = _configured(store) or _conditional(store) or _retained(store)
    if found:
        raise UnfitStoreError(f"s3://{store.bucket}/{store.base} is not fit to hold the log: " + "; ".join(found))
    return (
        f"s3://{store.bucket}/{store.base}: Object Lock {MODE}, new files for {store.years} years; "
        "tried and refused: overwriting, deleting a version, shortening, downgrading"
    )


def _configured(store: Bucket) -> list[str]:
    """Step 1."""
    client, bucket = store.client, store.bucket
    try:
        versions = tried(lambda: client.get_bucket_versioning(Bucket=bucket)).get("Status")
    except (NotFoundError, UnavailableError) as error:
        if isinstance(error, UnavailableError) and "does not exist" not in error.detail:
            raise
        return [f"there is no such bucket: {REMAKE}"]
    found = [] if versions == "Enabled" else [f"versioning is {versions or 'off'}: switch it on (put-bucket-versioning)"]
    try:
        lock = tried(lambda: client.get_object_lock_configuration(Bucket=bucket))["ObjectLockConfiguration"]
    except NotFoundError:
        lock = {}
    if lock.get("ObjectLockEnabled") != "Enabled":
        return [*found, f"Object Lock is off: {REMAKE}"]
    default = lock.get("Rule", {}).get("DefaultRetention", {})
    years, mode = default.get("Years", 0) or default.get("Days", 0) / 365, default.get("Mode", "")
    repair = f"set it with put-object-lock-configuration to {MODE}, {store.years} years or more"
    if not mode:
        found.append(f"there is no default retention: {repair}")
    elif mode != MODE:
        found.append(f"the default retention is {mode}, which the right to bypass undoes: {repair}")
    elif years < store.years:
        found.append(f"the default retention is {years:g} years, less than {store.years}: {repair}")
    return found


def _conditional(store: Bucket) -> list[str]:
    """Step 2."""
    try:
        tried(lambda: _put(store, b"kept", IfNoneMatch="*"))  # the first start makes it, later ones find it
    except PreconditionError:
        pass
    except InvariantError as error:
        return [f"{error.detail}: a PUT with If-None-Match and a retention must be possible (use a store that has both)"]
    wrong = []
    if _accepted(lambda: _put(store, b"Kept", IfNoneMatch="*")):
        wrong.append("the store ignores If-None-Match, so that two writers can both be first")
    if _accepted(lambda: _put(store, b"KEPT", IfMatch=NO_TAG)):
        wrong.append("the store ignores If-Match, so that a checkpoint can go back")
    return [f"{one} (use a store that has conditional writes)" for one in wrong]


def _retained(store: Bucket) -> list[str]:
    """Step 3."""
    probe, now = _Probe(store), SystemClock().now()
    tomorrow = now + timedelta(PROBE_DAYS)
    if probe.until() <= now + 2 * SHORT and not _accepted(lambda: probe.retain(MODE, tomorrow)):
        return ["the retention of an object cannot be set: allow s3:PutObjectRetention to this key"]
    if probe.until() <= now + 2 * SHORT:
        return [f"the store does not keep a retention of mode {MODE} (use a store that has Object Lock)"]
    wrong = []
    if _accepted(lambda: probe.retain(MODE, now + SHORT)):
        wrong.append("a retention can be shortened")
    if _accepted(lambda: probe.retain("GOVERNANCE", tomorrow + SHORT)):
        wrong.append(f"{MODE} can be made GOVERNANCE")
    if _accepted(probe.delete):
        wrong.append("a version under retention can be deleted")
    return [f"{one} (use a store that enforces Object Lock)" for one in wrong]


class _Place(TypedDict):
    Bucket: str
    Key: str
    VersionId: str


class _Probe:
    """One version of the probe, and what is tried on it; each with the right to bypass, as a strong attacker would."""

    def __init__(self, store: Bucket) -> None:
        self._client, bucket, key = store.client, store.bucket, store.base + PROBE
        found = tried(lambda: self._client.head_object(Bucket=bucket, Key=key))
        self._place: _Place = {"Bucket": bucket, "Key": key, "VersionId": found.get("VersionId", "")}

    def until(self) -> datetime:
        """Until when COMPLIANCE holds it; long ago if nothing does."""
        try:
            answer = tried(lambda: self._client.get_object_retention(**self._place))
        except NotFoundError:
            return NEVER
        found = answer["Retention"]
        return found.get("RetainUntilDate", NEVER) if found.get("Mode") == MODE else NEVER

    def retain(self, mode: "ObjectLockRetentionModeType", until: datetime) -> None:
        self._client.put_object_retention(
            **self._place, BypassGovernanceRetention=True,
            Retention={"Mode": mode, "RetainUntilDate": until},
        )  # fmt: skip

    def delete(self) -> None:
        self._client.delete_object(**self._place, BypassGovernanceRetention=True)


def _put(store: Bucket, data: bytes, **condition: Any) -> None:
    until = SystemClock().now() + timedelta(PROBE_DAYS)
    store.client.put_object(
        Bucket=store.bucket,
        Key=store.base + PROBE,
        Body=data,
        ObjectLockMode=MODE,
        ObjectLockRetainUntilDate=until,
        **condition,
    )


def _accepted(do: Callable[[], object]) -> bool:
    """Whether the store did it. What is neither a yes nor a no (503, no answer) is tried again, and raises in the end."""

    def once() -> bool:
        try:
            do()
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] in REFUSALS:
                return False
            raise
        return True

    return tried(once)
