"""What a provider's error code means for the message, whichever provider it is."""

from enum import StrEnum

from wabot.errors import ContactRefuses, NeedsTemplate, NotSent, SendError, Undeliverable


class Refusal(StrEnum):
    """`later`: not taken now, safe to send again. `never`: this message won't be taken. `suppress`: nothing
    will be, the contact has blocked us or opted out. `template`: only an approved template is taken now."""

    LATER = "later"
    NEVER = "never"
    SUPPRESS = "suppress"
    TEMPLATE = "template"


_ERRORS: dict[Refusal, type[SendError]] = {
    Refusal.LATER: NotSent,
    Refusal.NEVER: Undeliverable,
    Refusal.SUPPRESS: ContactRefuses,
    Refusal.TEMPLATE: NeedsTemplate,
}


def refused(refusal: Refusal, message: str, code: str) -> SendError:
    """The error that a channel's `send` raises for it; `code` is the provider's own."""
    return _ERRORS[refusal](message, code=code)
