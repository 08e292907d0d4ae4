"""The names of all products, to find who is called just that, nearly that, or somewhat like it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from rapidfuzz import fuzz, process
from rapidfuzz.distance import OSA

from wabot.modules.catalog.spelling import joined, tokens, words

SUGGESTED_FROM = 70
"""From this WRatio on a name is near enough to ask whether it was meant."""
_COMPARED_FROM = 60
_TIE = 0.05


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

    def add(self, product: int, names: Iterable[str], aliases: Iterable[str]) -> None:
        for table, texts in ((self._own, names), (self._aliases, aliases)):
            for text in texts:
                parts = words(tokens(text))
                products = table.setdefault(joined(parts), [])
                if parts and product not in products:
                    products.append(product)
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
        near = process.extract(
            " ".join(parts),
            self._spelled,
            scorer=fuzz.token_sort_ratio,
            score_cutoff=_COMPARED_FROM,
            limit=20,
        )
        for _, _, at in near:
            product = self._products[at]
            likeness[product] = max(
                likeness.get(product, 0.0), _likeness(parts, self._words[at], self.cutoff)
            )
        best = max(likeness.values(), default=0.0)
        if not best:
            return Found()
        return Found(tuple(product for product, like in likeness.items() if like > best - _TIE), best)

    def suggest(self, parts: Sequence[str], limit: int) -> list[int]:
        """Products with somewhat similar names, the most similar first."""
        near = process.extract(
            " ".join(parts),
            self._spelled,
            scorer=fuzz.WRatio,
            score_cutoff=SUGGESTED_FROM,
            limit=limit * 8,
        )
        return list(dict.fromkeys(self._products[at] for _, _, at in near))[:limit]


def _likeness(asked: Sequence[str], known: Sequence[str], cutoff: float) -> float:
    """The mean likeness of the words in whatever order; 0 where one of them is not alike."""
    if len(asked) != len(known):
        return 0.0
    left, sum_ = list(known), 0.0
    for word in asked:
        best = max(left, key=lambda other: OSA.normalized_similarity(word, other))
        like = OSA.normalized_similarity(word, best)
        if like < (1.0 if any(char.isdigit() for char in word + best) else cutoff):
            return 0.0
        left.remove(best)
        sum_ += like
    return sum_ / len(asked)
