"""Values that a service measures of itself when it is asked, for /metrics."""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector


class Gauge(NamedTuple):
    """One value. Labels are names of ours (a topic, a shard): never a person's, never an id."""

    name: str
    labels: Mapping[str, str]
    value: int


Gauges = Callable[[], Awaitable[Iterable[Gauge]]]


class _Measured(Collector):
    """What was measured just now; those of one name together."""

    def __init__(self, gauges: Iterable[Gauge]) -> None:
        self._gauges = sorted(gauges, key=lambda one: (one.name, sorted(one.labels.items())))

    def collect(self) -> Iterator[GaugeMetricFamily]:
        families: dict[str, GaugeMetricFamily] = {}
        for name, labels, value in self._gauges:
            family = families.setdefault(name, GaugeMetricFamily(name, ""))
            family.add_sample(name, dict(labels), value)
        yield from families.values()


def text_of(gauges: Iterable[Gauge]) -> str:
    """In Prometheus' text format."""
    registry = CollectorRegistry()
    registry.register(_Measured(gauges))
    return generate_latest(registry).decode()
