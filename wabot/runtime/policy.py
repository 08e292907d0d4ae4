"""What may leave, decided at the moment of sending: opt-out, the 24-hour window, the sender's quota."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy.orm import Session

from wabot.core import limits
from wabot.core.buckets import Buckets, NoBuckets, Verdict
from wabot.core.durations import format_duration
from wabot.core.messages import Outbound, Template
from wabot.core.ports import Channel
from wabot.core.tables import Category, ContactRow, ConversationRow, OutboxRow
from wabot.errors import NotSent, SendError, Undeliverable
from wabot.runtime.fate import NO_TEMPLATE, has_template

OPTED_OUT, OUTSIDE, QUOTA = "opted_out", "outside_window", "quota"
"""The codes of messages that were not sent for these reasons; `quota` is one that waits."""


class Form(StrEnum):
    """`as_is`: with its template, if it has one. `free`: the window is open, so without."""

    AS_IS = "as_is"
    FREE = "free"


class Policy:
    """Asked for each message in the transaction that claims it, where its conversation and contact are
    loaded. `channels` say by their capabilities whether there is a window at all, and whether a message
    takes a token of its sender from `quota`."""

    def __init__(self, channels: Mapping[str, Channel], quota: Buckets | None = None) -> None:
        self._channels = channels
        self._quota = quota or NoBuckets()

    def __call__(self, session: Session, row: OutboxRow, now: datetime) -> SendError | Form:
        conversation = session.get_one(ConversationRow, row.conversation_id)
        form = self._form(session, row, conversation, now)
        if isinstance(form, Form) and not self._has_room(conversation):
            return NotSent(f"{conversation.sender} sends as fast as it may", code=QUOTA)
        return form

    def _has_room(self, conversation: ConversationRow) -> bool:
        if not self._channels[conversation.channel].capabilities.paced:
            return True
        return self._quota.take(f"send:{conversation.channel}:{conversation.sender}") is Verdict.PASS

    def _form(
        self, session: Session, row: OutboxRow, conversation: ConversationRow, now: datetime
    ) -> SendError | Form:
        contact = session.get_one(ContactRow, conversation.contact_id)
        if contact.opted_out_at is not None and row.category != Category.OPT_OUT:
            return Undeliverable("the contact has opted out", code=OPTED_OUT)
        window = self._channels[conversation.channel].capabilities.window
        if window is None or row.as_template:
            return Form.AS_IS
        if _is_open(window, conversation.last_message_at, now):
            # A campaign's template was paid for and approved as it is.
            return Form.AS_IS if row.category == Category.CAMPAIGN else Form.FREE
        return (
            Form.AS_IS if has_template(row.message) else _outside(window, conversation.last_message_at, now)
        )


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
