"""Rules on what is said: the texts are there in every locale, with the plurals that it has."""

from collections.abc import Iterable, Iterator

from babel import Locale, UnknownLocaleError

from wabot.engine.check.codes import CODES
from wabot.engine.check.flow import Flow
from wabot.engine.intents import fold
from wabot.engine.problems import Problem, did_you_mean
from wabot.engine.texts import BUILTIN, Texts


def missing(flow: Flow) -> Iterator[Problem]:
    known = flow.texts.known()
    for use in flow.uses:
        if not use.is_key:
            continue
        key = use.source
        if key not in known:
            hint = (
                did_you_mean(key, known)
                or "add it to the texts, or begin it with a capital to say it as it is"
            )
            yield flow.problem("missing-text", use.path, f'there is no text "{key}"', hint)
        elif key.partition(".")[0] != BUILTIN:
            lacking = [locale for locale in flow.locales if not _speaks(flow.texts, key, locale)]
            if lacking:
                where = ", ".join(lacking)
                hint = f"add it to {', '.join(f'{locale}.yaml' for locale in lacking)}"
                yield flow.problem("missing-text", use.path, f'the text "{key}" is missing for {where}', hint)


def _speaks(texts: Texts, key: str, locale: str) -> bool:
    """Whether the project has the text in this locale or in its language."""
    language = locale.replace("_", "-").partition("-")[0]
    return key in texts.keys(locale) or key in texts.keys(language)


def plurals(texts: Texts) -> Iterator[Problem]:
    """Forms that a locale has and a plural of it lacks; in all texts, whoever uses them."""
    for locale in texts.locales:
        needed = _categories(locale)
        for key in sorted(texts.keys(locale)):
            text = texts.own(key, locale)
            if text is None or text.count is None:
                continue
            lacking = [form for form in needed if form not in text.forms]
            if lacking:
                message = f'the text "{key}" has no form "{lacking[0]}", which {_name(locale)} needs'
                code = CODES["missing-plural"]
                yield Problem(text.place, "missing-plural", message, f"add {lacking[0]}: …", code.severity)


def _categories(locale: str) -> Iterable[str]:
    try:
        rules = Locale.parse(locale, sep="-").plural_form
    except (ValueError, UnknownLocaleError):
        return ["other"]
    # `many` of the Romance languages is for compact millions, which no shop counts.
    shown = rules.tags & {"zero", "one", "two", "few"} | (
        rules.tags & {"many"} if "few" in rules.tags else set()
    )
    return [form for form in ("zero", "one", "two", "few", "many") if form in shown] + ["other"]


def _name(locale: str) -> str:
    return Locale.parse(locale, sep="-").english_name or locale


def phrases(flow: Flow) -> Iterator[Problem]:
    """One phrase that means two intents in one locale."""
    seen: dict[tuple[str, str], str] = {}
    for name, listed in flow.document.intents.items():
        by_locale = listed if isinstance(listed, dict) else {"": listed}
        for locale, said in by_locale.items():
            for index, phrase in enumerate(said):
                first = seen.setdefault((locale, fold(phrase)), name)
                if first != name:
                    path = ("intents", name, locale, index) if locale else ("intents", name, index)
                    message = f'"{phrase}" means "{name}" and "{first}"'
                    yield flow.problem("clashing-phrase", path, message, "keep it in one of the two")
