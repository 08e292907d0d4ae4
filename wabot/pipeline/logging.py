"""The outermost middleware: a line and numbers for each turn, its correlation id on all lines between."""

from time import perf_counter

import structlog

from wabot.core.log import describe, get_logger, hash_phone
from wabot.core.metrics import TURN_SECONDS, TURNS
from wabot.pipeline.compose import CallNext, Middleware
from wabot.pipeline.turn import Outcome, Turn
from wabot.pipeline.world import World


def make_logging(world: World) -> Middleware:
    log = get_logger()

    def logging(turn: Turn, call_next: CallNext) -> None:
        began = perf_counter()
        with structlog.contextvars.bound_contextvars(conversation=turn.conversation_id, correlation=None):
            try:
                call_next()
            except BaseException as error:
                log.error("turn", outcome="lost", **describe(error))  # noqa: TRY400 - its message may quote a contact
                world.metrics.count(TURNS, outcome="lost")
                raise
            if turn.outcome is not Outcome.IDLE:
                seconds = perf_counter() - began
                world.metrics.count(TURNS, outcome=turn.outcome.value)
                world.metrics.observe(TURN_SECONDS, seconds)
                _write(log, turn, world.log_key, seconds)

    return logging


def _write(log: structlog.stdlib.BoundLogger, turn: Turn, key: bytes, seconds: float) -> None:
    facts: dict[str, object] = {"outcome": turn.outcome.value, "ms": round(seconds * 1000, 2)}
    if turn.received:
        facts |= {"inbound": turn.received.id, "origin": turn.received.origin.value}
    if turn.message:
        facts["kind"] = turn.message.kind.value
    if turn.contact:
        facts["contact"] = hash_phone(turn.contact.phone, key)
    if turn.error:
        log.error("turn", **facts, **describe(turn.error))
    else:
        log.info("turn", **facts)
