"""The middleware that keeps a contact from writing faster than the bot can be meant to read."""

from collections.abc import Callable

from wabot.core.buckets import Buckets, Verdict
from wabot.core.log import describe, get_logger
from wabot.core.messages import Inbound, Outbound
from wabot.core.metrics import RATE_LIMITED
from wabot.errors import TurnError
from wabot.pipeline.compose import CallNext, Middleware
from wabot.pipeline.turn import Received, Turn
from wabot.pipeline.world import World

TOO_FAST = "wabot.rate_limited"
LIMITED = "beyond the rate limit: no flow heard it"
"""What `inbound.error` says of such a message."""


def make_rate_limit(
    world: World, buckets: Buckets, heard_anyway: Callable[[Inbound], bool] = lambda _message: False
) -> Middleware:
    """A message takes a token of its contact. Where there is none left, the message is done without the
    flow, and the contact is told once a window.

    Timers and results take none, and neither does a turn that is tried again. `heard_anyway` are messages
    that are never too many. It stands inside the session, since who writes is known only once an event
    was taken; to ask Redis there takes a fifth of a millisecond, and half a second at most.
    """

    def rate_limit(turn: Turn, call_next: CallNext) -> None:
        received, contact = turn.received, turn.contact
        if received is None or contact is None or received.message is None:
            call_next()
            return
        if received.attempts or heard_anyway(received.message):
            call_next()
            return
        verdict = buckets.take(str(contact.id))
        if verdict is Verdict.PASS:
            call_next()
            return
        world.metrics.count(RATE_LIMITED, told="yes" if verdict is Verdict.TELL else "no")
        turn.work.taken.note = LIMITED
        if verdict is Verdict.TELL:
            _tell(world, turn, received)

    return rate_limit


def _tell(world: World, turn: Turn, received: Received) -> None:
    try:
        text = world.texts.find(TOO_FAST, turn.locale).render(world.scope(turn.contact, turn.locale))
    except TurnError as error:
        get_logger().error("rate_limit", **describe(error))
        return
    turn.work.enqueue(Outbound(text=text), world.ids.new(), received.id)
