"""YAML read safely: plain data and the place of every part of it.

YAML 1.2's core types, with two more words kept as text: a number with a leading zero or plus sign
(a PIN code, a phone number), and every key. No aliases, no tags, no second document, bounded size.
"""

import re
from collections.abc import Iterator
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from ruamel.yaml.reader import ReaderError

from wabot.engine.problems import Path, Place, Problem
from wabot.errors import FlowSyntaxError

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 64
MAX_NODES = 200_000

_WORDS = {"": None, "~": None, "null": None, "Null": None, "NULL": None} | {
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip
_INTEGER = re.compile(r"-?(0|[1-9][0-9]*)")
_OTHER_BASE = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"-?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]{1,2})?")
_HALF = re.compile("[\ud800-\udfff]")
_PAIR = re.compile("[\ud800-\udbff][\udc00-\udfff]")
# Past this a number is text: int() refuses 4,300 digits, and no one counts so far.
_LONGEST_NUMBER = 40

_MENDS = (
    (r"found character '\\t'", "a tab where YAML wants spaces", "indent with spaces"),
    (r"found character '([@`%&*!|>])'", 'a value can\'t begin with "{0}"', 'put it in quotes: "…"'),
    (
        r"mapping values are not allowed here",
        'a ":" where none can be',
        'put text with ": " in it in quotes; check the indentation',
    ),
    (r"sequence entries are not allowed here", 'a "-" where no list can begin', "begin it on a new line"),
    (r"could not find expected ':'", 'there is no ":" after this key', "write it as key: value"),
    (r"unexpected end of stream", "the quotes are never closed", "close them"),
    (r"unknown escape character '(.+)'", 'the escape "\\{0}" is unknown', "write \\\\ for a backslash"),
    (r"expected ',' or '([\]}])'", 'a "," or "{0}" is missing', "close the bracket"),
    (r"but found ','", 'a "," with no value before it', "take it away, or write the value"),
    (r"but found '([\]}])'", 'a "{0}" that nothing opened', "take it away, or put the text in quotes"),
    (
        r"expected <block end>",
        "the indentation fits nothing above",
        "begin siblings in one column",
    ),
)  # fmt: skip


class Positions:
    """Where each part of a file is: by its path, the place of its key and of its value."""

    def __init__(self, file: str, marks: dict[Path, tuple[int, int, int, int]] | None = None) -> None:
        self.file = file
        self._marks = marks or {}

    def place(self, path: Path = (), *, key: bool = False) -> Place:
        """The place of what is at `path`, or of the nearest thing around it that is in the file.

        `key` gives the place of its key instead; a list item's key is the item.
        """
        for length in range(len(path), -1, -1):
            mark = self._marks.get(path[:length])
            if mark:
                return Place(self.file, *(mark[:2] if key and length == len(path) else mark[2:]))
        return Place(self.file)

    def __contains__(self, path: Path) -> bool:
        return path in self._marks


def read_yaml(text: str, file: str) -> tuple[Any, Positions]:
    """The plain data of a YAML text and the places of its parts; an empty file is None.

    Raises FlowSyntaxError, whose problems have the places and mends.
    """
    text = text.removeprefix("\ufeff")
    if len(text) > MAX_BYTES or len(text.encode("utf-8", "replace")) > MAX_BYTES:
        raise _failed(Place(file), f"the file is larger than {MAX_BYTES // 1024} KiB", "split it")
    reader = _Reader(file)
    try:
        for event in YAML(typ="safe", pure=True).parse(text):
            reader.take(event)
    except MarkedYAMLError as error:
        reader.problems.append(reader.unclosed(error) or _syntax_problem(error, file))
    except ReaderError as error:
        reader.problems.append(_character_problem(error, text, file))
    if reader.problems:
        raise FlowSyntaxError(problems=reader.problems)
    return reader.data, Positions(file, reader.marks)


def _failed(place: Place, message: str, hint: str) -> FlowSyntaxError:
    return FlowSyntaxError(problems=[Problem(place, "yaml", message, hint)])


