"""A store by its address."""

from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from shared.blobs.immutable import Immutable
from shared.blobs.posix import PosixStore
from shared.blobs.store import CheckedStore
from shared.errors import MalformedError

YEARS = 10
_FORMS = "a directory, file:///directory, or s3://bucket/prefix?region=…&endpoint=https://…"


def open_store(
    address: str | Path, *, years: int = YEARS, keys: dict[str, str] | None = None, immutable: Immutable = "off"
) -> CheckedStore:
    """`address` is a directory, `file:///directory`, or `s3://bucket[/prefix][?region=…][&endpoint=…]`; else MalformedError.

    `immutable` is for directories; `years` is how long S3 keeps what is written once. `keys` has `access_key`, `secret_key` and
    maybe `session_token`; without it, those that the environment gives to every S3 program. They never stand in the address.
    """
    if isinstance(address, Path) or "://" not in address:
        return PosixStore(Path(address), immutable)
    parts = urlsplit(address)
    if parts.scheme == "file" and not parts.netloc and not parts.query and parts.path != "/":
        return PosixStore(Path(unquote(parts.path)), immutable)
    if parts.scheme != "s3" or not parts.netloc or parts.netloc != parts.hostname or parts.fragment:
        raise MalformedError(f"not the address of a store; one is {_FORMS}")
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    if options.keys() - {"region", "endpoint"} or not all(options.values()):
        raise MalformedError(f"the options of a store are its region and its endpoint: {_FORMS}")
    from shared.blobs.s3 import S3Store  # its libraries take a while to load, and most stores are directories
    from shared.blobs.s3_calls import Credentials, connect

    client = connect(options.get("endpoint", ""), options.get("region", ""), Credentials(**keys) if keys else None)
    return S3Store(client, parts.netloc, parts.path.strip("/"), years)
