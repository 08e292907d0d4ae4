from textwrap import dedent

import pytest

from wabot.engine.document import FlowDocument
from wabot.engine.loader import Positions, load_flow, load_texts, read_yaml
from wabot.engine.problems import Place
from wabot.engine.yaml import MAX_BYTES, walk
from wabot.errors import FlowError, FlowInvalid, FlowSyntaxError


def messages(error: FlowError) -> list[str]:
    return [str(problem).removeprefix("f.yaml:").rpartition(" [")[0] for problem in error.problems]


def syntax(text: str) -> list[str]:
    with pytest.raises(FlowSyntaxError) as caught:
        read_yaml(text, "f.yaml")
    return messages(caught.value)


def invalid(text: str) -> list[str]:
    with pytest.raises(FlowInvalid) as caught:
        load_flow(dedent(text), "f.yaml")
    return messages(caught.value)


def test_only_true_and_false_are_booleans() -> None:
    data, _ = read_yaml("[true, True, FALSE, yes, no, on, off, y, n]", "f")
    assert data == [True, True, False, "yes", "no", "on", "off", "y", "n"]


def test_numbers_and_what_only_looks_like_one() -> None:
    data, _ = read_yaml("[0, -7, 1.5, .5, 1., 1e3, 0x1f, 0o17]", "f")
    assert data == [0, -7, 1.5, 0.5, 1.0, 1000.0, 31, 15]
    words = ["0123", "+919876543210", "1_000", ".inf", "e5", "-", "2026-11-22", "1e999", "1" * 50, "12:30"]
    assert read_yaml(f"[{', '.join(words)}]", "f")[0] == words


def test_keys_are_text() -> None:
    assert read_yaml("{1: a, true: b, null: c, 2.50: d}", "f")[0] == {
        "1": "a",
        "true": "b",
        "null": "c",
        "2.50": "d",
    }


def test_empty_values_and_files() -> None:
    assert read_yaml("", "f")[0] is None
    assert read_yaml("# nothing\n", "f")[0] is None
    assert read_yaml("a:\nb: ~\nc: null", "f")[0] == {"a": None, "b": None, "c": None}


def test_quotes_blocks_and_a_byte_order_mark() -> None:
    data, _ = read_yaml("\ufeffa: '1'\nb: \"x\\ny\"\nc: |\n  one\n  two\nd: >\n  one\n  two\n", "f")
    assert data == {"a": "1", "b": "x\ny", "c": "one\ntwo\n", "d": "one two\n"}


def test_places_of_keys_and_values() -> None:
    _, positions = read_yaml("a:\n  - x\n  - {b: 1, c: }\nd: [5]\n", "f")
    assert positions.place(("a", 0)) == Place("f", 2, 5)
    assert positions.place(("a", 1, "b")) == Place("f", 3, 9)
    assert positions.place(("a", 1, "b"), key=True) == Place("f", 3, 6)
    assert positions.place(("a", 1, "c")) == Place("f", 3, 12)
    assert positions.place(("d",), key=True) == Place("f", 4, 1)


