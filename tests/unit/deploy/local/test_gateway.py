import pytest

from deploy.local.gateway import _headers, target


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
        ("/requests/req_1/code", "dsar"),
        ("/unknown", None),
    ],
)
def test_who_serves_a_path(path: str, part: str | None) -> None:
    assert target(path) == part


def test_headers_of_one_connection_stay_there() -> None:
    given = [(b"Connection", b"close, X-Mine"), (b"x-mine", b"1"), (b"Transfer-Encoding", b"chunked"), (b"host", b"a")]
    assert _headers(given) == [(b"host", b"a")]
