"""What a request is addressed to: our own hosts, and plain paths. Held here too: not every proxy looks."""

import re
from collections.abc import Mapping
from urllib.parse import unquote_to_bytes, urlsplit

from starlette.types import Scope

from shared.errors import KeptError, MalformedError, MisdirectedError, TooLargeHeadError
from shared.http import limits
from shared.settings import ServiceSettings

# What machines of the inside ask by an address of their own: a probe knows no name.
INSIDE = frozenset({"/livez", "/readyz", "/metrics", "/.well-known/jwks.json"})
_DOTS = re.compile(rb"(?:^|/)\.{1,2}(?:/|$)")
_ODD = re.compile(rb"[\x00-\x1f\x7f\\]")


class Address:
    """The hosts and origins of a service."""

    def __init__(self, settings: ServiceSettings) -> None:
        self.origins = frozenset({settings.public_origin, *settings.origins})
        public = {urlsplit(origin).netloc.lower() for origin in self.origins}
        own = {f"{name}:{settings.http_port}" for name in ("localhost", "127.0.0.1", "[::1]", settings.service)}
        self._hosts = frozenset({*public, *own, *(host.lower() for host in settings.hosts)})

    def refusal(self, scope: Scope, headers: Mapping[str, str]) -> KeptError | None:
        """Why this is not answered."""
        raw_path, query = scope.get("raw_path") or scope["path"].encode(), scope["query_string"]
        if sum(len(name) + len(value) for name, value in scope["headers"]) > limits.HEADER_BYTES_MAX:
            return TooLargeHeadError(f"the headers are over their limit of {limits.HEADER_BYTES_MAX} bytes")
        if headers.get("host", "").lower() not in self._hosts and scope["path"] not in INSIDE:
            return MisdirectedError()
        path = unquote_to_bytes(raw_path)
        if _DOTS.search(path) or _ODD.search(path):
            return MalformedError("a path has no dot segments, no backslashes and no control characters")
        if b"%00" in query:
            return MalformedError("a query has no NUL")
        return None