def test_a_place_that_is_not_in_the_file_is_the_nearest_around_it() -> None:
    _, positions = read_yaml("a:\n  - say: hello\n", "f")
    assert positions.place(("a", 0, "say", "text")) == Place("f", 2, 10)
    assert positions.place(("a", 0, "say", "text"), key=True) == Place("f", 2, 10)
    assert positions.place(("nowhere",)) == Place("f", 1, 1)
    assert Positions("f").place() == Place("f")
    assert ("a", 0) in positions
    assert ("b",) not in positions


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a:\n\t- b", "2:1: error: a tab where YAML wants spaces — indent with spaces"),
        (
            "a: b: c",
            '1:5: error: a ":" where none can be — put text with ": " in it in quotes; check the indentation',
        ),
        ("a: - b", '1:4: error: a "-" where no list can begin — begin it on a new line'),
        ("a: 1\nb\n", '2:1: error: there is no ":" after this key — write it as key: value'),
        ("a: 'x", "1:4: error: the quotes are never closed — close them"),
        ('a: "\\q"', '1:6: error: the escape "\\q" is unknown — write \\\\ for a backslash'),
        ("a: [1, 2", '1:4: error: a "," or "]" is missing — close the bracket'),
        ("a: [", '1:4: error: the "[" is never closed — close it with "]"'),
        ("a:\n  - [b, {c: ", '2:9: error: the "{" is never closed — close it with "}"'),
        ("a: [,]", '1:5: error: a "," with no value before it — take it away, or write the value'),
        ("a: ]", '1:4: error: a "]" that nothing opened — take it away, or put the text in quotes'),
        (
            "- a\nb: c",
            "2:1: error: the indentation fits nothing above — begin siblings in one column",
        ),
        ("a: @b", '1:4: error: a value can\'t begin with "@" — put it in quotes: "…"'),
        ("a: |x\n  b", "1:5: error: expected chomping or indentation indicators, but found 'x' — check it"),
        ("a: \x01", "1:4: error: the character U+0001 can't be in a file of text — take it away"),
        (
            "x: 1\na: {{ message.text }}",
            '2:5: error: this begins a mapping, not a template — put it in quotes: "{{ … }}"',
        ),
        ("? [a, [b]]\n: c", "1:3: error: a key must be text — put it in quotes"),
        ('"": c', "1:1: error: a key without a name — give it one before the colon"),
        ("a: *b", '1:4: error: "*b" is an alias — write the value out; text goes in quotes'),
        ("a: &b c", '1:4: error: "&b" is an anchor — take it away; text goes in quotes'),
        ("a: !!python/x:y b", '1:4: error: "!!python/x:y" is a tag — take it away; text goes in quotes'),
        ("a: 1\n---\nb: 1", "2:1: error: a second document begins here — one file holds one document"),
        ("[" * 70, "1:65: error: nested more than 64 deep — flatten it, or split the flow"),
    ],
)  # fmt: skip
def test_what_is_not_yaml_for_us(text: str, message: str) -> None:
    assert syntax(text) == [message]


def test_a_key_twice_names_both_lines() -> None:
    assert syntax("a:\n  b: 1\n  c: 2\n  b: {d: 1}\n") == [
        '4:3: error: "b" is here a second time, the first is in line 2 — keep one of the two'
    ]


def test_several_faults_are_told_at_once() -> None:
    assert len(syntax("a: *x\nb: &y 1\n? {c: {d: e}}\n: [f]\na: 2\n")) == 4


