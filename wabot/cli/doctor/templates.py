"""The approved templates that flows and texts name, and what may be said where only one leaves."""

import re
from collections.abc import Iterator

from pydantic import BaseModel

from wabot.app import App
from wabot.cli.doctor.finding import Finding, error, warning, well
from wabot.cli.screen import counted
from wabot.engine.check import CheckOptions, check
from wabot.engine.document import TemplatePart
from wabot.engine.texts import Texts
from wabot.settings import Settings

OF_TWILIO = re.compile("HX[0-9a-fA-F]{32}")
OF_META = re.compile("[a-z0-9_]{1,512}")
"""What Meta lets a template be called (its message template reference)."""
WINDOW = "no-template"


def examine(settings: Settings, app: App) -> Iterator[Finding]:
    """Their shapes alone: whether one is approved, the provider knows."""
    if not (settings.twilio.configured or settings.meta.configured):
        return
    names = sorted({*_of_flows(app), *_of_texts(app.library.texts)})
    wrong = [name for name in names if _is_wrong(name, settings)]
    if wrong:
        mend = "Meta's names have small letters, digits and _; a ContentSid (HX…) is Twilio's alone"
        yield error("templates", f"the provider can't know {', '.join(wrong)}", mend)
    elif names:
        yield well("templates", f"named are {', '.join(names)}; the provider must have approved each")
    sources = list(app.library.flows.values())
    registry, options = app.registry, CheckOptions(locales=settings.all_locales)
    found = check(sources, app.library.texts, registry.commands, registry.invokes, options=options)
    late = sum(problem.code == WINDOW for problem in found)
    if late:
        message = f"{counted(late, 'message')} may be due when only a template leaves, and name none"
        yield warning("templates", message, "wabot check shows each with its place")
    elif not names:
        yield well("templates", "no flow wants one")


def _of_flows(app: App) -> Iterator[str]:
    for source in app.library.flows.values():
        yield from _named(source.document)


def _named(part: object) -> Iterator[str]:
    """The names of templates anywhere in this part of a document."""
    match part:
        case TemplatePart():
            yield part.name
        case BaseModel():
            for name in type(part).model_fields:
                yield from _named(getattr(part, name))
        case dict():
            for value in part.values():
                yield from _named(value)
        case list() | tuple():
            for value in part:
                yield from _named(value)


def _of_texts(texts: Texts) -> Iterator[str]:
    for locale in texts.locales:
        for key in texts.keys(locale):
            text = texts.own(key, locale)
            if text is not None and text.approved is not None:
                yield text.approved.name


def _is_wrong(name: str, settings: Settings) -> bool:
    if settings.twilio.configured:
        # Any name will do: the channel looks for the content of that name.
        return settings.meta.configured and bool(OF_TWILIO.fullmatch(name))
    return OF_META.fullmatch(name) is None
