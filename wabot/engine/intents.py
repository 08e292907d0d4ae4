"""Whole messages that mean one thing, compared as people write them: case, accents and marks ignored."""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from functools import lru_cache

from wabot.engine import formats

Phrases = Mapping[str, Iterable[str]] | Iterable[str]
"""Phrases by locale, or phrases of every locale."""

# Dropped without leaving a gap: o.k., don't, 1️⃣
_GAPLESS = frozenset(".'’‘ʼ`´\u20e3\ufe0e\ufe0f\u0640")
_NASAL_MARKS = ("CANDRABINDU", "ANUSVARA", "BINDI", "TIPPI")
_KEPT_CLASSES = frozenset({0, 8, 9})
_DECIMAL_POINT = re.compile(r"(?<=\d)[.](?=\d)")
_MOST_ROUNDS = 4
_LONGEST_KEPT = 64
_LONGEST = 1024
"""No phrase is as long. Putting a run of marks into order takes the square of its length."""


def fold(text: str) -> str:
    """`text` as it is compared: folding it again changes nothing.

    Case, accents and punctuation go, and emoji beside words. Vowel signs stay, for they are letters;
    of the Indian scripts only the nasal marks and the nukta go, which people leave out: `हाँ`, `हां`
    and `हा` are the same, `ही` is another word. A number keeps its decimal point. Of a long text only
    the first 1,024 signs count.
    """
    text = text[:_LONGEST]
    return _folded(text) if len(text) <= _LONGEST_KEPT else _until_stable(text)


@lru_cache(maxsize=4096)
def _folded(text: str) -> str:
    return _until_stable(text)


def _until_stable(text: str) -> str:
    for _ in range(_MOST_ROUNDS):
        folded = _fold(text)
        if folded == text:
            break
        text = folded
    return text


def _fold(text: str) -> str:
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    marked = _DECIMAL_POINT.sub("\0", plain)
    signs = [_sign(sign) for sign in marked[:_LONGEST]]
    if any(sign.isalnum() for sign in signs):
        signs = [" " if sign and unicodedata.category(sign[0]) == "So" else sign for sign in signs]
    return unicodedata.normalize("NFC", " ".join("".join(signs).replace("\0", ".").split()))


def _sign(sign: str) -> str:
    if sign.isascii() and (sign.isalnum() or sign in " \0"):
        return sign
    category = unicodedata.category(sign)
    if sign in _GAPLESS or category in ("Cf", "Sk", "Cs") or _is_accent(sign, category):
        return ""
    if category == "Nd":
        return str(unicodedata.decimal(sign))
    return " " if category[0] in "PZC" else sign


def _is_accent(sign: str, category: str) -> bool:
    if category != "Mn":
        return False
    if unicodedata.combining(sign) not in _KEPT_CLASSES:
        return True
    return any(mark in unicodedata.name(sign, "") for mark in _NASAL_MARKS)


YES_NO: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "yes": {
        "en": ("yes", "y", "yeah", "yep", "yup", "sure", "ok", "okay", "of course", "yes please", "correct"),
        "hi": ("हाँ", "जी", "जी हाँ", "हाँ जी", "ठीक है", "सही है", "haan", "han", "haa", "ha", "ji", "ji haan",
               "haan ji", "theek hai", "thik hai", "sahi hai"),
        "de": ("ja", "j", "jawohl", "klar"),
        "es": ("sí", "claro", "vale"),
        "fr": ("oui", "d'accord"),
        "pt": ("sim", "claro"),
        "": ("👍", "✅", "👌", "✔"),
    },
    "no": {
        "en": ("no", "n", "nope", "nah", "no thanks", "no thank you", "not now"),
        "hi": ("नहीं", "ना", "जी नहीं", "नहीं जी", "मत", "nahi", "nahin", "nai", "na", "ji nahi", "nahi ji"),
        "de": ("nein", "nee", "ne"),
        "es": ("no", "no gracias"),
        "fr": ("non", "non merci"),
        "pt": ("não", "não obrigado", "não obrigada"),
        "": ("👎", "❌", "✖"),
    },
}  # fmt: skip
"""What a yes/no question understands besides the flow's own intents `yes` and `no`."""


class Intents:
    """Phrases by intent and locale, ready to be matched.

    The contact's own locale is asked first, with the phrases of every locale; only where that says
    nothing, all other locales: people write in more than one language.
    """

    def __init__(self, intents: Mapping[str, Phrases] | None = None) -> None:
        self.names = frozenset(intents or ())
        self._by_locale: dict[str, dict[str, set[str]]] = {}
        for name, phrases in (intents or {}).items():
            by_locale = phrases if isinstance(phrases, Mapping) else {"": phrases}
            for locale, listed in by_locale.items():
                table = self._by_locale.setdefault(locale.replace("_", "-"), {})
                for phrase in listed:
                    table.setdefault(fold(phrase), set()).add(name)

    def match(self, text: str, locale: str) -> set[str]:
        """The intents that the whole of `text` is a phrase of."""
        folded = fold(text)
        if not folded:
            return set()
        near = [*formats.chain(locale), ""]
        found = self._matches(folded, near)
        return found or self._matches(folded, [name for name in self._by_locale if name not in near])

    def _matches(self, folded: str, locales: Iterable[str]) -> set[str]:
        return {name for locale in locales for name in self._by_locale.get(locale, {}).get(folded, ())}