def test_a_file_is_bounded() -> None:
    assert syntax("a: " + "x" * MAX_BYTES) == ["1:1: error: the file is larger than 1024 KiB — split it"]
    assert syntax("é" * (MAX_BYTES // 2 + 1)) == ["1:1: error: the file is larger than 1024 KiB — split it"]


def test_the_number_of_parts_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wabot.engine.yaml.MAX_NODES", 10)
    assert syntax("[" + "a, " * 20 + "a]") == ["1:29: error: the file has more than 10 parts — split it"]


def test_walk_gives_every_part() -> None:
    assert list(walk({"a": [1, {"b": 2}]})) == [
        ((), {"a": [1, {"b": 2}]}),
        (("a",), [1, {"b": 2}]),
        (("a", 0), 1),
        (("a", 1), {"b": 2}),
        (("a", 1, "b"), 2),
    ]


@pytest.mark.parametrize(
    ("head", "name"), [("flow: shop\nname: x\n", "shop"), ("name: cart\n", "cart"), ("", "order")]
)
def test_a_flow_without_a_name_is_called_by_its_file(head: str, name: str) -> None:
    source = load_flow(f"{head}states: {{a: }}", "flows/order.yaml")
    assert (source.flow, source.document.flow, source.version) == (name, name, 1)
    assert source.place(("states", "a")).file == "flows/order.yaml"


def test_short_forms_mean_the_same_as_long_ones() -> None:
    short = load_flow(
        dedent("""\
        flow: f
        datamodel: [{id: n, expr: 0}]
        intents: {yes: {en: yes}, no: nope}
        transitions: {event: go, target: 1}
        states:
          1:
            initial: yes
            enter: {say: hello}
            ask: {text: q, buttons: {yes: Confirm, no: Change}}
            after: {1h: 2}
            transitions: {event: x, cond: true}
          2: {final: on}
        """),
        "f",
    )
    long = load_flow(
        dedent("""\
        flow: f
        datamodel: {n: {expr: "0"}}
        intents: {yes: {en: ["yes"]}, no: ["nope"]}
        transitions: [{event: go, target: "1"}]
        states:
          "1":
            initial: true
            enter: [{say: {text: hello}}]
            ask:
              text: q
              buttons: [{id: "yes", title: Confirm}, {id: "no", title: Change}]
            after: {1h: {target: "2"}}
            transitions: [{event: x, cond: ["True"]}]
          "2": {final: true}
        """),
        "f",
    )
    assert short.document == long.document


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", ["1:1: error: a flow is a mapping, not empty — begin with flow: <name> and states:"]),
        ("- a", ["1:1: error: a flow is a mapping, not a list — begin with flow: <name> and states:"]),
        ("flow: x", ['1:1: error: "states" is missing — add it: states: …']),
        ("states: {}", ['1:9: error: "states" is empty — give it at least one entry']),
        (
            "stats: {a: }",
            [
                '1:1: error: "states" is missing — add it: states: …',
                '1:1: error: unknown key "stats" — did you mean "states"?',
            ],
        ),
        (
            "states: {a: {history: {h: {zzz: 1}}}}",
            ['1:28: error: unknown key "zzz" — known here: transitions, type'],
        ),
        (
            "version: two\nstates: {a: }",
            ['1:10: error: "version" must be a whole number, not the text "two" — write digits: version: 3'],
        ),
        ("version: 0\nstates: {a: }", ['1:10: error: "version" must be at least 1']),
        (
            "states: {a: {ask: {text: q, attempts: 99}}}",
            ['1:39: error: "attempts" must be at most 20'],
        ),
        ("states: {a: {final: maybe}}", ['1:21: error: "final" must be true or false, not the text "maybe"']),
        (
            "states: {a: {enter: {say: true}}}",
            ['1:27: error: "say" must be text, not true — put it in quotes: "true"'],
        ),
        (
            "states: {a: {ask: {text: true}}}",
            ['1:26: error: "text" must be text, not true — put it in quotes: "true"'],
        ),
        (
            "states: {a: {ask: {text: q, type: intger}}}",
            ['1:35: error: "type" can\'t be "intger" — did you mean "integer"?'],
        ),
        (
            "states: {a: {history: {h: {type: 7}}}}",
            ['1:34: error: "type" can\'t be 7 — one of shallow, deep'],
        ),
        (
            "states: {a: {ask: {text: q, min: [1]}}}",
            ['1:34: error: "min" must be a number or text, not a list'],
        ),
        (
            "states: {a: {ask: {text: q, buttons: {yes: {titl: x}, no: [1]}}}}",
            [
                '1:44: error: "title" is missing — add it: title: …',
                '1:45: error: unknown key "titl" — did you mean "title"?',
                '1:59: error: "no" must be text, not a list',
            ],
        ),
        (
            "states: {a: {ask: {text: q, buttons: {for: xs, id: i}}}}",
            ['1:38: error: "title" is missing — add it: title: …'],
        ),
        (
            "datamodel: [{id: x, exp: 1}]\nstates: {a: }",
            ['1:21: error: unknown key "exp" — did you mean "expr"?'],
        ),
        (
            "datamodel: [{expr: 1}]\nstates: {a: }",
            ["1:12: error: each item of a datamodel list needs an id"],
        ),
        (
            "datamodel: [{id: x}, {id: x}]\nstates: {a: }",
            ['1:12: error: the variable "x" is there twice'],
        ),
        (
            "states: {a: {after: {1hour: a}}}",
            ["1:22: error: '1hour' is not a length of time: write it like 90s, 30m, 1h, 1h30m or 2d"],
        ),
        (
            "states: {a: {enter: hello}}",
            ['1:21: error: an action is a mapping such as {say: welcome} — to send it write "say: hello"'],
        ),
        ("states: {a: {enter: [[]]}}", ["1:22: error: an action is a mapping such as {say: welcome}"]),
        (
            "states: {a: {enter: [{say: x, assign: {}}, {say: x, into: y}]}}",
            [
                '1:31: error: a second action, "assign", in one list item — begin each action with "- "',
                '1:53: error: unknown key "into" — known here: say',
            ],
        ),
        (
            "states: {a: {enter: {x.y: 1, z.w: 2}}}",
            ["1:21: error: an action has one name, here are 2: x.y, z.w"],
        ),
        (
            "states: {a: {invoke: {content: {states: {b: {finl: 1}}}}}}",
            ['1:46: error: unknown key "finl" — did you mean "final"?'],
        ),
        (
            "intents: {may: {en: [true]}}\nstates: {a: }",
            ['1:22: error: "en" must be text, not true — put it in quotes: "true"'],
        ),
        ("states: {a: 5}", ['1:13: error: "a" must be a mapping, not 5']),
        (
            "flow: [a]\nstates: {a: }",
            ['1:7: error: "flow" must be text, not a list'],
        ),
        (
            "states: {a: {ask: {text: q, media: {kind: image}, location: {latitude: 1, longitude: {}}}}}",
            [
                '1:36: error: "url" is missing — add it: url: …',
                '1:86: error: "longitude" must be a number or text, not a mapping',
            ],
        ),
    ],
)
def test_findings_have_a_place_and_a_mend(text: str, found: list[str]) -> None:
    assert invalid(text) == found


