"""Whatever many pages a list has: a test that takes the first for the whole fails once others have filled it."""

from typing import Any

import httpx


def every(client: httpx.Client, path: str, limit: int = 500, **asked: str) -> list[dict[str, Any]]:
    """The items of all pages of the list at `path`, asked for with `asked`; fails where one is not answered."""
    found: list[dict[str, Any]] = []
    cursor: str | None = ""
    while cursor is not None:
        answer = client.get(path, params={**asked, "limit": limit, "cursor": cursor})
        assert answer.status_code == httpx.codes.OK, answer.text
        page = answer.json()
        found += page["items"]
        cursor = page["next"]
    return found
