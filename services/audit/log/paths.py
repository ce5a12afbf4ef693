"""Names of tiles and bundles: https://c2sp.org/tlog-tiles."""

import re

from shared.errors import MalformedError

WIDTH = 256
CHECKPOINT = "checkpoint"
_NAME = re.compile(
    r"tile/(?P<level>entries|[0-9]|[1-5][0-9]|6[0-3])/(?P<n>(?:x[0-9]{3}/)*[0-9]{3})(?:\.p/(?P<w>[1-9][0-9]{0,2}))?"
)


def number(n: int) -> str:
    """1234067 -> `x001/x234/067`."""
    groups = [f"{n % 1000:03d}"]
    while n >= 1000:
        n //= 1000
        groups.append(f"x{n % 1000:03d}")
    return "/".join(reversed(groups))


def tile(level: int | str, n: int, width: int = WIDTH) -> str:
    """The path of tile `n` of `level` (`entries` for bundles), partial where `width` < 256."""
    return f"tile/{level}/{number(n)}" + (f".p/{width}" if width < WIDTH else "")


def bundle(n: int, width: int = WIDTH) -> str:
    return tile("entries", n, width)


def parse(path: str) -> tuple[int | str, int, int]:
    """(level or `entries`, n, width) of a path; MalformedError where it is not the one accepted form."""
    found = _NAME.fullmatch(path)
    if found is None:
        raise MalformedError("not the path of a tile")
    level: int | str = found["level"] if found["level"] == "entries" else int(found["level"])
    n = int(found["n"].replace("x", "").replace("/", ""))
    width = int(found["w"] or WIDTH)
    if tile(level, n, width) != path:
        raise MalformedError("not the path of a tile")
    return level, n, width


def widths(size: int) -> list[tuple[int, int, int]]:
    """(level, full tiles, width of the partial tile) of a tree of `size` leaves, levels that have anything."""
    found, level = [], 0
    while size:
        found.append((level, size // WIDTH, size % WIDTH))
        size //= WIDTH
        level += 1
    return found
