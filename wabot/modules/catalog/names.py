"""The names of all products, to find who is called just that, nearly that, or somewhat like it."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from rapidfuzz import fuzz, process
from rapidfuzz.distance import OSA

from wabot.modules.catalog.spelling import joined, tokens, words

_TIE = 0.05
# rapidfuzz leaves out what is just at its cut-off.
_HAIR = 0.001
_SUGGESTED_FROM = 0.25


@dataclass(frozen=True, slots=True)
class Found:
    """The products that a name may mean, by position. `likeness` is 1 for the very name."""

    products: tuple[int, ...] = ()
    likeness: float = 0.0


@dataclass(slots=True)
class Names:
    """`cutoff` is how like (0 to 1) each word must be for a name to count as meant."""

    cutoff: float
    _own: dict[str, list[int]] = field(default_factory=dict)
    _aliases: dict[str, list[int]] = field(default_factory=dict)
    _words: list[list[str]] = field(default_factory=list)
    _spelled: list[str] = field(default_factory=list)
    _products: list[int] = field(default_factory=list)
    _having: dict[str, list[int]] = field(default_factory=dict)

    def add(self, product: int, names: Iterable[str], aliases: Iterable[str]) -> None:
        for table, texts in ((self._own, names), (self._aliases, aliases)):
            for text in texts:
                parts = words(tokens(text))
                products = table.setdefault(joined(parts), [])
                if parts and product not in products:
                    products.append(product)
                    for word in parts:
                        self._having.setdefault(word, []).append(len(self._words))
                    self._words.append(parts)
                    self._spelled.append(" ".join(parts))
                    self._products.append(product)

    def exact(self, parts: Sequence[str]) -> Found:
        """Who is called just that: by its name before any alias."""
        key = joined(parts)
        products = self._own.get(key) or self._aliases.get(key)
        return Found(tuple(products), 1.0) if products and parts else Found()

    def close(self, parts: Sequence[str]) -> Found:
        """Who is called that but for slips of the pen: as many words, each alike, the same numbers.

        Several products where they are about equally like it.
        """
        likeness: dict[int, float] = {}
        for at in self._may_be(parts):
            product = self._products[at]
            likeness[product] = max(
                likeness.get(product, 0.0), _likeness(parts, self._words[at], self.cutoff)
            )
        best = max(likeness.values(), default=0.0)
        if not best:
            return Found()
        return Found(tuple(product for product, like in likeness.items() if like > best - _TIE), best)

    def _may_be(self, parts: Sequence[str]) -> Iterator[int]:
        """Names of as many words that have one like the longest of these."""
        longest = max((word for word in parts if not _has_digit(word)), key=len, default="")
        near = process.extract_iter(
            longest, self._having.keys(), scorer=OSA.normalized_similarity, score_cutoff=self.cutoff - _HAIR
        )
        for known, _, _ in near if longest else ():
            yield from (at for at in self._having[known] if len(self._words[at]) == len(parts))

    def suggest(self, parts: Sequence[str], limit: int) -> list[int]:
        """Products that share words with a name, those that share the most first.

        A number or a unit of two letters counts beside other words only.
        """
        shared: dict[int, dict[str, float]] = {}
        for word in parts:
            for known, like in self._words_like(word):
                for at in self._having[known]:
                    likes = shared.setdefault(at, {})
                    likes[word] = max(likes.get(word, 0.0), like)
        letters, asked = sum(map(len, parts)), " ".join(parts)
        best: dict[int, tuple[float, float]] = {}
        for at, likes in shared.items():
            share = sum(len(word) * like for word, like in likes.items()) / letters
            if share >= _SUGGESTED_FROM and any(len(word) > 2 and not _has_digit(word) for word in likes):
                rank = round(share, 3), fuzz.WRatio(asked, self._spelled[at])
                best[self._products[at]] = max(best.get(self._products[at], rank), rank)
        return sorted(best, key=lambda product: best[product], reverse=True)[:limit]

    def _words_like(self, word: str) -> Iterator[tuple[str, float]]:
        """Words of the catalog that this one may be, by a slip or a missing end."""
        if _has_digit(word) or len(word) < 4:
            if word in self._having:
                yield word, 1.0
            return
        least = 0.7 if len(word) >= 6 else 0.8
        near = process.extract_iter(
            word, self._having.keys(), scorer=OSA.normalized_similarity, score_cutoff=least - _HAIR
        )
        yield from ((known, like) for known, like, _ in near if not _has_digit(known))
        for known in self._having:
            if min(len(word), len(known)) >= 4 and (word.startswith(known) or known.startswith(word)):
                yield known, 0.9


def _likeness(asked: Sequence[str], known: Sequence[str], cutoff: float) -> float:
    """The mean likeness of the words in whatever order; 0 where one of them is not alike."""
    if len(asked) != len(known):
        return 0.0
    left, sum_ = list(known), 0.0
    for word in asked:
        best = max(left, key=lambda other: OSA.normalized_similarity(word, other))
        like = OSA.normalized_similarity(word, best)
        if like < (1.0 if _has_digit(word + best) else cutoff):
            return 0.0
        left.remove(best)
        sum_ += like
    return sum_ / len(asked)


def _has_digit(text: str) -> bool:
    return any(char.isdigit() for char in text)
