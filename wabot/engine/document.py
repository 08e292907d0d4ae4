"""A flow as its author wrote it: the language, one pydantic model a construct.

The vocabulary of a plain statechart (states, transitions, assign, raise, send, …) is
python-statemachine's, whose meaning is SCXML's; the rest is the language of conversations. These
models say what is well formed; what it means together is the checker's.
"""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Strict, Tag

from wabot.engine import shortforms as short

ACTION_KEYS = (
    "say", "assign", "raise", "send", "cancel", "if", "foreach", "log", "digress", "locale", "script",
)  # fmt: skip


class Node(BaseModel):
    model_config = ConfigDict(extra="forbid", populate_by_name=False, frozen=True)


Flag = Annotated[bool, Strict(), BeforeValidator(short.flag)]
Number = Annotated[float, Strict()] | str
Text = Annotated[str, BeforeValidator(short.word)]
"""A key of the texts, or literal text: a template either way."""
Name = Annotated[str, BeforeValidator(short.word)]
"""The name of a state, event, variable, …: taken as written."""
Expr = Annotated[str, BeforeValidator(short.source)]
"""The source of an expression."""
Duration = Annotated[str, AfterValidator(short.duration)]
Guards = Annotated[list[Expr], BeforeValidator(short.listed)]


class Param(Node):
    name: Name
    expr: Expr | None = None
    location: Name | None = None


class Option(Node):
    """A button (title up to 20 characters) or a list row (title 24, description 72)."""

    id: Text
    title: Text
    description: Text = ""


class EachOption(Node):
    """Options from data: one for each item of the expression `for`, called `as` in the others."""

    each: Expr = Field(alias="for")
    as_: Name = Field(alias="as", default="item")
    id: Text
    title: Text
    description: Text = ""


Options = Annotated[
    Annotated[list[Option], Tag("options")] | Annotated[EachOption, Tag("each")],
    Discriminator(lambda v: "each" if isinstance(v, dict | EachOption) else "options"),
    BeforeValidator(short.lines),
]


class ListSection(Node):
    title: Text = ""
    rows: Options


class ListPicker(Node):
    """A list message. Give `rows`, or `sections` of rows."""

    button: Text = "wabot.list_button"
    rows: Options | None = None
    sections: list[ListSection] | None = None


class MediaPart(Node):
    url: Text
    kind: Literal["image", "audio", "video", "document", "sticker"]
    filename: Text = ""


class LocationPart(Node):
    latitude: Number
    longitude: Number
    name: Text = ""
    address: Text = ""


class TemplatePart(Node):
    """An approved template, for messages that may leave outside the 24-hour window."""

    name: Name
    language: Name = ""
    variables: Annotated[dict[Name, Text], BeforeValidator(short.numbered)] = Field(default_factory=dict)


class Rich(Node):
    """A message of more than text."""

    text: Text = ""
    header: Text = ""
    footer: Text = ""
    buttons: Options | None = None
    list_: ListPicker | None = Field(alias="list", default=None)
    media: MediaPart | None = None
    location: LocationPart | None = None
    template: TemplatePart | None = None


AnswerType = Literal[
    "text", "integer", "number", "money", "date", "phone", "email", "choice", "yesno",
    "location", "contact", "image", "document", "audio", "video",
]  # fmt: skip


class Ask(Rich):
    """A question that waits for its answer.

    `type` is `choice` where there are buttons, a list or choices, else `text`. The answer is stored
    in the variable `into`, then the event `answered` is raised with it as `answer`. An answer that
    doesn't fit is answered with `retry`, and after `attempts` of them `exhausted` is raised.
    """

    type: AnswerType | None = None
    into: Name | None = None
    choices: Options | None = None
    attempts: int = Field(default=3, ge=1, le=20, strict=True)
    retry: Text = ""
    min: Number | None = None
    max: Number | None = None
    pattern: str | None = None

    @property
    def answer_type(self) -> AnswerType:
        if self.type:
            return self.type
        return "choice" if self.buttons or self.list_ or self.choices else "text"


class SayAction(Node):
    say: Annotated[Rich, BeforeValidator(short.text_is_rich)]


