"""Which part answers which path. Data, read in one look."""

from collections.abc import Mapping

# A prefix covers itself and what follows it after a "/"; none lies inside another part's.
ROUTES: Mapping[str, tuple[str, ...]] = {
    "identity": ("/signin", "/signout", "/account", "/approvals", "/api/identity", "/.well-known/jwks.json"),
    "customers": ("/customers", "/api/customers"),
    "audit": ("/audit", "/api/audit", "/log"),
    "backup": ("/backups", "/api/backup"),
    "dsar": ("/requests", "/desk", "/api/dsar", "/style.css"),
}
FRONT = ("/", "dsar")  # the portal's front page, and nothing under it
LOCAL: Mapping[str, tuple[str, ...]] = {"mail": ("/mail", "/mail.json", "/mail.css")}  # the mail catcher of one machine
# Where a body may be larger than BODY_BYTES_MAX: as the service itself says (a test compares them).
LARGE: Mapping[str, int] = {
    "/api/customers/imports": 32 * 1024 * 1024, "/api/customers/imports/check": 32 * 1024 * 1024,
}  # fmt: skip

# Where an answer may take long to begin: a large import, an export, a stream, a person's package. Elsewhere it is a fault.
SLOW = ("/api/customers/imports", "/api/customers/exports", "/api/audit/export", "/api/audit/tail")
SLOW_END = "/package"


def target(path: str, routes: Mapping[str, tuple[str, ...]] | None = None) -> str | None:
    """Which part serves a path; None: nobody."""
    if path == FRONT[0]:
        return FRONT[1]
    for part, prefixes in (routes or {**ROUTES, **LOCAL}).items():
        if any(path == prefix or path.startswith(f"{prefix}/") for prefix in prefixes):
            return part
    return None
