"""The middleware that keeps a conversation from its flow while a person has it in hand."""

from wabot.pipeline.compose import CallNext, Middleware
from wabot.pipeline.turn import Turn

HELD = "held"
"""What `inbound.error` says of an event that no flow heard, for a person had the conversation."""


def make_handover() -> Middleware:
    """While `held_at` is set the flow hears nothing. The contact's messages stay on record, done; what
    timers and effects tell is told when the conversation is handed back (`runtime.operator`)."""

    def handover(turn: Turn, call_next: CallNext) -> None:
        if turn.work.taken.held_at is None:
            call_next()
            return
        turn.work.taken.note = HELD

    return handover