class AssignAction(Node):
    """`{location, expr}` with an expression, or `{variable: value, …}` with templates."""

    assign: dict[str, Any]

    @property
    def plain(self) -> bool:
        return "location" in self.assign and set(self.assign) <= {"location", "expr"}


class RaiseBody(Node):
    event: Name
    data: Any = None


class RaiseAction(Node):
    raise_: Annotated[RaiseBody, BeforeValidator(short.event_body)] = Field(alias="raise")


class SendBody(Node):
    event: Name | None = None
    eventexpr: Expr | None = None
    target: Name | None = None
    type: Name | None = None
    id: Name | None = None
    idlocation: Name | None = None
    delay: Text | None = None
    delayexpr: Expr | None = None
    namelist: Name | None = None
    params: Annotated[list[Param], BeforeValidator(short.listed)] = Field(default_factory=list)
    content: Any = None
    data: Any = None


class SendAction(Node):
    send: Annotated[SendBody, BeforeValidator(short.event_body)]


class CancelBody(Node):
    sendid: Name | None = None
    sendidexpr: Expr | None = None


class CancelAction(Node):
    cancel: Annotated[CancelBody, BeforeValidator(short.send_id)]


class LogBody(Node):
    label: Name | None = None
    expr: Expr | None = None


class LogAction(Node):
    log: Annotated[LogBody, BeforeValidator(short.logged)]


class Branch(Node):
    cond: Expr
    then: "Actions" = Field(default_factory=list)


class IfBody(Branch):
    elif_: Annotated[list[Branch], BeforeValidator(short.listed)] = Field(alias="elif", default_factory=list)
    else_: "Actions" = Field(alias="else", default_factory=list)


class IfAction(Node):
    if_: IfBody = Field(alias="if")


class ForeachBody(Node):
    array: Expr
    item: Name
    index: Name | None = None
    do: "Actions" = Field(default_factory=list)


class ForeachAction(Node):
    foreach: ForeachBody


class DigressBody(Node):
    flow: Name
    with_: Annotated[dict[str, Any], BeforeValidator(short.mapped)] = Field(
        alias="with", default_factory=dict
    )


class DigressAction(Node):
    """Run another flow now, then come back to the open question and ask it again."""

    digress: Annotated[DigressBody, BeforeValidator(short.flow_body)]


class LocaleAction(Node):
    """Speak this locale with the contact from now on."""

    locale: Text


class ScriptAction(Node):
    """Known, so that the checker can say why it is refused."""

    script: Any


