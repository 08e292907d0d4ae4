"""What the bot says, by key and locale: `texts/<locale>.yaml` over wabot's own built-in texts."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any, Self

from babel import Locale, UnknownLocaleError

from wabot.core import messages
from wabot.engine import formats
from wabot.engine.document import TemplatePart
from wabot.engine.expressions import Expression, Sandbox, Template
from wabot.engine.loader import Entry, has_template, load_texts
from wabot.engine.problems import Place, Problem, did_you_mean
from wabot.errors import ExpressionError, FlowError, UnknownName

CATEGORIES = ("zero", "one", "two", "few", "many", "other")
"""CLDR's plural categories; a whole number as a form (`0: none`) goes before them."""

BUILTIN = "wabot"
"""The first part of every key of the built-in texts."""

_KEY = re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)*")
_SUFFIXES = (".yaml", ".yml")
_MOST_COMPILED = 4_096

Source = str | Mapping[str, str] | Entry
Tree = Mapping[str, "Source | Tree"]


def is_key(source: str) -> bool:
    """Whether a text of a flow names a key: one lower-case word, with dots and underscores."""
    return _KEY.fullmatch(source) is not None


@dataclass(frozen=True, slots=True)
class Approved:
    """The template that a text leaves as outside of the 24-hour window."""

    name: str
    language: str
    variables: Mapping[str, Template]

    def fill(self, scope: Mapping[str, Any]) -> messages.Template:
        """Raises ExpressionError where the data doesn't fit."""
        filled = {name: variable.render(scope) for name, variable in self.variables.items()}
        return messages.Template(name=self.name, language=self.language, variables=filled)


@dataclass(frozen=True, slots=True)
class Text:
    """One text in one locale. `names` are the variables it uses, `required` those without `default`.

    `forms` has the single form `""`, or the plural's.
    """

    key: str
    locale: str
    place: Place
    forms: Mapping[str, Template]
    count: Expression | None = None
    approved: Approved | None = None

    @property
    def templates(self) -> list[Template]:
        """All that is compiled: the forms, and the variables of the approved template."""
        return [*self.forms.values(), *(self.approved.variables.values() if self.approved else ())]

    @property
    def names(self) -> frozenset[str]:
        return self._used("names")

    @property
    def required(self) -> frozenset[str]:
        return self._used("required")

    @property
    def known_length(self) -> int:
        """Characters of fixed text in the longest form that can be known without the data."""
        return max(form.known_length for form in self.forms.values())

    def render(self, scope: Mapping[str, Any]) -> str:
        """Raises ExpressionError where the data doesn't fit."""
        if self.count is None:
            return self.forms[""].render(scope)
        count = self._counted(self.count, scope)
        return self._form(count).render({**scope, "count": count})

    def fill(self, scope: Mapping[str, Any]) -> messages.Template | None:
        """The template that this text leaves as outside of the 24-hour window, if it names one.

        Raises ExpressionError where the data doesn't fit.
        """
        if self.approved is None:
            return None
        if self.count is not None:
            scope = {**scope, "count": self._counted(self.count, scope)}
        return self.approved.fill(scope)

    def _counted(self, expression: Expression, scope: Mapping[str, Any]) -> int | float | Decimal:
        count = expression.evaluate(scope)
        if isinstance(count, bool) or not isinstance(count, int | float | Decimal):
            raise ExpressionError(f'{self.place}: the count of "{self.key}" is no number: {count!r}')
        return count

    def _form(self, count: float | Decimal) -> Template:
        exact = self.forms.get(str(count))
        if exact is not None:
            return exact
        category = formats.plural(count, self.locale)
        return self.forms.get(category, self.forms["other"])

    def _used(self, what: str) -> frozenset[str]:
        used: frozenset[str] = frozenset().union(*(getattr(each, what) for each in self.templates))
        return used if self.count is None else (used - {"count"}) | getattr(self.count, what)


@dataclass(frozen=True, slots=True)
class Line:
    """A text of a flow, compiled: a key of the texts, or a template of its own."""

    source: str
    texts: "Texts" = field(repr=False, compare=False)
    template: Template | None = None

    @property
    def key(self) -> str:
        """The key, or the empty string for literal text."""
        return "" if self.template else self.source

    @property
    def names(self) -> frozenset[str]:
        """The variables used, in any locale."""
        return self.template.names if self.template else self.texts.names(self.source)

    def render(self, scope: Mapping[str, Any], locale: str) -> str:
        """Raises UnknownName for a key that isn't there, ExpressionError where the data doesn't fit."""
        text = self.template or self.texts.find(self.source, locale)
        return text.render(scope if scope.get("_locale") == locale else {**scope, "_locale": locale})

    def fill(self, scope: Mapping[str, Any], locale: str) -> messages.Template | None:
        """The template that the text of this key names in this locale. Raises as `render`."""
        text = self.texts.find(self.source, locale)
        return text.fill(scope if scope.get("_locale") == locale else {**scope, "_locale": locale})


