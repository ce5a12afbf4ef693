"""Histograms say what was observed, in few series, and hold no value of anybody."""

from typing import Any, cast

import pytest

from shared import metrics
from shared.bus.reconcile import Placed
from shared.bus.relay import Batch
from shared.bus.sending import Pending
from shared.errors import NotAllowedError, UnavailableError
from shared.gauges import Gauge, text_of


def value(name: str, **labels: str) -> float:
    return cast(Any, metrics.REGISTRY).get_sample_value(name, labels) or 0.0


def test_a_request_is_counted_under_its_route_and_timed() -> None:
    labels = {"service": "demo", "method": "GET", "route": "/things/{id}", "status": "200"}
    observe = metrics.requests_of("demo")
    for seconds in (0.002, 0.2):
        observe("GET", "/things/{id}", 200, seconds)
    assert value("kept_http_request_seconds_count", **labels) == 2
    assert value("kept_http_request_seconds_sum", **labels) == pytest.approx(0.202)
    assert value("kept_http_request_seconds_bucket", **labels, le="0.0025") == 1
    assert 'route="/things/{id}"' in metrics.text()


@pytest.mark.parametrize(
    ("error", "outcome"),
    [(None, "answered"), (UnavailableError(), "away"), (NotAllowedError(), "refused"), (KeyError(), "refused")],
)
def test_a_call_of_the_key_service_says_how_it_ended(error: Exception | None, outcome: str) -> None:
    before = value("kept_vault_call_seconds_count", outcome=outcome)
    try:
        with metrics.vault_call(UnavailableError):
            if error is not None:
                raise error
    except (UnavailableError, NotAllowedError, KeyError):
        assert error is not None
    assert value("kept_vault_call_seconds_count", outcome=outcome) == before + 1


def test_an_event_is_as_late_as_it_waited_and_was_under_way() -> None:
    rows = [Pending("1", "t", "k", [], b"", 1, 4.0), Pending("2", "t", "k", [], b"", 2, 40.0)]
    before = value("kept_relay_delay_seconds_count"), value("kept_relay_delay_seconds_sum")
    batch = Batch(rows)
    batch.fetched -= 2.0
    batch.sent([Placed("1", "t", 0, 7)])  # the other one is not acknowledged
    assert value("kept_relay_delay_seconds_count") == before[0] + 1
    assert 6.0 <= value("kept_relay_delay_seconds_sum") - before[1] < 36.0


def test_gauges_of_one_name_stand_together_and_what_is_odd_is_escaped() -> None:
    text = text_of([Gauge("b", {"x": "1"}, 2), Gauge("a", {}, 1), Gauge("b", {"x": 'q"\n\\'}, 3)])
    lines = [line for line in text.splitlines() if not line.startswith("# HELP")]
    assert lines == ["# TYPE a gauge", "a 1.0", "# TYPE b gauge", 'b{x="1"} 2.0', 'b{x="q\\"\\n\\\\"} 3.0']
