"""Conversations written down as YAML: what is well formed, and where each part stands."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from wabot.core.durations import parse_duration
from wabot.core.messages import Location
from wabot.engine.problems import Path, Place, Problem, did_you_mean
from wabot.engine.yaml import Positions, read_yaml
from wabot.errors import FlowInvalid
from wabot.testing.places import read

M = TypeVar("M", bound=BaseModel)

ACTS = ("contact", "tap", "pick", "send", "wait", "complete", "fail", "command")
MEDIA = ("image", "audio", "video", "document", "sticker")


def _words(value: Any) -> Any:
    if isinstance(value, bool | float):
        raise ValueError("put quotes around it: YAML reads it as something else than a text")
    return str(value) if isinstance(value, int) else value


def _listed(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


def _lasting(value: Any) -> Any:
    if isinstance(value, str):
        parse_duration(value)
    return value


Words = Annotated[str, BeforeValidator(_words)]
WordList = Annotated[list[Words], BeforeValidator(_listed)]
Titles = Annotated[list[Words] | dict[str, Words], Field(union_mode="left_to_right")]
Length = Annotated[Words, BeforeValidator(_lasting)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Bubble(_Part):
    """What is expected of one message of the bot; what is not named is not compared."""

    text: Words | None = None
    contains: WordList = Field(default_factory=list)
    lacks: WordList = Field(default_factory=list)
    matches: str | None = None
    header: Words | None = None
    footer: Words | None = None
    buttons: Titles | None = None
    list_: Titles | None = Field(alias="list", default=None)
    options: Titles | None = None
    media: str | dict[str, Any] | None = None
    location: dict[str, Any] | None = None
    template: str | dict[str, Any] | None = None
    any: bool = False
    rest: bool = False


def _bubble(value: Any) -> Any:
    return {"text": value} if isinstance(value, str | int) and not isinstance(value, bool) else value


class Tap(_Part):
    option: Words
    message: int | None = None


class Sending(_Part):
    """What the contact sends beside text: one of these, and `text` with it."""

    text: Words = ""
    image: str | dict[str, Any] | None = None
    audio: str | dict[str, Any] | None = None
    video: str | dict[str, Any] | None = None
    document: str | dict[str, Any] | None = None
    sticker: str | dict[str, Any] | None = None
    location: Location | None = None
    card: dict[str, Any] | None = None

    @model_validator(mode="after")
    def _one(self) -> "Sending":
        given = self.model_fields_set - {"text"}
        if len(given) != 1:
            raise ValueError(f"send one of {', '.join(MEDIA)}, location or card")
        return self


class Stub(_Part):
    """The answer to one call of an invoke: `complete` with data, or `fail` with a reason."""

    complete: Any = None
    fail: Any = None

    @model_validator(mode="after")
    def _one(self) -> "Stub":
        if len(self.model_fields_set) != 1:
            raise ValueError("a stub has one of complete and fail")
        return self


class Person(_Part):
    name: Words = "Asha"
    phone: Words = "+919800000001"


class Settings(_Part):
    """How a conversation begins."""

    flow: str | None = None
    locale: str | None = None
    contact: Person = Person()
    now: Words | None = None
    stubs: dict[str, Annotated[list[Stub], BeforeValidator(_listed)]] = Field(default_factory=dict)
    setup: list[dict[str, Any]] = Field(default_factory=list)
    skip: Words = ""


class Step(_Part):
    """At most one act, then checks. What is given is in `model_fields_set`."""

    contact: Words | None = None
    tap: Annotated[Tap, BeforeValidator(lambda v: v if isinstance(v, dict) else {"option": v})] | None = None
    pick: Annotated[Tap, BeforeValidator(lambda v: v if isinstance(v, dict) else {"option": v})] | None = None
    send: Sending | None = None
    wait: Length | None = None
    complete: dict[str, Any] | None = None
    fail: dict[str, Any] | None = None
    command: dict[str, Any] | None = None
    bot: (
        Annotated[
            list[Annotated[Bubble, BeforeValidator(_bubble)]],
            BeforeValidator(lambda v: v if v is None else _listed(v)),
        ]
        | None
    ) = None
    silent: bool | None = None
    state: WordList | None = None
    flow: str | None = None
    ended: bool | None = None
    variables: dict[str, Any] | None = None
    check: WordList | None = None
    timers: (
        Annotated[
            list[Words] | dict[str, Length], BeforeValidator(lambda v: [v] if isinstance(v, str) else v)
        ]
        | None
    ) = None
    effects: list[dict[str, Any]] | None = None
    rows: dict[str, int | list[dict[str, Any]]] | None = None
    result: Any = None
    rejected: Words | None = None

    @model_validator(mode="after")
    def _one_act(self) -> "Step":
        acts = [name for name in ACTS if name in self.model_fields_set]
        if len(acts) > 1:
            raise ValueError(f"a step has one act, here are {len(acts)}: {', '.join(acts)}")
        for name in ("complete", "fail", "command"):
            value = getattr(self, name)
            if value is not None and len(value) != 1:
                raise ValueError(f"{name} names one thing, here are {len(value)}")
        if {"result", "rejected"} & self.model_fields_set and "command" not in self.model_fields_set:
            raise ValueError("result and rejected go with a command in the same step")
        return self


@dataclass(frozen=True, slots=True)
class Case:
    """One conversation of a file. `path` is where its list of steps stands in the document."""

    name: str
    file: str
    settings: Settings
    steps: tuple[Step, ...]
    orders: tuple[tuple[str, ...], ...]
    path: Path
    positions: Positions

    def place(self, step: int, *inner: str | int) -> Place:
        return self.positions.place((*self.path, step, *inner))

    @property
    def start(self) -> Place:
        return self.positions.place(self.path)

    def __str__(self) -> str:
        return f"{self.file}: {self.name}"


_TOP = re.compile(r"^[\"']?conversations?[\"']?\s*:", re.MULTILINE)


def looks_like_cases(file: FilePath) -> bool:
    """Whether a YAML file is meant as conversations, well formed or not: it has their key at its top."""
    return _TOP.search(file.read_text(encoding="utf-8", errors="replace")) is not None


def read_cases(file: FilePath | str, text: str | None = None) -> list[Case]:
    """The conversations of a test file, in order.

    Raises FlowSyntaxError where it is no YAML, FlowInvalid with every finding where it is no test.
    """
    if text is None:
        text = read(FilePath(file))
    data, positions = read_yaml(text, str(file))
    reader = _Reader(str(file), positions)
    cases = list(reader.cases(data, FilePath(file).stem))
    if reader.problems:
        raise FlowInvalid(problems=sorted(reader.problems, key=lambda problem: problem.place))
    return cases


@dataclass(slots=True)
class _Reader:
    file: str
    positions: Positions
    problems: list[Problem] = field(default_factory=list)

    def cases(self, data: Any, stem: str) -> Iterator[Case]:
        if not isinstance(data, dict) or not {"conversation", "conversations"} & set(data):
            self.wrong((), "a test file begins with conversations:", "conversations: {a name: [steps]}")
            return
        for key in data:
            if key not in ("conversation", "conversations", "defaults"):
                self.unknown((key,), key, ("conversations", "conversation", "defaults"))
        defaults = self.mapping(data.get("defaults"), ("defaults",))
        if self.model(Settings, defaults, ("defaults",)) is None:
            defaults = {}
        if "conversation" in data:
            yield from self.case(stem, data["conversation"], ("conversation",), defaults)
        for name, value in self.mapping(data.get("conversations"), ("conversations",)).items():
            yield from self.case(str(name), value, ("conversations", name), defaults)

    def case(self, name: str, data: Any, path: Path, defaults: Mapping[str, Any]) -> Iterator[Case]:
        own: dict[str, Any] = {}
        if isinstance(data, dict):
            own = {key: value for key, value in data.items() if key != "steps"}
            data, steps_at = data.get("steps"), (*path, "steps")
        else:
            steps_at = path
        if not isinstance(data, list) or not data:
            self.wrong(path, f'the conversation "{name}" has no steps', "write a list of steps")
            return
        settings = self.model(Settings, own, path) and Settings.model_validate({**defaults, **own})
        steps = [self.model(Step, item, (*steps_at, index)) for index, item in enumerate(data)]
        if settings is None or self.problems:
            return
        yield Case(
            name=name,
            file=self.file,
            settings=settings,
            steps=tuple(step for step in steps if step is not None),
            orders=tuple(tuple(map(str, item)) for item in data),
            path=steps_at,
            positions=self.positions,
        )

    def mapping(self, data: Any, path: Path) -> Mapping[str, Any]:
        if data is None or isinstance(data, dict):
            return data or {}
        self.wrong(path, f"{path[-1]} is a mapping")
        return {}

    def model(self, model: type[M], data: Any, path: Path) -> M | None:
        """`data` as `model`, or None with the findings noted at their places."""
        if not isinstance(data, dict):
            self.wrong(path, "a step is a mapping such as {contact: Hi}")
            return None
        try:
            return model.model_validate(data)
        except ValidationError as error:
            seen: set[Path] = set()
            for finding in error.errors():
                inner = _inside(data, finding["loc"])
                if (at := (*path, *inner)) not in seen:
                    seen.add(at)
                    self.finding(model, dict(finding), at)
            return None

    def finding(self, model: type[BaseModel], finding: Mapping[str, Any], path: Path) -> None:
        if finding["type"] == "extra_forbidden":
            self.unknown(path, str(path[-1]), _keys(model, finding["loc"]))
        else:
            self.wrong(path, str(finding["msg"]).removeprefix("Value error, "))

    def unknown(self, path: Path, word: str, known: Sequence[str]) -> None:
        hint = did_you_mean(word, known) or f"known are {', '.join(known)}"
        self.problems.append(
            Problem(self.positions.place(path, key=True), "test-file", f'unknown key "{word}"', hint)
        )

    def wrong(self, path: Path, message: str, hint: str = "") -> None:
        self.problems.append(Problem(self.positions.place(path), "test-file", message, hint))


def _inside(data: Any, loc: Sequence[str | int]) -> Path:
    """A pydantic location as a path in the document: without the names of models and unions."""
    path: list[str | int] = []
    for part in loc:
        known: Any = (
            data if isinstance(data, dict) else dict(enumerate(data)) if isinstance(data, list) else {}
        )
        if part in known:
            path.append(part)
            data = known[part]
    return tuple(path)


def _keys(model: type[BaseModel], loc: Sequence[str | int]) -> list[str]:
    """The keys known where an unknown one stands."""
    inner: type[BaseModel] = model
    for part, known in (("contact", Person), ("bot", Bubble), ("stubs", Stub), ("send", Sending)):
        if part in loc[:-1]:
            inner = known
    if inner is Sending and "location" in loc[:-1]:
        inner = Location
    if {"tap", "pick"} & set(loc[:-1]):
        inner = Tap
    return sorted(field.alias or name for name, field in inner.model_fields.items())
