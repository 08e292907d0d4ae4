"""Numbers for the operator, kept in this process and shown as Prometheus reads them.

Labels come from what the settings and the code name; no number, name or word of a contact is ever one.
"""

import threading
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, Protocol

BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of a histogram's buckets, in seconds."""

MOST_SERIES = 200
"""One metric's combinations of labels; what comes after is counted under `other`."""

OTHER = "other"
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Metric:
    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...] = ()


TURNS = Metric("wabot_turns_total", "counter", "Turns, by what became of them.", ("outcome",))
TURN_SECONDS = Metric("wabot_turn_seconds", "histogram", "How long turns took, in seconds.")
RATE_LIMITED = Metric(
    "wabot_rate_limited_total", "counter", "Messages beyond the rate limit; told is yes or no.", ("told",)
)
SENDS = Metric(
    "wabot_sends_total", "counter", "Attempts to send, by what became of them.", ("channel", "outcome")
)
EFFECTS = Metric(
    "wabot_effects_total", "counter", "Tries of effects, by what became of them.", ("kind", "outcome")
)
CIRCUIT = Metric(
    "wabot_circuit_open", "gauge", "0 is closed, 1 open, 0.5 open but to be tried.", ("circuit",)
)
CIRCUIT_CHANGES = Metric(
    "wabot_circuit_changes_total", "counter", "Circuits that changed to a state.", ("circuit", "state")
)
JOBS = Metric("wabot_jobs_total", "counter", "Jobs of the queue, by what became of them.", ("job", "outcome"))
BACKLOG = Metric("wabot_backlog", "gauge", "What waits, by its kind.", ("kind",))
OLDEST = Metric("wabot_oldest_seconds", "gauge", "How long what is due waits, by its kind.", ("kind",))


class Metrics(Protocol):
    """Labels are given by their names, all that the metric has."""

    def count(self, metric: Metric, **labels: str) -> None: ...
    def observe(self, metric: Metric, seconds: float, **labels: str) -> None: ...
    def set(self, metric: Metric, value: float, **labels: str) -> None: ...
    def text(self) -> str:
        """Prometheus' text exposition format, version 0.0.4 (`CONTENT_TYPE`)."""
        ...


class NoMetrics:
    """Counts nothing."""

    def count(self, metric: Metric, **labels: str) -> None:
        return None

    def observe(self, metric: Metric, seconds: float, **labels: str) -> None:
        return None

    def set(self, metric: Metric, value: float, **labels: str) -> None:
        return None

    def text(self) -> str:
        return ""


@dataclass(slots=True)
class _Series:
    value: float = 0.0
    buckets: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))
    count: int = 0


class MemoryMetrics:
    """The numbers of this process since it began; any thread may count."""

    def __init__(self) -> None:
        self._series: dict[Metric, dict[tuple[str, ...], _Series]] = {}
        self._one_at_a_time = threading.Lock()

    def count(self, metric: Metric, **labels: str) -> None:
        with self._one_at_a_time:
            self._of(metric, labels).value += 1

    def observe(self, metric: Metric, seconds: float, **labels: str) -> None:
        with self._one_at_a_time:
            series = self._of(metric, labels)
            series.value += seconds
            series.count += 1
            series.buckets[bisect_left(BOUNDS, seconds)] += 1

    def set(self, metric: Metric, value: float, **labels: str) -> None:
        with self._one_at_a_time:
            self._of(metric, labels).value = value

    def value(self, metric: Metric, **labels: str) -> float:
        """A counter's or a gauge's; the number of observations of a histogram."""
        with self._one_at_a_time:
            series = self._series.get(metric, {}).get(self._values(metric, labels), _Series())
            return series.count if metric.kind == "histogram" else series.value

    def text(self) -> str:
        with self._one_at_a_time:
            return "".join(f"{line}\n" for line in self._lines())

    def _of(self, metric: Metric, labels: dict[str, str]) -> _Series:
        known = self._series.setdefault(metric, {})
        values = self._values(metric, labels)
        if values not in known and len(known) >= MOST_SERIES:
            values = (OTHER,) * len(values)
        return known.setdefault(values, _Series())

    @staticmethod
    def _values(metric: Metric, labels: dict[str, str]) -> tuple[str, ...]:
        if set(labels) != set(metric.labels):
            raise ValueError(f"{metric.name} has the labels {', '.join(metric.labels) or 'none'}")
        return tuple(labels[name] for name in metric.labels)

    def _lines(self) -> Iterator[str]:
        for metric in sorted(self._series, key=lambda metric: metric.name):
            yield f"# HELP {metric.name} {metric.help}"
            yield f"# TYPE {metric.name} {metric.kind}"
            for values, series in sorted(self._series[metric].items()):
                pairs = [
                    f'{name}="{_escaped(value)}"' for name, value in zip(metric.labels, values, strict=True)
                ]
                yield from (
                    _histogram(metric, pairs, series)
                    if metric.kind == "histogram"
                    else [f"{metric.name}{_braced(pairs)} {_number(series.value)}"]
                )


def _histogram(metric: Metric, pairs: list[str], series: _Series) -> Iterator[str]:
    below = 0
    for bound, count in zip((*BOUNDS, float("inf")), series.buckets, strict=True):
        below += count
        limit = "+Inf" if bound == float("inf") else _number(bound)
        le = f'le="{limit}"'
        yield f"{metric.name}_bucket{_braced([*pairs, le])} {below}"
    yield f"{metric.name}_sum{_braced(pairs)} {_number(series.value)}"
    yield f"{metric.name}_count{_braced(pairs)} {series.count}"


def _braced(pairs: list[str]) -> str:
    return f"{{{','.join(pairs)}}}" if pairs else ""


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)
