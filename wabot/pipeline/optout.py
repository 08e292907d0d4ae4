"""The middleware that hears STOP and START, before any flow does."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from wabot.core.messages import Inbound, Kind, Outbound
from wabot.core.tables import Category
from wabot.engine.intents import Intents
from wabot.pipeline.compose import CallNext, Middleware
from wabot.pipeline.turn import Turn
from wabot.pipeline.world import World

OPTED_OUT, OPTED_IN = "wabot.opted_out", "wabot.opted_in"

Phrases = Mapping[str, Iterable[str]]
"""Whole messages, by locale."""

STOP: Phrases = MappingProxyType(
    {
        "en": ("stop", "stop all", "stopall", "unsubscribe", "opt out", "optout"),
        "hi": ("स्टॉप", "संदेश बंद करें", "मैसेज बंद करो", "message band karo", "messages band karo"),
        "de": ("stopp", "abmelden"),
        "es": ("darme de baja", "cancelar suscripción"),
        "fr": ("se désabonner", "désabonner"),
        "pt": ("cancelar inscrição", "descadastrar"),
    }
)
START: Phrases = MappingProxyType(
    {
        "en": ("start", "unstop", "subscribe", "opt in", "optin"),
        "hi": ("स्टार्ट", "शुरू", "संदेश शुरू करें", "message shuru karo"),
        "de": ("anmelden",),
        "es": ("suscribirme",),
        "fr": ("s'abonner",),
        "pt": ("inscrever",),
    }
)


class Words:
    """What means STOP, and what START: ours, those given in place of ours for their locale."""

    def __init__(self, stop: Phrases | None = None, start: Phrases | None = None) -> None:
        self._intents = Intents({"stop": {**STOP, **(stop or {})}, "start": {**START, **(start or {})}})

    def means_stop(self, message: Inbound, locale: str = "") -> bool:
        return "stop" in self._meant(message, locale)

    def means_start(self, message: Inbound, locale: str = "") -> bool:
        return "start" in self._meant(message, locale)

    def _meant(self, message: Inbound, locale: str) -> set[str]:
        if message.kind is Kind.TEXT:
            return self._intents.match(message.text, locale)
        # A template's quick reply brings its own words back; a flow's button brings the flow's payload.
        if message.kind is Kind.BUTTON and message.payload in ("", message.title):
            return self._intents.match(message.title, locale)
        return set()


def make_opt_out(world: World, words: Words) -> Middleware:
    """STOP is written on the contact and confirmed once. From then on nothing else is sent to it
    (`runtime.policy`), and its messages reach no flow, until it writes START."""

    def opt_out(turn: Turn, call_next: CallNext) -> None:
        message = turn.message
        if message is None:
            call_next()
            return
        taken = turn.work.taken
        if taken.opted_out_at is None:
            if not words.means_stop(message, turn.locale):
                call_next()
                return
            taken.opted_out_at = turn.work.now
            _confirm(world, turn, OPTED_OUT, Category.OPT_OUT)
        elif words.means_start(message, turn.locale):
            taken.opted_out_at = None
            _confirm(world, turn, OPTED_IN, Category.TRANSACTIONAL)

    return opt_out


def _confirm(world: World, turn: Turn, key: str, category: Category) -> None:
    assert turn.received is not None  # noqa: S101 - its message is being answered
    text = world.texts.find(key, turn.locale).render(world.scope(turn.contact, turn.locale))
    turn.work.enqueue(Outbound(text=text), world.ids.new(), turn.received.id, category)
