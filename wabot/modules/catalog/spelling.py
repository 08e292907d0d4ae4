"""One spelling for what people write in many, so that it can be compared."""

import re
import unicodedata
from collections.abc import Sequence

TOKEN = re.compile(r"\d+/\d+|\d*\.\d+|\d+|(?<=\d)x|[^\s\d!-/:-@\[-`{-~]+|[-:=@]")
NUMBER = re.compile(r"\d+/\d+|\d*\.?\d+")
_CONNECTORS = frozenset({"of", "the", "ka", "ki", "ke", "का", "की", "के"})
# Nukta is left out as often as not, and chandrabindu written as anusvara.
_RESPELLED = {"\u093c": "", "\u0901": "\u0902", "\u2044": "/", "\u00d7": " x ", "*": " x "}


def normal(text: str) -> str:
    """`text` with case folded, any script's digits as 0-9, `×` and `*` as ` x `, `½` as ` 1/2`, and
    a space for each sign that only decorates."""
    spaced = "".join(f" {char}" if _is_fraction(char) else char for char in text)
    return "".join(_respelled(char) for char in unicodedata.normalize("NFKC", spaced).casefold())


def tokens(text: str) -> list[str]:
    """The words, numbers and separators of any text, in normal spelling."""
    return TOKEN.findall(normal(text))


def words(parts: Sequence[str]) -> list[str]:
    """The words and numbers among these tokens, as they are compared: plurals as singulars, without
    little words; `x` is kept between two numbers only (`8 x 4`)."""
    return [
        _singular(part)
        for at, part in enumerate(parts)
        if part not in _CONNECTORS
        and (_between_numbers(parts, at) if part == "x" else part[-1].isalnum() or part[-1] > "~")
    ]


def is_number(token: str) -> bool:
    return NUMBER.fullmatch(token) is not None


def joined(parts: Sequence[str]) -> str:
    """Words run together, so that `fly ash` and `flyash` are the same; numbers stay apart."""
    return re.sub(r"(?<=\d) (?=\d)", "_", " ".join(parts)).replace(" ", "")


def _is_fraction(char: str) -> bool:
    return unicodedata.decomposition(char).startswith("<fraction>")


def _respelled(char: str) -> str:
    if char in _RESPELLED:
        return _RESPELLED[char]
    category = unicodedata.category(char)
    if category == "Nd":
        return str(unicodedata.digit(char))
    if category == "Pd":
        return "-"
    if category == "Cf" or "\ufe00" <= char <= "\ufe0f":
        return ""
    decorates = category[0] in "SPC" and not char.isascii()
    return " " if decorates else char


def _between_numbers(parts: Sequence[str], at: int) -> bool:
    return 0 < at < len(parts) - 1 and is_number(parts[at - 1]) and is_number(parts[at + 1])


def _singular(word: str) -> str:
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word
