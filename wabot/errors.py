"""Every error that wabot raises on purpose.

    WabotError
    ├── ConfigurationError        settings, modules or middleware that can't work together
    │   ├── SettingsError         a setting that is missing or wrong
    │   ├── DuplicateName         two things registered under one name
    │   └── Frozen                something added after the app was bound
    ├── FlowError                 a flow, a text file or a test file that can't be used
    │   ├── FlowSyntaxError       not YAML, or YAML outside the bounds
    │   └── FlowInvalid           read, but with findings of the checker
    ├── TurnError                 a turn that can't be completed; it is rolled back
    │   ├── ExpressionError       an expression or a template that fails on this data
    │   ├── BudgetExceeded        a turn past its microsteps, invokes or rendered bytes
    │   ├── StateError            stored state that doesn't fit the flow
    │   ├── UnknownName           a flow, command or text that isn't there at run time
    │   │   └── NotFound          a conversation, an order, … that isn't on record
    │   └── Rejected              a command refuses what it was asked, for a business reason
    ├── EffectError               something outside the turn that failed; the flow is told
    │   └── TryAgain              it failed for now
    ├── SendError                 a message that didn't go out
    │   ├── NotSent               refused before it left: safe to send again
    │   ├── Undeliverable         will never be accepted: don't send again
    │   │   ├── ContactRefuses    the contact has blocked us or opted out: send it nothing more
    │   │   └── NeedsTemplate     taken only as an approved template
    │   └── SendUnknown           it may or may not have been accepted
    ├── CircuitOpen               a call that isn't made, for too many before it failed
    ├── RecordError               the database can't be used as it is
    └── UsageError                a command line that can't be followed

A class's docstring is its default message.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wabot.engine.problems import Problem


class WabotError(Exception):
    """Something in wabot went wrong."""

    def __init__(self, message: str | None = None, *, hint: str | None = None) -> None:
        self.message = message or (type(self).__doc__ or "").strip()
        self.hint = hint
        super().__init__(self.message)

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


class ConfigurationError(WabotError):
    """The app's parts don't fit together."""


class SettingsError(ConfigurationError):
    """A setting is missing or wrong.

    `keys` lead to it in wabot.toml. `source` is who gave it, as the message says it: the file, or a variable
    of the environment.
    """

    def __init__(
        self,
        message: str | None = None,
        *,
        hint: str | None = None,
        keys: Sequence[str] = (),
        source: str = "",
    ) -> None:
        self.keys = tuple(keys)
        self.source = source
        super().__init__(message or "A setting is missing or wrong.", hint=hint)


class DuplicateName(ConfigurationError):
    """Two things have the same name."""


class Frozen(ConfigurationError):
    """The app is bound already: add modules, commands and middleware before it is."""


class FlowError(WabotError):
    """A flow can't be used."""

    def __init__(
        self,
        message: str | None = None,
        *,
        hint: str | None = None,
        problems: Sequence["Problem"] = (),
    ) -> None:
        self.problems = tuple(problems)
        if message is None and self.problems:
            message = "\n".join(str(problem) for problem in self.problems)
        super().__init__(message, hint=hint)


class FlowSyntaxError(FlowError):
    """The file is not YAML that wabot reads."""


class FlowInvalid(FlowError):
    """The flow has errors."""


class TurnError(WabotError):
    """The turn could not be completed."""


class ExpressionError(TurnError):
    """An expression failed."""


class BudgetExceeded(TurnError):
    """The turn did more than a turn may."""


class StateError(TurnError):
    """The stored state doesn't fit the flow."""


class UnknownName(TurnError):
    """There is nothing of that name."""


class NotFound(UnknownName):
    """There is no such thing on record."""


class Rejected(TurnError):
    """The command was refused.

    `code` is a stable word for programs (`out_of_stock`); `details` is plain data about it.
    """

    def __init__(
        self, message: str, *, code: str = "rejected", details: dict[str, Any] | None = None
    ) -> None:
        self.code = code
        self.details = details or {}
        super().__init__(message)


class EffectError(WabotError):
    """It could not be done.

    The flow gets `error.invoke.<id>` with `code`, a stable word for programs, `message`, and what
    `details`, plain data, says besides.
    """

    def __init__(
        self, message: str | None = None, *, code: str = "failed", details: dict[str, Any] | None = None
    ) -> None:
        self.code = code
        self.details = details or {}
        super().__init__(message)


class TryAgain(EffectError):
    """It could not be done now.

    `after` is how many seconds to wait at least, where the other side has said so.
    """

    def __init__(
        self,
        message: str | None = None,
        *,
        code: str = "failed",
        details: dict[str, Any] | None = None,
        after: float | None = None,
    ) -> None:
        self.after = after
        super().__init__(message, code=code, details=details)


class SendError(WabotError):
    """The message was not sent.

    `code` is the provider's own error code, where there is one.
    """

    def __init__(self, message: str | None = None, *, code: str | None = None) -> None:
        self.code = code
        super().__init__(message)


class NotSent(SendError):
    """The provider did not take the message; it is safe to send it again."""


class Undeliverable(SendError):
    """The provider will never take this message."""


class ContactRefuses(Undeliverable):
    """The contact wants no messages of ours."""


class NeedsTemplate(Undeliverable):
    """The provider takes this message only as an approved template."""


class SendUnknown(SendError):
    """Whether the provider took the message is not known."""


class CircuitOpen(WabotError):
    """What is called has failed too often, and is left alone for a while."""


class RecordError(WabotError):
    """The database can't be used as it is."""


class UsageError(WabotError):
    """The command line can't be followed."""
