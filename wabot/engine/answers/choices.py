"""Which option a contact means: by its id, its title, its number, or a word of the same intent."""

from collections.abc import Iterable, Sequence

from wabot.engine.intents import YES_NO, Intents, fold

Options = Sequence[tuple[str, str]]
"""(id, title), in the order shown."""

_YES_NO = Intents(YES_NO)


def choose(options: Options, text: str, intents: Iterable[str] = ()) -> str | None:
    """The id of the option that `text` means, None where it means none or two of them.

    Asked in turn: the id, the title, the number ("1", "1.", "१", "1️⃣"), id and title with case,
    accents and punctuation ignored, an id that is one of the `intents` that the text matches.
    """
    said = text.strip()
    folded = fold(said)
    ids = [option for option, _ in options]
    tries = (
        [option for option in ids if option == said],
        [option for option, title in options if title.strip() == said],
        [ids[number - 1] for number in (_number(folded),) if 0 < number <= len(ids)],
        [option for option, title in options if folded and folded in (fold(option), fold(title))],
        [option for option in ids if option in intents],
    )
    for found in tries:
        if found:
            return found[0] if len(set(found)) == 1 else None
    return None


def yes_or_no(text: str, locale: str, intents: Iterable[str] = ()) -> str | None:
    """`yes` or `no`, by the flow's intents of these names, else by the words that wabot knows."""
    told = {"yes", "no"} & set(intents) or _YES_NO.match(text, locale)
    return told.pop() if len(told) == 1 else None


def _number(folded: str) -> int:
    return int(folded) if folded.isascii() and folded.isdigit() and len(folded) < 4 else 0
