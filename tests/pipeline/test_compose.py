import pytest

from wabot.errors import DuplicateName, Frozen
from wabot.pipeline import CallNext, Pipeline, Turn, compose
from wabot.pipeline.compose import Middleware, name_of


def note(name: str, notes: list[str]) -> Middleware:
    def middleware(turn: Turn, call_next: CallNext) -> None:
        notes.append(f"{name} in")
        call_next()
        notes.append(f"{name} out")

    middleware.__name__ = name
    return middleware


class Guard:
    def __call__(self, turn: Turn, call_next: CallNext) -> None:
        return None


def test_the_first_is_the_outermost() -> None:
    notes: list[str] = []
    compose([note("a", notes), note("b", notes), note("c", notes)])(Turn(1))
    assert notes == ["a in", "b in", "c in", "c out", "b out", "a out"]


def test_none_at_all_does_nothing() -> None:
    compose([])(Turn(1))


def test_one_that_does_not_go_on_ends_it() -> None:
    notes: list[str] = []
    compose([note("a", notes), Guard(), note("c", notes)])(Turn(1))
    assert notes == ["a in", "a out"]


def test_an_error_goes_through_those_around_it() -> None:
    notes: list[str] = []

    def broken(turn: Turn, call_next: CallNext) -> None:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        compose([note("a", notes), broken])(Turn(1))
    assert notes == ["a in"]


def test_what_is_added_stands_between_the_ends() -> None:
    notes: list[str] = []
    pipeline = Pipeline([note("errors", notes)], [note("flow", notes)])
    pipeline.add(note("one", notes))
    pipeline.add(note("two", notes))
    assert pipeline.names == ("errors", "one", "two", "flow")
    pipeline.run(Turn(1))
    assert notes[:4] == ["errors in", "one in", "two in", "flow in"]


def test_nothing_is_added_once_it_runs() -> None:
    pipeline = Pipeline([], [])
    pipeline.run(Turn(1))
    with pytest.raises(Frozen, match='"Guard" comes too late'):
        pipeline.add(Guard())


def test_no_name_comes_twice() -> None:
    pipeline = Pipeline([], [])
    pipeline.add(Guard())
    with pytest.raises(DuplicateName, match='a middleware "Guard" already'):
        pipeline.add(Guard())


def test_a_middleware_is_called_by_its_function_or_class() -> None:
    assert name_of(note("quiet_hours", [])) == "quiet_hours"
    assert name_of(Guard()) == "Guard"
