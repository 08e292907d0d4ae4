"""What Meta's error codes mean for a message.

Each as the Cloud API's page of error codes has it (developers.facebook.com, WhatsApp Business Platform,
support/error-codes); they come in answers and in the `errors` of a status.
"""

from types import MappingProxyType

from wabot.core.refusals import Refusal

WINDOW_CLOSED = "131047"
TOO_MANY = "130429"

_MENDABLE = (
    "0",  # the app's user could not be authenticated
    "3",  # a capability or a permission is missing; comes with HTTP 500 all the same
    "10",  # permission not granted, or removed
    "190",  # the access token has expired
    "131005",  # access denied
    "131042",  # the account's way of paying
    "133010",  # our number isn't registered
)
_BUSY = (
    "1",  # unknown, or a server's error
    "2",  # down or overloaded
    "4",  # the app's calls
    "80007",  # the account's calls
    TOO_MANY,  # messages a second of our number
    "131000",  # something went wrong: try again
    "131016",  # a service is down
    "131048",  # our number has been marked as spam: fewer for now
    "131056",  # too many to this contact in a short time
    "131057",  # the account is being upgraded
    "133004",  # the server is down for a while
)
_SUPPRESS = (
    "131050",  # the contact has turned our marketing messages off
)
_TEMPLATE = (WINDOW_CLOSED,)

REFUSALS = MappingProxyType(
    {
        **dict.fromkeys(_MENDABLE + _BUSY, Refusal.LATER),
        # API permission: a whole hundred of codes
        **{str(code): Refusal.LATER for code in range(200, 300)},
        **dict.fromkeys(_SUPPRESS, Refusal.SUPPRESS),
        **dict.fromkeys(_TEMPLATE, Refusal.TEMPLATE),
    }
)
"""All others are never taken as they are: a wrong parameter (100, 131008, 131009), a number that isn't on
WhatsApp or can't be reached (131026: Meta doesn't say which, so the contact is not suppressed), one that a
test number may not write to (131030), media that can't be fetched (131052, 131053), an account that is
locked (368, 131031), a template that is missing, paused, disabled or otherwise filled (132000 to 132016).
131049, a marketing message that Meta held back, and 130472, an experiment of theirs, are too: soon after
they would be refused again, so a campaign decides about it and the outbox doesn't."""

NEVER_TAKEN = frozenset({"0", "3", "4", "190", "80007", TOO_MANY, "131056", "131057"})
"""Codes with which an HTTP 5xx says for sure that the message wasn't taken. Any other leaves that open."""


def refusal_of(code: str) -> Refusal:
    """What this code of Meta's means for the message."""
    return REFUSALS.get(code.strip(), Refusal.NEVER)
