"""What an event asks of the world outside the engine, in the order asked."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, ClassVar

from wabot.core.json import to_plain
from wabot.core.messages import Outbound


@dataclass(frozen=True, slots=True)
class Say:
    """Send this message to the contact. `state` is the dotted path of the state that said it."""

    type: ClassVar[str] = "say"
    message: Outbound
    flow: str = ""
    state: str = ""

    def as_json(self) -> dict[str, Any]:
        return {"type": self.type, "message": self.message.model_dump(mode="json", exclude_defaults=True)}


@dataclass(frozen=True, slots=True)
class StartTimer:
    """Deliver `Event("timer.<id>", key=key)` after `delay`. `key` is unique in the conversation."""

    type: ClassVar[str] = "timer"
    id: str
    key: str
    delay: timedelta

    def as_json(self) -> dict[str, Any]:
        return {"type": self.type, "id": self.id, "key": self.key, "seconds": self.delay.total_seconds()}


@dataclass(frozen=True, slots=True)
class CancelTimer:
    """The timer of this key is not wanted any more."""

    type: ClassVar[str] = "cancel"
    key: str

    def as_json(self) -> dict[str, Any]:
        return {"type": self.type, "key": self.key}


@dataclass(frozen=True, slots=True)
class StartInvoke:
    """Do something outside the turn; deliver `done.invoke.<id>` or `error.invoke.<id>` with `key`.

    `kind` is `http`, `agent`, or a module's own `<module>.<name>`.
    """

    type: ClassVar[str] = "invoke"
    id: str
    key: str
    kind: str
    arguments: dict[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        return {
            "type": self.type,
            "id": self.id,
            "key": self.key,
            "kind": self.kind,
            "arguments": to_plain(self.arguments),
        }


@dataclass(frozen=True, slots=True)
class CancelInvoke:
    """The result of this invoke is not wanted any more."""

    type: ClassVar[str] = "cancel-invoke"
    key: str

    def as_json(self) -> dict[str, Any]:
        return {"type": self.type, "key": self.key}


@dataclass(frozen=True, slots=True)
class Log:
    """A line for the operator's log."""

    type: ClassVar[str] = "log"
    label: str
    value: Any

    def as_json(self) -> dict[str, Any]:
        return {"type": self.type, "label": self.label, "value": to_plain(self.value)}


Effect = Say | StartTimer | CancelTimer | StartInvoke | CancelInvoke | Log
