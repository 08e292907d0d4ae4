from typing import Any

import pytest

from wabot.engine.document import FlowDocument
from wabot.engine.names import Tree, Unresolved, split_state_event

FLOW: dict[str, Any] = {
    "states": {
        "start": {"transitions": [{"event": "go", "target": "shop.pay"}]},
        "shop": {
            "history": {"back": {"type": "deep"}},
            "states": {
                "browse": {"states": {"pay": {}, "look": {}}},
                "pay": {"initial": "yes"},
                "a.b": {},
                "a": {"states": {"b": {}, "only": {}}},
                "two words": {},
            },
        },
        "pay": {},
        "help": {"parallel": True, "states": {"l": {"states": {"x": {}}}, "r": {"states": {"x": {}}}}},
        "end": {"final": True},
    }
}


@pytest.fixture
def tree() -> Tree:
    return Tree.of(FlowDocument.model_validate(FLOW))


def resolved(tree: Tree, source: str, name: str) -> str:
    return tree.resolve(tree.by_path.get(source, tree.root), name).path


@pytest.mark.parametrize(
    ("source", "name", "path"),
    [
        ("start", "pay", "pay"),
        ("shop", "pay", "shop.pay"),
        ("shop.browse", "pay", "shop.browse.pay"),
        ("shop.browse.look", "pay", "shop.browse.pay"),
        ("shop.a", "pay", "shop.pay"),
        ("shop.a.only", "start", "start"),
        ("shop.a.only", "a", "shop.a"),
        ("", "pay", "pay"),
        ("start", "look", "shop.browse.look"),
        ("start", "back", "shop.back"),
        ("shop.back", "pay", "shop.pay"),
        ("start", "shop.pay", "shop.pay"),
        ("start", "browse.pay", "shop.browse.pay"),
        ("shop.a.only", "a.b", "shop.a.b"),
        ("start", "l.x", "help.l.x"),
        ("start", "two words", "shop.two words"),
    ],
)
def test_a_name_is_looked_for_from_near_to_far(tree: Tree, source: str, name: str, path: str) -> None:
    assert resolved(tree, source, name) == path


def test_an_id_with_dots_wins_over_a_path(tree: Tree) -> None:
    assert tree.resolve(tree.by_path["shop"], "a.b").id == "a.b"
    assert tree.resolve(tree.root, "shop.a.b").id == "a.b"


def test_a_name_that_is_nowhere_is_unknown(tree: Tree) -> None:
    for name in ("nowhere", "shop.nowhere", "nowhere.pay"):
        with pytest.raises(Unresolved) as caught:
            resolved(tree, "start", name)
        assert caught.value.kind == "unknown"
        assert {"shop", "browse", "shop.browse"} <= set(caught.value.candidates)


def test_a_name_that_is_twice_far_away_is_ambiguous(tree: Tree) -> None:
    with pytest.raises(Unresolved) as caught:
        resolved(tree, "start", "x")
    assert caught.value.kind == "ambiguous"
    assert caught.value.candidates == ("help.l.x", "help.r.x")
    assert resolved(tree, "help.r", "x") == "help.r.x"


def test_a_path_that_ends_in_two_places_is_ambiguous() -> None:
    region: dict[str, Any] = {"states": {"m": {"states": {"x": {}}}}}
    tree = Tree.of(FlowDocument.model_validate({"states": {"a": region, "b": region, "c": {}}}))
    with pytest.raises(Unresolved) as caught:
        resolved(tree, "c", "m.x")
    assert caught.value.candidates == ("a.m.x", "b.m.x")


def test_several_targets_are_separated_by_spaces(tree: Tree) -> None:
    found = tree.targets(tree.root, "help.l.x  help.r.x")
    assert [node.path for node in found] == ["help.l.x", "help.r.x"]


def test_an_id_with_a_space_is_one_target(tree: Tree) -> None:
    found = tree.targets(tree.root, "two words start")
    assert [node.path for node in found] == ["shop.two words", "start"]


def test_an_ambiguous_id_with_a_space_is_said_to_be_so() -> None:
    region: dict[str, Any] = {"states": {"in here": {}}}
    tree = Tree.of(FlowDocument.model_validate({"states": {"a": region, "b": region, "c": {}}}))
    with pytest.raises(Unresolved, match="ambiguous"):
        tree.targets(tree.by_path["c"], "in here")


def test_nodes_are_in_document_order_and_know_their_place(tree: Tree) -> None:
    assert [node.order for node in tree.nodes] == list(range(len(tree.nodes)))
    assert [node.id for node in tree.root.children] == ["start", "shop", "pay", "help", "end"]
    assert tree.by_path["shop.a.only"].document_path == ("states", "shop", "states", "a", "states", "only")
    assert tree.by_path["shop.back"].document_path == ("states", "shop", "history", "back")
    assert "back" not in [node.id for node in tree.states()]
    assert tree.root not in list(tree.states())


def test_kinds(tree: Tree) -> None:
    kinds = {node.path: node.kind for node in tree.nodes}
    assert kinds[""] == "root"
    assert kinds["shop"] == "compound"
    assert kinds["shop.back"] == "history"
    assert kinds["help"] == "parallel"
    assert kinds["end"] == "final"
    assert kinds["start"] == "atomic"


def test_the_initial_child_is_the_marked_one_else_the_first(tree: Tree) -> None:
    assert tree.root.initial is tree.by_path["start"]
    assert tree.by_path["shop"].initial is tree.by_path["shop.pay"]
    assert tree.by_path["start"].initial is None


def test_above_and_below(tree: Tree) -> None:
    only = tree.by_path["shop.a.only"]
    assert [node.path for node in only.ancestors()] == ["shop.a", "shop", ""]
    assert only.within(tree.by_path["shop"])
    assert only.within(tree.root)
    assert not only.within(only)
    assert [node.path for node in tree.by_path["help"].descendants()] == [
        "help.l", "help.l.x", "help.r", "help.r.x",
    ]  # fmt: skip
    assert repr(only) == "<atomic shop.a.only>"
    assert repr(tree.root) == "<root (root)>"


@pytest.mark.parametrize(
    ("descriptor", "parts"),
    [
        ("done.state.pick", ("done.state", "pick")),
        ("done.state.a.b.*", ("done.state", "a.b")),
        ("answered.pay", ("answered", "pay")),
        ("answered", None),
        ("answered.*", None),
        ("done.state.", None),
        ("message.text", None),
    ],
)
def test_events_that_name_a_state(descriptor: str, parts: tuple[str, str] | None) -> None:
    assert split_state_event(descriptor) == parts
