"""The middleware pipeline: what happens around the flow, for each inbound event."""

from wabot.pipeline.compose import CallNext, Middleware, Pipeline, compose
from wabot.pipeline.errors import make_errors
from wabot.pipeline.flow import make_flow
from wabot.pipeline.handover import make_handover
from wabot.pipeline.logging import make_logging
from wabot.pipeline.media import make_media
from wabot.pipeline.optout import Words, make_opt_out
from wabot.pipeline.ratelimit import make_rate_limit
from wabot.pipeline.session import make_session
from wabot.pipeline.turn import Outcome, Received, Turn, Work
from wabot.pipeline.world import Business, World

__all__ = [
    "Business",
    "CallNext",
    "Middleware",
    "Outcome",
    "Pipeline",
    "Received",
    "Turn",
    "Words",
    "Work",
    "World",
    "compose",
    "make_errors",
    "make_flow",
    "make_handover",
    "make_logging",
    "make_media",
    "make_opt_out",
    "make_rate_limit",
    "make_session",
]
