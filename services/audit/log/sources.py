"""Where a log is read from: a directory, a bucket (`s3://…`), or a URL. Reading only; every answer has a limit."""

import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Protocol

import httpx

from shared.blobs import PosixStore, open_store
from shared.errors import NotFoundError, TamperError, UnavailableError

FILE_BYTES_MAX = 256 * 1024 * 1024  # a large entry; a bundle is at most 16.8 MB
TRIES = 5  # a server that is busy or gone is asked again, for about TRIES_SECONDS in all
PAUSE_SECONDS = 0.5
TIMEOUT_SECONDS = 30.0
AT_ONCE = 16  # files asked of a server at the same time, per process: a wait is a round trip, not a disk


GONE = (NotFoundError, TamperError)  # not there, or hidden: a bucket knows what it had


class Files(Protocol):
    """What verification reads."""

    def get(self, path: str) -> bytes:
        """NotFoundError if there is no such file, TamperError if it was hidden, UnavailableError if nobody can say now."""
        ...


class Web:
    """A log under an address that ends in `/log`."""

    def __init__(self, url: str) -> None:
        limits = httpx.Limits(max_connections=AT_ONCE, max_keepalive_connections=AT_ONCE)
        self._client = httpx.Client(base_url=url.rstrip("/") + "/", timeout=TIMEOUT_SECONDS, limits=limits)

    def get(self, path: str) -> bytes:
        for turn in range(TRIES):
            if turn:
                time.sleep(PAUSE_SECONDS * 2 ** (turn - 1))
            try:
                with self._client.stream("GET", path) as answer:
                    if answer.status_code == 404:
                        raise NotFoundError("the file is not there")
                    if answer.status_code == 200:
                        return _body(answer)
                    if answer.status_code != 429 and answer.status_code < 500:
                        raise UnavailableError(f"the log's server answers {answer.status_code}")
            except httpx.InvalidURL:
                raise NotFoundError("the file is not there") from None
            except httpx.HTTPError:
                continue
        raise UnavailableError("the log cannot be reached there")


def _body(answer: httpx.Response) -> bytes:
    parts, size = [], 0
    for part in answer.iter_bytes():
        size += len(part)
        if size > FILE_BYTES_MAX:
            raise TamperError(f"a file of over {FILE_BYTES_MAX} bytes")
        parts.append(part)
    return b"".join(parts)


def opened(where: str) -> Files:
    """The log at a URL, a bucket or a directory. NotFoundError where the directory holds none."""
    if where.startswith(("http://", "https://")):
        return Web(where)
    if where.startswith("s3://"):
        return open_store(where)
    root = Path(where)
    if not (root / "shards").is_file():
        raise NotFoundError(f"no log in {root}")
    return PosixStore(root)


def ahead(files: Files, names: Iterable[str], at_once: int | None = None) -> Iterator[bytes | None]:
    """The files in order, None where one is not there; from afar several are asked for at the same time."""
    width = at_once if at_once is not None else 1 if isinstance(files, PosixStore) else AT_ONCE
    if width == 1:
        yield from (_or_none(files, name) for name in names)
        return
    left = iter(names)
    with ThreadPoolExecutor(width) as pool:
        window: deque[Future[bytes | None]] = deque(pool.submit(_or_none, files, name) for name in islice(left, 2 * width))
        while window:
            yield window.popleft().result()
            window.extend(pool.submit(_or_none, files, name) for name in islice(left, 1))


def _or_none(files: Files, name: str) -> bytes | None:
    try:
        return files.get(name)
    except GONE:
        return None
