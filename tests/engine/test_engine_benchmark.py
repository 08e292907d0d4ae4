"""The benchmark of a turn runs, and its two sides do the same work."""

import json

import pytest

from benchmarks import turn


def test_both_sides_say_and_store_the_same() -> None:
    turn.same_work(turn.wabot_turn(), turn.bare_turn())


def test_it_prints_json_lines(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["turn", "--json", "--rounds", "1"])
    monkeypatch.setattr(turn, "CONVERSATIONS", 1)
    monkeypatch.setattr(turn, "SIZES", (2, 3))
    turn.main()

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["name"] for line in lines] == [
        "turn.rate",
        "turn.p50",
        "turn.p99",
        "turn.states.2",
        "turn.states.3",
    ]
    assert all(set(line) == {"name", "value", "unit", "baseline", "ratio"} for line in lines)