class Texts:
    """The project's texts over the built-in ones. Compiled when read; read only from then on.

    A text is looked for in the contact's locale, in its language, in the project's default locale,
    then among the built-in ones in the same order. `problems` are the findings in files that were
    read; a text with one is known as a key but can't be rendered.
    """

    def __init__(
        self,
        sources: Mapping[str, Tree] | None = None,
        *,
        default: str = formats.FALLBACK,
        sandbox: Sandbox | None = None,
        problems: Iterable[Problem] = (),
    ) -> None:
        self.default = default
        self.problems = list(problems)
        self._sandbox = sandbox or Sandbox()
        self._own: dict[str, dict[str, Text]] = {}
        self._keys: dict[str, set[str]] = {}
        self._chains: dict[str, list[dict[str, Text]]] = {}
        self._lines: dict[str, Line] = {}
        for locale, tree in (sources or {}).items():
            self._add(locale, tree)

    @classmethod
    def load(
        cls,
        directories: Iterable[Path],
        *,
        default: str = formats.FALLBACK,
        sandbox: Sandbox | None = None,
        display: Callable[[Path], str] = str,
    ) -> Self:
        """Read `<locale>.yaml` of each directory, a later directory over an earlier one.

        What is wrong in them ends up in `problems`, under the file name that `display` gives.
        """
        texts = cls(default=default, sandbox=sandbox)
        for directory in directories:
            for path in sorted(directory.iterdir()) if directory.is_dir() else ():
                if path.suffix in _SUFFIXES:
                    texts._read(path, display(path))
        return texts

    @property
    def locales(self) -> list[str]:
        """The locales that the project itself has texts in."""
        return sorted(self._keys)

    def keys(self, locale: str | None = None) -> frozenset[str]:
        """The project's own keys in exactly this locale, or in any; the built-in ones not included."""
        if locale is not None:
            return frozenset(self._keys.get(locale, ()))
        return frozenset().union(*self._keys.values())

    def known(self) -> frozenset[str]:
        """Every key that can be said in some locale."""
        return self.keys().union(*(layer for layer in _builtin().values()))

    def own(self, key: str, locale: str) -> Text | None:
        """The project's text in exactly this locale."""
        return self._own.get(locale, {}).get(key)

    def get(self, key: str, locale: str) -> Text | None:
        """The text that a contact of this locale gets."""
        for layer in self._chain(locale):
            if key in layer:
                return layer[key]
        return None

    def find(self, key: str, locale: str) -> Text:
        """As `get`. Raises UnknownName, with what may have been meant."""
        text = self.get(key, locale)
        if text is None:
            hint = did_you_mean(key, self.known())
            raise UnknownName(f'there is no text "{key}" for {locale}', hint=hint or None)
        return text

    def names(self, key: str, locale: str | None = None) -> frozenset[str]:
        """The variables that the text uses, for a contact of this locale or of any."""
        if locale is not None:
            text = self.get(key, locale)
            return text.names if text else frozenset()
        everywhere = [layer[key] for layer in self._own.values() if key in layer]
        everywhere = everywhere or [layer[key] for layer in _builtin().values() if key in layer]
        return frozenset().union(*(text.names for text in everywhere))

    def names_template(self, key: str) -> bool:
        """Whether the text of this key names a template in some locale."""
        return any(key in layer and layer[key].approved is not None for layer in self._own.values())

    def line(self, source: str, place: Place | None = None) -> Line:
        """Compile a text of a flow: a key, or literal text. A key needn't be there yet.

        Raises ExpressionError where literal text is no template.
        """
        template = None if is_key(source) else self._sandbox.template(source, place)
        return Line(source, self, template)

    def render(self, source: str, scope: Mapping[str, Any], locale: str) -> str:
        """The text of this key, or this literal text, for a contact of this locale.

        Raises UnknownName for a key that isn't there, ExpressionError where the data doesn't fit.
        """
        line = self._lines.get(source)
        if line is None:
            line = self.line(source)
            if len(self._lines) < _MOST_COMPILED:
                self._lines[source] = line
        return line.render(scope, locale)

    def _chain(self, locale: str) -> list[dict[str, Text]]:
        chain = self._chains.get(locale)
        if chain is None:
            names = formats.chain(locale, self.default)
            builtin = _builtin()
            chain = [self._own[name] for name in names if name in self._own]
            chain += [builtin[name] for name in (*names, formats.FALLBACK) if name in builtin]
            # Contacts' locales come from outside: what they name must not fill the memory.
            if len(self._chains) < _MOST_COMPILED:
                self._chains[locale] = chain
        return chain

    def _read(self, path: Path, file: str) -> None:
        locale = path.stem.replace("_", "-")
        try:
            Locale.parse(locale, sep="-")
        except (ValueError, UnknownLocaleError):
            self._problem(
                Place(file),
                f'"{locale}" is no locale',
                "name the file after one, such as en.yaml or hi-IN.yaml",
            )
            return
        try:
            entries = load_texts(path.read_text("utf-8"), file)
        except FlowError as error:
            self.problems += error.problems
            entries = {}
        except UnicodeDecodeError:
            self._problem(Place(file), "the file isn't UTF-8", "save it as UTF-8")
            entries = {}
        self._add(locale, entries)

    def _add(self, locale: str, tree: Tree) -> None:
        own, keys = self._own.setdefault(locale, {}), self._keys.setdefault(locale, set())
        for key, source in _flat(tree, ""):
            keys.add(key)
            entry = source if isinstance(source, Entry) else _entry(source, Place(f"{locale}.yaml"))
            try:
                own[key] = _compiled(self._sandbox, key, locale, entry)
            except ExpressionError as error:
                own.pop(key, None)
                self._problem(entry.place, f'the text "{key}": {error.message}', error.hint or "")

    def _problem(self, place: Place, message: str, hint: str) -> None:
        self.problems.append(Problem(place, "bad-text", message, hint))