def test_texts_flatten_to_dotted_keys() -> None:
    texts = load_texts(
        'welcome: Hi\norder:\n  total: 5\n  items: {count: n, one: "{{ count }} x", other: 2}\nempty: {}\n',
        "en.yaml",
    )
    assert {key: entry.value for key, entry in texts.items()} == {
        "welcome": "Hi",
        "order.total": "5",
        "order.items": {"count": "n", "one": "{{ count }} x", "other": "2"},
    }
    assert texts["order.total"].place == Place("en.yaml", 3, 10)
    assert load_texts("", "en.yaml") == {}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("- a", ["1:1: error: a file of texts is a mapping, not a list"]),
        ("a: true", ['1:4: error: "a" must be text, not true — put it in quotes']),
        ("a: []", ['1:4: error: "a" must be text, not a list']),
        ("b:", ['1:1: error: "b" must be text, not empty']),
        ("a: {count: n, one: {x: y}}", ['1:4: error: "a" must be text, not a mapping']),
        ("a.b: x\na: {b: y}", ['2:8: error: the text "a.b" is here a second time — keep one']),
    ],
)  # fmt: skip
def test_texts_that_are_none(text: str, found: list[str]) -> None:
    with pytest.raises(FlowInvalid) as caught:
        load_texts(text, "f.yaml")
    assert messages(caught.value) == found


def test_flags_numbers_and_empty_values_in_every_short_form() -> None:
    source = load_flow(
        dedent("""\
        datamodel:
        transitions:
        states:
          a:
            final:
            initial: 1
            enter: [{raise: 1}, {send: 2}, {cancel: 3}, {log: 4}, {digress: 5}]
            states:
            after:
            history: {h: }
        """),
        "f",
    )
    state = source.document.states["a"]
    assert (state.initial, state.final) == (True, False)
    bodies = [next(iter(action.model_dump(by_alias=True).values())) for action in state.enter]
    assert [next(value for value in body.values() if value) for body in bodies] == ["1", "2", "3", "4", "5"]
    assert source.document.datamodel == {}


def test_a_document_is_taken_as_it_is_when_it_is_checked_again() -> None:
    source = load_flow("states: {a: {enter: [{say: x}, {demo.find: {text: y}}], final: true}}", "f")
    again = FlowDocument.model_validate(dict(source.document))
    assert again == source.document


def test_the_place_of_what_is_not_written_is_that_around_it() -> None:
    source = load_flow("datamodel: [{id: n}]\nstates: {a: {ask: {text: q, buttons: {x: X}}}}", "f")
    ask = ("states", "a", "ask")
    assert source.place((*ask, "buttons", 0, "title")).column == source.place((*ask, "buttons", "x")).column
    assert source.place((*ask, "buttons", 5)) == source.place((*ask, "buttons"))
    assert source.place(("datamodel", "n", "default")).column == 13
    assert source.place(("datamodel", "m")) == source.place(("datamodel",))
    assert source.place(("datamodel", 3)) == source.place(("datamodel",))


def test_two_escapes_make_one_character() -> None:
    data, _ = read_yaml(r'{"\ud83d\udc4d": "a \ud83d\ude9a b"}', "f")
    assert data == {"👍": "a 🚚 b"}


def test_half_a_character_is_an_error_at_its_place() -> None:
    with pytest.raises(FlowSyntaxError) as raised:
        read_yaml('a: 1\nb: "\\ud83d\\ude9a and \\ude9a"', "f")
    (problem,) = raised.value.problems
    assert (problem.place.line, problem.place.column) == (2, 4)
    assert problem.message == '"\\ude9a" is half of a character'
