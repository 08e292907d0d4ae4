"""What may leave, decided at the moment of sending: opt-out, the 24-hour window, the sender's quota."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from wabot.core import limits
from wabot.core.buckets import Buckets, NoBuckets, Verdict
from wabot.core.durations import format_duration
from wabot.core.messages import Outbound, Template
from wabot.core.ports import Channel
from wabot.core.tables import Category
from wabot.errors import NotSent, SendError, Undeliverable
from wabot.runtime.fate import NO_TEMPLATE, has_template

OPTED_OUT, OUTSIDE, QUOTA = "opted_out", "outside_window", "quota"
"""The codes of messages that were not sent for these reasons; `quota` is one that waits."""


class Form(StrEnum):
    """`as_is`: with its template, if it has one. `free`: the window is open, so without."""

    AS_IS = "as_is"
    FREE = "free"


@dataclass(frozen=True, slots=True)
class Leaving:
    """A message that is about to leave, as its row has it, and what its conversation and its contact have to
    say to that. `message` is JSON."""

    channel: str
    sender: str
    category: str
    message: Any
    as_template: bool
    last_message_at: datetime | None
    opted_out_at: datetime | None


class Policy:
    """Asked for each message in the transaction that claims it. `channels` say by their capabilities whether
    there is a window at all, and whether a message takes a token of its sender from `quota`."""

    def __init__(self, channels: Mapping[str, Channel], quota: Buckets | None = None) -> None:
        self._channels = channels
        self._quota = quota or NoBuckets()

    def __call__(self, message: Leaving, now: datetime) -> SendError | Form:
        form = self._form(message, now)
        if isinstance(form, Form) and not self._has_room(message):
            return NotSent(f"{message.sender} sends as fast as it may", code=QUOTA)
        return form

    def _has_room(self, message: Leaving) -> bool:
        if not self._channels[message.channel].capabilities.paced:
            return True
        return self._quota.take(f"send:{message.channel}:{message.sender}") is Verdict.PASS

    def _form(self, message: Leaving, now: datetime) -> SendError | Form:
        if message.opted_out_at is not None and message.category != Category.OPT_OUT:
            return Undeliverable("the contact has opted out", code=OPTED_OUT)
        window = self._channels[message.channel].capabilities.window
        if window is None or message.as_template:
            return Form.AS_IS
        if _is_open(window, message.last_message_at, now):
            # A campaign's template was paid for and approved as it is.
            return Form.AS_IS if message.category == Category.CAMPAIGN else Form.FREE
        return Form.AS_IS if has_template(message.message) else _outside(window, message.last_message_at, now)


def shaped(message: Outbound, form: Form) -> Outbound:
    """`message` as it leaves: inside the window in its own words, where it has any beside its template.

    With more buttons than a message takes that is no template, it stays one.
    """
    if message.template is None:
        return message
    free = message.model_copy(update={"template": None})
    if form is Form.FREE and free != Outbound() and len(message.buttons) <= limits.BUTTONS:
        return free
    return message.model_copy(update={"template": _on_one_line(message.template)})


def _on_one_line(template: Template) -> Template:
    """Meta refuses a variable with a line break, a tab or more than four blanks in a row."""
    variables = {name: " ".join(value.split()) for name, value in template.variables.items()}
    return template.model_copy(update={"variables": variables})


def _is_open(window: timedelta, last: datetime | None, now: datetime) -> bool:
    return last is not None and now - last < window


def _outside(window: timedelta, last: datetime | None, now: datetime) -> Undeliverable:
    wrote = "never wrote" if last is None else f"last wrote {format_duration(now - last)} ago"
    return Undeliverable(
        f"the contact {wrote}: a message without a template leaves only within {format_duration(window)}: "
        f"{NO_TEMPLATE}",
        code=OUTSIDE,
    )
