"""Calls to an S3 server: what their failures become, and which are tried again.

| the server, or the way to it                         | becomes                                                       |
|------------------------------------------------------|---------------------------------------------------------------|
| no answer, reset, 429, 5xx, SlowDown, a race (409)   | tried again, waiting longer each time; then UnavailableError   |
| 412                                                  | PreconditionError                                             |
| no such key                                          | NotFoundError                                                 |
| no such bucket, 401, 403, another region             | UnavailableError that says which: somebody has to put it right |
| anything else                                        | InvariantError: we asked for nonsense                         |
"""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, PartialCredentialsError

from shared.errors import InvariantError, NotFoundError, PreconditionError, UnavailableError

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

MODE: Final = "COMPLIANCE"  # of every retention
CONNECT_SECONDS_MAX = 3
READ_SECONDS_MAX = 10
WAIT_SECONDS = (0.1, 0.3, 1.0, 2.0)  # between five tries; each is drawn from [half, whole], so that many do not come at once
CONNECTIONS_MAX = 16
AGAIN = {408, 429, 500, 502, 503, 504}
AGAIN_CODES = {
    "SlowDown",
    "RequestTimeout",
    "InternalError",
    "ServiceUnavailable",
    "ConditionalRequestConflict",
    "OperationAborted",
}
ELSEWHERE = {"PermanentRedirect", "TemporaryRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException"}
# No other 404 means that a blob is not there: a reader that took "no such user" for it would find an empty log.
MISSING = {"NoSuchKey", "NoSuchVersion", "NoSuchObjectLockConfiguration", "ObjectLockConfigurationNotFoundError", "404"}
T = TypeVar("T")


@dataclass(frozen=True)
class Credentials:
    """What Vault has at `kept/<service>/s3`."""

    access_key: str
    secret_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)


def connect(endpoint: str, region: str, credentials: Credentials | None) -> "S3Client":
    """A client for threads to share. Without credentials those of the environment are used, as every S3 program does."""
    config = Config(
        connect_timeout=CONNECT_SECONDS_MAX,
        read_timeout=READ_SECONDS_MAX,
        retries={"total_max_attempts": 1},  # `tried` knows after which failures a write may have happened
        max_pool_connections=CONNECTIONS_MAX,
        s3={"addressing_style": "path" if endpoint else "auto"},
    )
    return boto3.session.Session().client(
        "s3",
        endpoint_url=endpoint or None,
        region_name=region or None,
        aws_access_key_id=credentials.access_key if credentials else None,
        aws_secret_access_key=credentials.secret_key if credentials else None,
        aws_session_token=credentials.session_token if credentials else None,
        config=config,
    )


def tried(do: Callable[[], T], *, settled: Callable[[], T | None] = lambda: None) -> T:
    """The answer of `do`, which is called again while the server asks for patience.

    A write whose answer was lost may have happened, and its second try is then refused by its own condition: after such
    a 412, and no other, what `settled` finds is the answer.
    """
    doubtful = False
    for wait in (*WAIT_SECONDS, None):
        try:
            return do()
        except (ClientError, BotoCoreError) as error:
            if _status(error) == 412:
                if doubtful and (found := settled()) is not None:
                    return found
                raise PreconditionError() from None
            if not _again(error):
                raise _translated(error) from None
            if wait is None:
                raise UnavailableError(f"the store does not answer: {code_of(error)}") from None
            doubtful = True
            time.sleep(wait * random.uniform(0.5, 1.0))  # noqa: S311  # spreads load, hides nothing
    raise InvariantError("the last try returns or raises")


def _status(error: Exception) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)) if isinstance(error, ClientError) else 0


def code_of(error: Exception) -> str:
    """The server's code, or what kind of failure it was. Never its text: that may quote the request."""
    return str(error.response.get("Error", {}).get("Code", "")) if isinstance(error, ClientError) else type(error).__name__


def _again(error: Exception) -> bool:
    if isinstance(error, ClientError):
        return _status(error) in AGAIN or code_of(error) in AGAIN_CODES
    return not isinstance(error, NoCredentialsError | PartialCredentialsError)


def _translated(error: Exception) -> Exception:
    status, code = _status(error), code_of(error)
    if code == "NoSuchBucket":
        return UnavailableError("the bucket does not exist")
    if code in MISSING:
        return NotFoundError("no such blob")
    if code in ELSEWHERE or status in (301, 307):
        return UnavailableError(f"the bucket is in another region than the store's address says ({code})")
    if status in (401, 403, 404) or not isinstance(error, ClientError):
        return UnavailableError(f"the store does not let this service in ({code})")
    return InvariantError(f"the store did not accept the request ({code or status})")
