"""The middleware that has a contact's file fetched, once its message is on record."""

from collections.abc import Collection

from wabot.core.media import MEDIA, UNASKED
from wabot.core.messages import Inbound
from wabot.core.tables import EffectRow
from wabot.pipeline.compose import CallNext, Middleware
from wabot.pipeline.turn import Turn


def make_media(channels: Collection[str]) -> Middleware:
    """A message of these channels that has a file asks for it as an effect, whatever the flow does.

    What comes of it is the event `done.invoke.media`; a flow that doesn't listen notices nothing.
    """

    def media(turn: Turn, call_next: CallNext) -> None:
        call_next()
        message = turn.message
        # After the flow: one that begins anew cancels what the one before had asked for.
        if message is not None and message.media is not None and message.channel in channels:
            turn.work.session.add(_effect(turn, message))

    return media


def _effect(turn: Turn, message: Inbound) -> EffectRow:
    assert turn.received is not None  # noqa: S101 - the session began the turn with it
    assert message.media is not None  # noqa: S101 - its caller looked
    inbound_id, now = turn.received.id, turn.work.now
    return EffectRow(
        conversation_id=turn.conversation_id,
        inbound_id=inbound_id,
        key=f"{UNASKED}{MEDIA}#{inbound_id}",
        name=MEDIA,
        kind=MEDIA,
        arguments={"channel": message.channel, "inbound_id": inbound_id, **message.media.model_dump()},
        created_at=now,
        due_at=now,
    )
