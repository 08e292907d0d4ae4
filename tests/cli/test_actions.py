import json
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field

from tests.cli.terminal import wabot
from wabot.cli.actions import BUILT_IN, described, type_name
from wabot.core.module import Call, Module
from wabot.core.money import Money
from wabot.engine.document import ACTION_KEYS


class Size(BaseModel):
    wide: int
    deep: int = 2


class Cut(BaseModel):
    wood: str
    sizes: list[Size] = Field(default_factory=list, description="what to cut")
    of: Size = Size(wide=1)
    how: Literal["rough", "fine"] | None = None


def carpenter() -> Module:
    module = Module("carpenter")

    @module.command("cut")
    def cut(arguments: Cut, call: Call) -> list[Size]:
        """Cut wood
        to size.

        It makes dust."""
        return arguments.sizes

    @module.command("sweep")
    def sweep(arguments: Size, call: Call) -> None:
        """Sweep."""

    return module


def test_a_modules_commands_are_described() -> None:
    cut, sweep = [action for action in described(carpenter().commands) if action["name"].startswith("carp")]
    assert cut == {
        "name": "carpenter.cut",
        "summary": "Cut wood to size.",
        "arguments": [
            {"name": "wood", "type": "text", "required": True, "default": None, "description": ""},
            {
                "name": "sizes",
                "type": "list of object of wide, deep",
                "required": False,
                "default": [],
                "description": "what to cut",
            },
            {
                "name": "of",
                "type": "object of wide, deep",
                "required": False,
                "default": {"wide": 1, "deep": 2},
                "description": "",
            },
            {"name": "how", "type": "rough or fine", "required": False, "default": None, "description": ""},
        ],
        "returns": "list of object of wide, deep",
    }
    assert sweep["returns"] is None


def test_every_action_of_the_language_is_there() -> None:
    assert set(BUILT_IN) == set(ACTION_KEYS) - {"script"}


@pytest.mark.parametrize(
    ("annotation", "name"),
    [
        (str, "text"),
        (int, "integer"),
        (float | None, "number"),
        (Decimal | Money, "number or money"),
        (bool, "true or false"),
        (date, "date"),
        (datetime, "datetime"),
        (Annotated[int, Field(ge=1)], "integer"),
        (list[str], "list of text"),
        (tuple[int, ...], "list of integer"),
        (dict[str, Any], "object"),
        (dict, "object"),
        (Any, "any"),
        (NoneType, "nothing"),
        (Path, "Path"),
        ("unknown", "any"),
    ],
)
def test_types_in_the_words_of_the_language(annotation: Any, name: str) -> None:
    assert type_name(annotation) == name


def test_all_actions(project: Path) -> None:
    ran = wabot("actions")
    assert ran.code == 0
    assert ran.out.startswith(
        "say  Send the contact a message: a text, or a mapping of these.\n  text      text\n"
    )
    assert "  buttons   options\n" in ran.out
    assert "\nforeach  Do actions for each item of a list.\n  array  text     needed\n" in ran.out
    # The project has no modules.
    assert "orders." not in ran.out


def test_the_installed_modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert "orders.quote  " in wabot("actions", "orders").out
    assert wabot("actions", "orders.mine").out.startswith("orders.mine  ")
    assert "  limit  integer  = " in wabot("actions", "orders.mine").out
    [action] = wabot("actions", "orders.quote", "--json").json["actions"]
    assert action["name"] == "orders.quote"


@pytest.mark.parametrize(
    ("name", "mend"), [("ordrs", 'did you mean "orders"?'), ("zzz", "wabot actions lists them")]
)
def test_an_unknown_action(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, mend: str) -> None:
    monkeypatch.chdir(tmp_path)
    ran = wabot("actions", name)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == f'error: there is no action "{name}"\n  mend: {mend}\n'


def test_the_schema(project: Path) -> None:
    printed = wabot("schema")
    assert printed.code == 0
    assert printed.json["title"] == "A flow of wabot"
    assert wabot("schema", "-o", "flow.json").out == ""
    assert json.loads((project / "flow.json").read_text()) == printed.json
