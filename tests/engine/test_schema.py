import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.engine import wrongs
from wabot.engine.loader import load_flow, read_yaml
from wabot.engine.schema import json_schema

ROOT = Path(__file__).parents[2]
SHIPPED = sorted((ROOT / "flows").glob("*.yaml"))
UNREADABLE = ("yaml", "bad-duration")
REJECTED = ("unknown-key", "missing-key", "bad-value", "two-actions", "bad-action", "unknown-action")

WELL_FORMED = [path for path in wrongs.wrong_flows() if path.stem not in (*REJECTED, *UNREADABLE)]


@lru_cache
def validator(*, commands: bool = False) -> Any:
    schema = json_schema(wrongs.demo.commands if commands else None)
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def accepts(text: str, *, commands: bool = False) -> bool:
    return bool(validator(commands=commands).is_valid(read_yaml(text, "f")[0]))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_the_shipped_flows_fit(path: Path) -> None:
    assert accepts(path.read_text("utf-8"))


@pytest.mark.parametrize("path", WELL_FORMED, ids=lambda path: path.stem)
def test_what_the_loader_takes_the_schema_takes(path: Path) -> None:
    text = path.read_text("utf-8")
    load_flow(text, path.name)
    assert accepts(text)


@pytest.mark.parametrize("code", REJECTED)
def test_what_is_not_well_formed_is_rejected(code: str) -> None:
    assert not accepts((wrongs.FOLDER / f"{code}.yaml").read_text("utf-8"))


SHORT_FORMS = """\
flow: 7
locales: en
datamodel: [{id: n, expr: 0}, {id: m, content: [1]}]
intents: {yes: {en: yes, hi: [haan]}, no: nope}
transitions: {event: go, target: 1}
states:
  1:
    initial: yes
    final: off
    enter: {say: 5}
    exit: [{raise: x}, {send: y}, {cancel: z}, {log: n}, {digress: other}, {locale: en}, {assign: {n: 1}}]
    ask:
      text: q
      type: money
      min: 5
      max: n + 1
      buttons: {yes: Confirm, no: {title: Change}}
    after: {1h: 2, 2h: {target: 3}}
    transitions: {event: x, cond: true, unless: [n > 1, false]}
    invoke: {content: {states: {a: }}}
    history: {h: }
    states: {deep: }
  2:
    ask: q
    enter:
      - if: {cond: n, then: {say: a}, elif: {cond: m, then: []}, else: {say: b}}
      - foreach: {array: m, item: x, do: {x.y: {a: 1}, into: n}}
      - say: {text: q, list: {rows: [a, {id: 1, title: 2}]}}
      - say: {text: q, list: {sections: [{title: s, rows: {for: m, id: "{{ item }}", title: T}}]}}
  3:
"""


def test_short_forms_fit() -> None:
    load_flow(SHORT_FORMS, "f")
    assert accepts(SHORT_FORMS)


@pytest.mark.parametrize(
    "flow",
    [
        "states: {a: {enter: [{say: x, into: y}]}}",
        "states: {a: {enter: [{into: y}]}}",
        "states: {a: {ask: {text: q, min: [1]}}}",
        "states: {a: {ask: {text: q, buttons: {for: xs, id: i}}}}",
        "datamodel: [{id: x, exp: 1}]\nstates: {a: }",
        "states: {a: {after: {1h: [b]}}}",
        "states: {a: {initial: perhaps}}",
        "states: {}",
        "flow: x",
        "[]",
    ],
)
def test_slips_are_rejected(flow: str) -> None:
    assert not accepts(flow)


@pytest.mark.parametrize(
    ("action", "fits"),
    [
        ('{demo.find: {text: cement}, into: found}', True),
        ('{demo.find: {text: "{{ message.text }}", limit: "{{ n }}"}}', True),
        ('{demo.find: "{{ wanted }}"}', True),
        ("{demo.find: {txt: cement}}", False),
        ("{demo.find: {text: cement, limit: many}}", False),
        ("{demo.find: cement}", False),
        ("{demo.find: {}}", False),
        ("{demo.fnd: {text: cement}}", False),
        ('{demo.quote: {lines: [{name: a, quantity: 1}, {name: b, quantity: "{{ n }}"}]}}', True),
        ('{demo.quote: {lines: ["{{ line }}"], discount: 5.5}}', True),
        ("{demo.quote: {lines: [{name: a, quantity: 0}]}}", False),
        ("{demo.quote: {lines: [{name: a, quantity: 1, price: 5}]}}", False),
        ("{say: Hello there}", True),
    ],
)  # fmt: skip
def test_commands_are_actions_with_their_arguments(action: str, fits: bool) -> None:
    assert accepts(f"states: {{a: {{enter: [{action}]}}}}", commands=True) is fits


def test_without_modules_only_the_languages_actions_fit() -> None:
    schema = json_schema({})
    flow = read_yaml("states: {a: {enter: [{demo.find: {text: x}}]}}", "f")[0]
    assert not jsonschema.Draft202012Validator(schema).is_valid(flow)


def test_the_schema_is_plain_json() -> None:
    schema = json_schema(wrongs.demo.commands)
    assert json.loads(json.dumps(schema)) == schema
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
