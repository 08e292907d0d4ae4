"""What Twilio's answers, and their absence, mean for a message."""

import re
from collections.abc import Callable
from typing import Any, TypeVar

from twilio.base.exceptions import TwilioException
from twilio.base.version import Version
from twilio.http.response import Response

from wabot.adapters.channels.twilio.codes import TOO_MANY, UNAUTHORIZED, refusal_of
from wabot.adapters.channels.twilio.line import AnswerLost, NotReached
from wabot.core.refusals import Refusal, refused
from wabot.errors import NotSent, SendError, SendUnknown

T = TypeVar("T")

_DIGITS = re.compile(r"\d{6,}")
_SENTENCE = 200


def asked(question: Callable[[], T]) -> T:
    """What Twilio answers. Raises NotSent, Undeliverable or SendUnknown, as `core.ports.Channel` has them."""
    try:
        return question()
    except NotReached as error:
        raise NotSent(f"Twilio can't be reached: {error}") from error
    except AnswerLost as error:
        raise SendUnknown(f"Twilio's answer was lost: {error}") from error
    except TwilioException as error:
        raise _meant(_with_status(error)) from error
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        # The SDK reads what isn't the JSON that it expects.
        raise SendUnknown(f"Twilio's answer can't be read: {type(error).__name__}") from error


def told(text: str) -> str:
    """A sentence of Twilio's without the numbers of contacts that it may quote."""
    return _DIGITS.sub("…", " ".join(text.split()))[:_SENTENCE]


def _with_status(error: Any) -> Any:
    """The SDK's error for a list has the whole answer beside its message, unread."""
    answer = next((each for each in error.args if isinstance(each, Response)), None)
    return error if answer is None else Version.exception("GET", "", answer, "")


def _meant(error: Any) -> SendError:
    status = int(getattr(error, "status", 0) or 0)
    code = str(getattr(error, "code", "") or "")
    sentence = told(str(getattr(error, "msg", "") or getattr(error, "title", "") or "no reason given"))
    if status == 429:
        return refused(Refusal.LATER, "Twilio has too much to do for us", code or TOO_MANY)
    if status in (401, 403) and code in ("", str(status)):
        return refused(Refusal.LATER, "Twilio doesn't let us in", UNAUTHORIZED)
    if 400 <= status < 500 and status != 408:
        return refused(refusal_of(code), f"Twilio refused it: {sentence}", code or str(status))
    return SendUnknown(f"Twilio answered {status or 'strangely'}", code=code or None)
