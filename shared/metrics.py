"""How long things take, for /metrics: histograms of prometheus_client, one set for a process. Labels are names of ours with few
values: a route's pattern, a status; never a path, an id or a statement's text.

Where one is on the way of every request its labels are looked up once (`requests_of` keeps them): that takes longer than to
count.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Histogram, generate_latest

REGISTRY = CollectorRegistry()  # of its own: the library's is filled by whoever imports it
SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
DELAYS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0, 300.0, 3600.0)

_REQUESTS = Histogram(
    "kept_http_request_seconds", "From a request's head to the end of its answer",
    ("service", "method", "route", "status"), buckets=SECONDS, registry=REGISTRY,
)  # fmt: skip
_VAULT = Histogram(
    "kept_vault_call_seconds", "One call of the key service", ("outcome",), buckets=SECONDS, registry=REGISTRY
)  # fmt: skip
STATEMENTS = Histogram(
    "kept_statement_seconds", "One question to the database and its answer, a commit too", buckets=SECONDS, registry=REGISTRY
)
RELAY_DELAY = Histogram(
    "kept_relay_delay_seconds", "From the transaction of an event to the broker's acknowledgement", buckets=DELAYS,
    registry=REGISTRY,
)  # fmt: skip

Observe = Callable[[str, str, int, float], None]


def requests_of(service: str) -> Observe:
    """Observes a request of this service: method, route pattern, status, seconds."""
    known: dict[tuple[str, str, int], Histogram] = {}

    def observe(method: str, route: str, status: int, seconds: float) -> None:
        one = known.get((method, route, status))
        if one is None:
            one = known[method, route, status] = _REQUESTS.labels(service, method, route, status)
        one.observe(seconds)

    return observe


@contextmanager
def vault_call(away: type[Exception]) -> Iterator[None]:
    """Around one call: it is answered, refused, or ends with `away`."""
    began, outcome = time.perf_counter(), "refused"
    try:
        yield
        outcome = "answered"
    except away:
        outcome = "away"
        raise
    finally:
        _VAULT.labels(outcome).observe(time.perf_counter() - began)


def text() -> str:
    """All of them, in Prometheus' text format."""
    return generate_latest(REGISTRY).decode()
