import threading

import pytest

from wabot.core.metrics import (
    BACKLOG,
    BOUNDS,
    MOST_SERIES,
    SENDS,
    TURN_SECONDS,
    TURNS,
    MemoryMetrics,
    Metric,
    NoMetrics,
)


def test_numbers_are_shown_as_prometheus_reads_them() -> None:
    metrics = MemoryMetrics()
    metrics.count(TURNS, outcome="done")
    metrics.count(TURNS, outcome="done")
    metrics.count(TURNS, outcome="failed")
    metrics.set(BACKLOG, 2.5, kind="inbound")
    assert metrics.text() == (
        "# HELP wabot_backlog What waits, by its kind.\n"
        "# TYPE wabot_backlog gauge\n"
        'wabot_backlog{kind="inbound"} 2.5\n'
        "# HELP wabot_turns_total Turns, by what became of them.\n"
        "# TYPE wabot_turns_total counter\n"
        'wabot_turns_total{outcome="done"} 2\n'
        'wabot_turns_total{outcome="failed"} 1\n'
    )


def test_a_histogram_counts_what_is_at_most_each_bound() -> None:
    metrics = MemoryMetrics()
    for seconds in (0.001, 0.002, 20.0):
        metrics.observe(TURN_SECONDS, seconds)
    lines = metrics.text().splitlines()
    assert lines[1] == "# TYPE wabot_turn_seconds histogram"
    assert lines[2:4] == [
        'wabot_turn_seconds_bucket{le="0.001"} 1',
        'wabot_turn_seconds_bucket{le="0.0025"} 2',
    ]
    assert lines[-4:] == [
        'wabot_turn_seconds_bucket{le="10"} 2',
        'wabot_turn_seconds_bucket{le="+Inf"} 3',
        "wabot_turn_seconds_sum 20.003",
        "wabot_turn_seconds_count 3",
    ]
    assert len(lines) == 2 + len(BOUNDS) + 1 + 2
    assert metrics.value(TURN_SECONDS) == 3


def test_labels_are_all_that_the_metric_has() -> None:
    metrics = MemoryMetrics()
    with pytest.raises(ValueError, match="wabot_sends_total has the labels channel, outcome"):
        metrics.count(SENDS, channel="fake")
    with pytest.raises(ValueError, match="has the labels none"):
        metrics.observe(TURN_SECONDS, 1.0, contact="+919800000001")


def test_a_label_cannot_break_the_line() -> None:
    metrics = MemoryMetrics()
    metrics.count(TURNS, outcome='a"b\\c\nd')
    assert metrics.text().splitlines()[-1] == r'wabot_turns_total{outcome="a\"b\\c\nd"} 1'


def test_there_are_never_too_many_series() -> None:
    metrics, many = MemoryMetrics(), Metric("many", "counter", "Many.", ("name",))
    for number in range(MOST_SERIES * 2):
        metrics.count(many, name=str(number))
    assert metrics.value(many, name="other") == MOST_SERIES
    assert metrics.value(many, name="0") == 1
    assert metrics.value(many, name="never") == 0
    assert metrics.text().count("\nmany{") == MOST_SERIES + 1


def test_threads_count_together() -> None:
    metrics = MemoryMetrics()
    threads = [threading.Thread(target=lambda: count_often(metrics)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert metrics.value(TURNS, outcome="done") == 2000


def test_where_nobody_counts_nothing_is_shown() -> None:
    metrics = NoMetrics()
    metrics.count(TURNS, outcome="done")
    metrics.observe(TURN_SECONDS, 1.0)
    metrics.set(BACKLOG, 1, kind="inbound")
    assert metrics.text() == ""


def count_often(metrics: MemoryMetrics) -> None:
    for _ in range(500):
        metrics.count(TURNS, outcome="done")
