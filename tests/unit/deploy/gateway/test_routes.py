"""Who serves which path, and that the gateway's limits are those of the services."""

from itertools import combinations

import pytest

from deploy.gateway.routes import LARGE, LOCAL, ROUTES, target
from services.customers.transfer.api import CHECKS, IMPORTS
from shared.sheets import FILE_BYTES_MAX


@pytest.mark.parametrize(
    ("path", "part"),
    [
        ("/", "dsar"),
        ("/signin", "identity"),
        ("/api/identity/sessions", "identity"),
        ("/.well-known/jwks.json", "identity"),
        ("/customers/sub_1", "customers"),
        ("/customersx", None),
        ("/api", None),
        ("/api/customers", "customers"),
        ("/log/kept.customers/0/tile/0/000", "audit"),
        ("/mail", "mail"),
        ("/metrics", None),
        ("/livez", None),
        ("/readyz", None),
        ("/requests/req_1/code", "dsar"),
        ("/unknown", None),
    ],
)
def test_who_serves_a_path(path: str, part: str | None) -> None:
    assert target(path) == part


def test_no_prefix_lies_in_another_parts() -> None:
    """So the order of the table means nothing."""
    for (one, paths), (other, others) in combinations({**ROUTES, **LOCAL}.items(), 2):
        for a in paths:
            for b in others:
                assert a != b and not a.startswith(f"{b}/") and not b.startswith(f"{a}/"), (one, a, other, b)


def test_a_large_body_is_as_large_as_its_service_says() -> None:
    assert {IMPORTS: FILE_BYTES_MAX, CHECKS: FILE_BYTES_MAX} == LARGE