class _Level:
    """A mapping or list that is still open; `bracket` is the place of the one that began it, if any did."""

    __slots__ = ("bracket", "data", "key", "path", "seen")

    def __init__(self, data: Any, path: Path, bracket: Place | None) -> None:
        self.bracket = bracket
        self.data = data
        self.path = path
        self.key: tuple[str, int, int] | None = None
        self.seen: dict[str, int] = {}


class _Reader:
    """Builds data and positions from the parser's events, without recursion."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.data: Any = None
        self.marks: dict[Path, tuple[int, int, int, int]] = {}
        self.problems: list[Problem] = []
        self._levels: list[_Level] = []
        self._nodes = 0
        self._documents = 0
        self._skipping = 0

    def take(self, event: Any) -> None:
        if isinstance(event, DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                raise self._failure(event, "a second document begins here", "one file holds one document")
        elif isinstance(event, MappingEndEvent | SequenceEndEvent):
            if self._skipping:
                self._skipping -= 1
            else:
                self._levels.pop()
        elif isinstance(event, NodeEvent):
            self._count(event)
            if self._skipping:
                self._skipping += isinstance(event, MappingStartEvent | SequenceStartEvent)
            else:
                self._node(event)

    def unclosed(self, error: MarkedYAMLError) -> Problem | None:
        """The bracket that is still open at the end of the file, where that is what is wrong."""
        level = self._levels[-1] if self._levels else None
        ended = "node content, but found '<stream end>'" in str(error.problem)
        if level is None or level.bracket is None or not ended:
            return None
        opening, closing = "[]" if isinstance(level.data, list) else "{}"
        return Problem(
            level.bracket, "yaml", f'the "{opening}" is never closed', f'close it with "{closing}"'
        )

    def _count(self, event: Any) -> None:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise self._failure(event, f"the file has more than {MAX_NODES:,} parts", "split it")
        if len(self._levels) + self._skipping >= MAX_DEPTH:
            raise self._failure(event, f"nested more than {MAX_DEPTH} deep", "flatten it, or split the flow")

    def _node(self, event: Any) -> None:
        level = self._levels[-1] if self._levels else None
        line, column = event.start_mark.line + 1, event.start_mark.column + 1
        path: Path = ()
        if level is None:
            self.data = value = self._value(event)
            self.marks[path] = (line, column, line, column)
        elif isinstance(level.data, list):
            path = (*level.path, len(level.data))
            value = self._value(event)
            level.data.append(value)
            self.marks[path] = (line, column, line, column)
        elif level.key is None:
            self._key(level, event)
            return
        else:
            value = self._value(event)
            path = self._pair(level, level.key, value, line, column)
        if isinstance(value, dict | list):
            self._levels.append(_Level(value, path, self._at(event) if event.flow_style else None))

    def _pair(self, level: _Level, key: tuple[str, int, int], value: Any, line: int, column: int) -> Path:
        name, key_line, key_column = key
        level.key = None
        path = (*level.path, name)
        if name not in level.data:
            level.data[name] = value
            # An empty value begins nowhere: its key stands for it.
            at = (key_line, key_column) if value is None else (line, column)
            self.marks[path] = (key_line, key_column, *at)
        return path

    def _key(self, level: _Level, event: Any) -> None:
        line, column = event.start_mark.line + 1, event.start_mark.column + 1
        if not isinstance(event, ScalarEvent):
            self._problem(event, *_odd_key(event))
            level.key = (f"\0{line}:{column}", line, column)
            self._skipping += isinstance(event, MappingStartEvent | SequenceStartEvent)
            return
        self._plain(event)
        name = self._joined(event)
        if not name:
            self._problem(event, "a key without a name", "give it one before the colon")
        first = level.seen.setdefault(name, line)
        level.key = (name, line, column)
        if name in level.data:
            self._problem(
                event, f'"{name}" is here a second time, the first is in line {first}', "keep one of the two"
            )

    def _value(self, event: Any) -> Any:
        self._plain(event)
        if isinstance(event, MappingStartEvent):
            return {}
        if isinstance(event, SequenceStartEvent):
            return []
        if isinstance(event, ScalarEvent):
            return self._joined(event) if event.style else _scalar(event.value)
        return None

    def _joined(self, event: Any) -> str:
        """The text of a scalar; two escapes that are the halves of one character make it, as in JSON."""
        text: str = event.value
        if event.style != '"' or not _HALF.search(text):
            return text
        try:
            return text.encode("utf-16", "surrogatepass").decode("utf-16")
        except UnicodeDecodeError:
            half = next(char for char in _PAIR.sub("", text) if _HALF.match(char))
            escape = f"\\u{ord(half):04x}"
            self._problem(event, f'"{escape}" is half of a character', "write the character itself")
            return text

    def _plain(self, event: Any) -> None:
        if isinstance(event, AliasEvent):
            self._problem(event, f'"*{event.anchor}" is an alias', "write the value out; text goes in quotes")
        elif event.anchor is not None:
            self._problem(event, f'"&{event.anchor}" is an anchor', "take it away; text goes in quotes")
        tag = getattr(event, "ctag", None)
        if tag is not None and str(tag) not in ("None", "!"):
            self._problem(event, f'"{_tag_text(str(tag))}" is a tag', "take it away; text goes in quotes")

    def _problem(self, event: Any, message: str, hint: str) -> None:
        self.problems.append(Problem(self._at(event), "yaml", message, hint))

    def _failure(self, event: Any, message: str, hint: str) -> FlowSyntaxError:
        """Stop here: reading on would cost too much, or mean nothing."""
        problem = Problem(self._at(event), "yaml", message, hint)
        return FlowSyntaxError(problems=[*self.problems, problem])

    def _at(self, event: Any) -> Place:
        return Place(self.file, event.start_mark.line + 1, event.start_mark.column + 1)


def _odd_key(event: Any) -> tuple[str, str]:
    if isinstance(event, MappingStartEvent) and event.flow_style:
        return "this begins a mapping, not a template", 'put it in quotes: "{{ … }}"'
    return "a key must be text", "put it in quotes"


def _tag_text(tag: str) -> str:
    return tag.replace("tag:yaml.org,2002:", "!!")


def _scalar(text: str) -> Any:
    if text in _WORDS:
        return _WORDS[text]
    if len(text) > _LONGEST_NUMBER:
        return text
    if _INTEGER.fullmatch(text):
        return int(text)
    if _OTHER_BASE.fullmatch(text):
        return int(text, 0)
    return float(text) if _FLOAT.fullmatch(text) else text


def _syntax_problem(error: MarkedYAMLError, file: str) -> Problem:
    said = str(error.problem or error.context or "this can't be read")
    mark = error.problem_mark or error.context_mark
    if "could not find expected ':'" in said or "end of stream" in said or "expected ','" in said:
        mark = error.context_mark or mark
    place = Place(file, mark.line + 1, mark.column + 1) if mark else Place(file)
    for pattern, message, hint in _MENDS:
        if match := re.search(pattern, said):
            return Problem(place, "yaml", message.format(*match.groups()), hint)
    return Problem(place, "yaml", said, "check it")


def _character_problem(error: ReaderError, text: str, file: str) -> Problem:
    before = text[: error.position]
    place = Place(file, before.count("\n") + 1, len(before) - before.rfind("\n"))
    code = error.character if isinstance(error.character, int) else ord(error.character)
    return Problem(place, "yaml", f"the character U+{code:04X} can't be in a file of text", "take it away")


def walk(data: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every part of `data` with its path, containers before what is in them."""
    yield path, data
    if isinstance(data, dict):
        for key, value in data.items():
            yield from walk(value, (*path, key))
    elif isinstance(data, list):
        for index, value in enumerate(data):
            yield from walk(value, (*path, index))
