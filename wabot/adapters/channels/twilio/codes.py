"""What Twilio's error codes mean for a message, each as its page at twilio.com/docs/api/errors has it."""

from types import MappingProxyType

from wabot.core.refusals import Refusal

TOO_MANY = "20429"
UNAUTHORIZED = "20003"
TOO_LONG = "21617"
NO_SUCH_CONTENT = "21655"
WRONG_VARIABLES = "21656"

_LATER = (
    UNAUTHORIZED,  # the account's credentials: a person mends them, and the message is still wanted
    "20005",  # the account isn't active
    TOO_MANY,  # too many requests at a time
    "21611",  # our number's queue is full
    "30001",  # queue overflow
    "30002",  # the account is suspended
    "30022",  # carriers' rate limit
    "60728",  # the account's messages in an hour
    "63012",  # the channel's service had an internal error
    "63017",  # the account's messages in a second
    "63018",  # the sender's rate, or WhatsApp's limit of recipients in 24 hours
    "63022",  # WhatsApp can't name the number's certificate now
    "63031",  # the channel can't be reached now
    "63038",  # the account's messages in a day
)
_SUPPRESS = (
    "21610",  # the contact has written STOP to a sender of ours
    "63014",  # the contact has blocked us, or opted out
)
_TEMPLATE = ("63016",)  # free words, and the window is closed

REFUSALS = MappingProxyType(
    {
        **dict.fromkeys(_LATER, Refusal.LATER),
        **dict.fromkeys(_SUPPRESS, Refusal.SUPPRESS),
        **dict.fromkeys(_TEMPLATE, Refusal.TEMPLATE),
    }
)
"""All others are never taken as they are: a number that isn't on WhatsApp (63003, 63024) or no number at
all (21211), a text or a variable too long (21617, 21658), a template that Meta has paused, refused or
wants otherwise filled (63013, 63021, 63027 to 63042), media that can't be fetched or is too large (63005,
63019). 63049, a marketing message that Meta held back, is one of them too: to numbers of the US it may not
be repeated at all, and elsewhere not soon, so a campaign decides about it and the outbox doesn't."""


def refusal_of(code: str) -> Refusal:
    """What this code of Twilio's means for the message."""
    return REFUSALS.get(code.strip(), Refusal.NEVER)