def _flat(tree: Tree, prefix: str) -> Iterator[tuple[str, Source]]:
    for name, source in tree.items():
        if isinstance(source, Mapping) and "count" not in source and not has_template(source):
            yield from _flat(source, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", source  # type: ignore[misc]  # a mapping with count is a plural


def _entry(source: str | Mapping[str, Any], place: Place) -> Entry:
    if not has_template(source):
        return Entry(source, place)
    assert isinstance(source, Mapping)  # noqa: S101 - else it had no template
    template = TemplatePart.model_validate(source["template"])
    rest = {name: part for name, part in source.items() if name != "template"}
    return Entry(rest if "count" in rest else rest["text"], place, template)


def _compiled(sandbox: Sandbox, key: str, locale: str, entry: Entry) -> Text:
    approved = _approved(sandbox, locale, entry.template) if entry.template else None
    if isinstance(entry.value, str):
        return Text(key, locale, entry.place, {"": sandbox.template(entry.value)}, approved=approved)
    forms = {form: source for form, source in entry.value.items() if form != "count"}
    for form in forms:
        if form not in CATEGORIES and not (form.isascii() and form.isdigit()):
            hint = did_you_mean(form, CATEGORIES) or f"there are {', '.join(CATEGORIES)}, and whole numbers"
            raise ExpressionError(f'"{form}" is no form of a plural', hint=hint)
    if "other" not in forms:
        raise ExpressionError('the plural has no form "other"', hint="every language needs it")
    return Text(
        key,
        locale,
        entry.place,
        {form: sandbox.template(source) for form, source in forms.items()},
        sandbox.expression(entry.value["count"]),
        approved,
    )


def _approved(sandbox: Sandbox, locale: str, part: TemplatePart) -> Approved:
    variables = {name: sandbox.template(source) for name, source in part.variables.items()}
    return Approved(part.name, part.language or locale, variables)


@lru_cache(maxsize=1)
def _builtin() -> dict[str, dict[str, Text]]:
    sandbox = Sandbox()
    layers: dict[str, dict[str, Text]] = {}
    for path in sorted((Path(__file__).parent / "locales").glob("*.yaml")):
        entries = load_texts(path.read_text("utf-8"), f"wabot/engine/locales/{path.name}")
        layers[path.stem] = {key: _compiled(sandbox, key, path.stem, entry) for key, entry in entries.items()}
    return layers


def builtin_locales() -> list[str]:
    """The locales that wabot itself speaks."""
    return sorted(_builtin())


def builtin_keys(locale: str = formats.FALLBACK) -> frozenset[str]:
    """The keys of the built-in texts, `wabot.…`."""
    return frozenset(_builtin().get(locale, {}))
