"""Values that a service measures of itself, for /metrics: Prometheus' text format."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import NamedTuple


class Gauge(NamedTuple):
    """One value. Labels are names of ours (a topic, a shard): never a person's, never an id."""

    name: str
    labels: Mapping[str, str]
    value: int


Gauges = Callable[[], Awaitable[Iterable[Gauge]]]


def text_of(gauges: Iterable[Gauge]) -> str:
    """Lines, those of one name together under its type."""
    names: dict[str, list[str]] = {}
    for name, labels, value in gauges:
        inside = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels.items())
        names.setdefault(name, []).append(f"{name}{{{inside}}} {value}" if inside else f"{name} {value}")
    return "".join(f"# TYPE {name} gauge\n" + "\n".join(sorted(lines)) + "\n" for name, lines in sorted(names.items()))


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