class CommandAction(BaseModel):
    """`{<module>.<command>: arguments, into: variable}`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    command: str
    arguments: Any = None
    into: Name | None = None


def _action_kind(value: Any) -> str | None:
    if isinstance(value, CommandAction):
        return "command"
    if isinstance(value, Node):
        return next((field.alias or name) for name, field in type(value).model_fields.items())
    if not isinstance(value, dict):
        return None
    return next((str(key) for key in value if key in ACTION_KEYS), "command")


Action = Annotated[
    Annotated[SayAction, Tag("say")]
    | Annotated[AssignAction, Tag("assign")]
    | Annotated[RaiseAction, Tag("raise")]
    | Annotated[SendAction, Tag("send")]
    | Annotated[CancelAction, Tag("cancel")]
    | Annotated[IfAction, Tag("if")]
    | Annotated[ForeachAction, Tag("foreach")]
    | Annotated[LogAction, Tag("log")]
    | Annotated[DigressAction, Tag("digress")]
    | Annotated[LocaleAction, Tag("locale")]
    | Annotated[ScriptAction, Tag("script")]
    | Annotated[Annotated[CommandAction, BeforeValidator(short.command)], Tag("command")],
    Discriminator(
        _action_kind,
        custom_error_type="action",
        custom_error_message="an action is a mapping such as {say: welcome}",
    ),
]
Actions = Annotated[list[Action], BeforeValidator(short.listed)]


Inline = Annotated[
    Annotated["FlowDocument", Tag("flow")] | Annotated[Expr, Tag("expression")],
    Discriminator(lambda v: "flow" if isinstance(v, dict | Node) else "expression"),
]


class Invoke(Node):
    """Something outside the turn while the state is active: exactly one of flow, http, agent, or a
    module's own (`call`, with its arguments in `with`). Its result comes as `done.invoke.<id>`,
    its failure as `error.invoke.<id>`; leaving the state cancels it.

    `type`, `src`, `content` and `params` are the plain statechart's: a machine inline, or by name.
    """

    id: Name | None = None
    flow: Name | None = None
    http: dict[str, Any] | None = None
    agent: Any = None
    call: Name | None = None
    with_: Annotated[dict[str, Any], BeforeValidator(short.mapped)] = Field(
        alias="with", default_factory=dict
    )
    into: Name | None = None
    type: Name | None = None
    src: Name | None = None
    content: Inline | None = None
    params: Annotated[list[Param], BeforeValidator(short.listed)] = Field(default_factory=list)
    autoforward: Flag = False
    typeexpr: Expr | None = None
    srcexpr: Expr | None = None
    idlocation: Name | None = None
    namelist: Name | None = None
    finalize: Any = None


class Transition(Node):
    """`event` holds descriptors separated by spaces; without one the transition is eventless.
    `target` holds one target, or several separated by spaces; without one nothing is left."""

    event: Name | None = None
    intent: Name | None = None
    target: Name | None = None
    cond: Guards = Field(default_factory=list)
    unless: Guards = Field(default_factory=list)
    internal: Flag = False
    initial: Flag = False
    before: Actions = Field(default_factory=list)
    on: Actions = Field(default_factory=list)
    after: Actions = Field(default_factory=list)


class After(Node):
    """What happens when a state has been active for so long."""

    target: Name | None = None
    cond: Guards = Field(default_factory=list)
    on: Actions = Field(default_factory=list)


Transitions = Annotated[list[Transition], BeforeValidator(short.listed)]


class History(Node):
    type: Literal["shallow", "deep"] = "shallow"
    transitions: Transitions = Field(default_factory=list)


Timers = Annotated[
    dict[Duration, Annotated[After, BeforeValidator(short.target_body)]],
    BeforeValidator(short.mapped),
]


class StateNode(Node):
    description: Text = ""
    initial: Flag = False
    final: Flag = False
    parallel: Flag = False
    enter: Actions = Field(default_factory=list)
    exit: Actions = Field(default_factory=list)
    ask: Annotated[Ask, BeforeValidator(short.text_is_rich)] | None = None
    after: Timers = Field(default_factory=dict)
    transitions: Transitions = Field(default_factory=list)
    invoke: Annotated[list[Invoke], BeforeValidator(short.listed)] = Field(default_factory=list)
    states: "States" = Field(default_factory=dict)
    history: Annotated[dict[str, History], BeforeValidator(short.empty_states)] = Field(default_factory=dict)
    donedata: dict[str, Any] | None = None


States = Annotated[dict[str, StateNode], BeforeValidator(short.empty_states)]

VariableType = Literal[
    "any", "text", "integer", "number", "boolean", "money", "date", "datetime", "list", "object"
]


class Variable(Node):
    """A variable of the flow: its type, and its first value as data (`default`) or as an
    expression (`expr`)."""

    type: VariableType = "any"
    default: Any = None
    expr: Expr | None = None
    description: Text = ""


PhraseList = Annotated[list[Text], BeforeValidator(short.listed)]
Phrases = Annotated[
    Annotated[dict[str, PhraseList], Tag("locales")] | Annotated[PhraseList, Tag("phrases")],
    Discriminator(lambda v: "locales" if isinstance(v, dict) else "phrases"),
]
"""The phrases of an intent, per locale or for all."""


class FlowDocument(Node):
    """One flow. `name` is python-statemachine's word for `flow`; without either it is called by its file."""

    flow: Name = ""
    name: Name = ""
    version: int = Field(default=1, ge=1, strict=True)
    description: Text = ""
    locales: Annotated[list[Name], BeforeValidator(short.listed)] = Field(default_factory=list)
    datamodel: Annotated[dict[str, Variable], BeforeValidator(short.variables)] = Field(default_factory=dict)
    intents: Annotated[dict[str, Phrases], BeforeValidator(short.mapped)] = Field(default_factory=dict)
    transitions: Transitions = Field(default_factory=list)
    states: Annotated[States, Field(min_length=1)]


for _model in (Branch, IfBody, ForeachBody, Invoke, StateNode, FlowDocument):
    # Their fields name what is defined further down.
    _model.model_rebuild(force=True)
