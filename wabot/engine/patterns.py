r"""The patterns of `ask`: regular expressions whose time grows with the text only, never explodes.

Taken are literals, `.`, classes (`[a-z0-9_]`, `[^…]`, `\d \w \s` and their opposites), groups,
alternatives and the repetitions `? * + {m} {m,} {m,n}`; `^` and `$` may stand at the ends, for the
whole text is compared anyway. `(?i)` at the beginning ignores case. There is nothing else: no look
around, no back reference. All ways through the text are followed at once, one sign after another.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

from wabot.errors import ExpressionError

STATES = 1_000
"""Parts of a pattern after its repetitions are written out."""

TEXT_LENGTH = 1_000
"""A longer text never matches."""

_REPETITIONS = "?*+{"
_MOST_REPEATED = 255
_UNESCAPED = {"n": "\n", "t": "\t", "r": "\r"}

Takes = Callable[[str], bool]


@dataclass(slots=True)
class _State:
    """Takes one sign and goes on to `ways`, or takes nothing (`takes` is None) and goes on."""

    takes: Takes | None = None
    ways: list[int] = field(default_factory=list)


class Pattern:
    """A compiled pattern. Raises ExpressionError, with a mend, for what isn't taken."""

    def __init__(self, source: str) -> None:
        self.source = source
        ignore_case = source.startswith("(?i)")
        body = source.removeprefix("(?i)").removeprefix("^")
        if body.endswith("$") and (len(body) - len(body[:-1].rstrip("\\"))) % 2:
            body = body[:-1]
        self._states, self._start, self._end = _Parser(source, body, ignore_case).parse()

    def matches(self, text: str) -> bool:
        """Whether the whole of `text` is of this pattern."""
        if len(text) > TEXT_LENGTH:
            return False
        active = self._reached({self._start})
        for sign in text:
            after: set[int] = set()
            for index in active:
                state = self._states[index]
                if state.takes is not None and state.takes(sign):
                    after.update(state.ways)
            if not after:
                return False
            active = self._reached(after)
        return self._end in active

    def _reached(self, indexes: set[int]) -> set[int]:
        waiting = list(indexes)
        while waiting:
            state = self._states[waiting.pop()]
            if state.takes is None:
                fresh = [way for way in state.ways if way not in indexes]
                indexes.update(fresh)
                waiting += fresh
        return indexes


Build = Callable[[int], int]
"""Makes the states of a part before the state that follows it; gives the part's first state."""


class _Parser:
    def __init__(self, source: str, body: str, ignore_case: bool) -> None:
        self.source = source
        self.body = body
        self.ignore_case = ignore_case
        self.at = 0
        self.depth = 0
        self.states: list[_State] = []

    def parse(self) -> tuple[list[_State], int, int]:
        build = self._alternatives()
        if self.at < len(self.body):
            raise self._wrong(f'"{self.body[self.at]}" closes nothing', "write \\) for a bracket")
        end = self._state(_State())
        return self.states, build(end), end

    def _wrong(self, message: str, hint: str | None = None) -> ExpressionError:
        return ExpressionError(f'the pattern "{self.source[:80]}": {message}', hint=hint)

    def _state(self, state: _State) -> int:
        if len(self.states) >= STATES:
            raise self._wrong(f"it has more than {STATES:,} parts", "repeat less")
        self.states.append(state)
        return len(self.states) - 1

    def _peek(self) -> str:
        return self.body[self.at] if self.at < len(self.body) else ""

    def _next(self) -> str:
        sign = self._peek()
        self.at += 1
        return sign

    def _alternatives(self) -> Build:
        branches = [self._sequence()]
        while self._peek() == "|":
            self.at += 1
            branches.append(self._sequence())
        if len(branches) == 1:
            return branches[0]
        return lambda after: self._state(_State(None, [branch(after) for branch in branches]))

    def _sequence(self) -> Build:
        parts: list[Build] = []
        while self._peek() not in ("", "|", ")"):
            parts.append(self._repeated(self._atom()))

        def build(after: int) -> int:
            for part in reversed(parts):
                after = part(after)
            return after

        return build

    def _repeated(self, part: Build) -> Build:
        if self._peek() not in (*_REPETITIONS,):
            return part
        least, most = self._count()
        if self._peek() and self._peek() in "?*+{":
            raise self._wrong("a repetition stands behind a repetition", "one is enough")

        def build(after: int) -> int:
            if most is None:
                loop = self._state(_State())
                self.states[loop].ways = [part(loop), after]
                after = loop
            for _ in range((most or least) - least):
                after = self._state(_State(None, [part(after), after]))
            for _ in range(least):
                after = part(after)
            return after

        return build

    def _count(self) -> tuple[int, int | None]:
        sign = self._next()
        if sign != "{":
            return {"?": (0, 1), "*": (0, None), "+": (1, None)}[sign]
        inside, closed, _ = self.body[self.at :].partition("}")
        low, comma, high = inside.partition(",")
        if not closed or not _is_count(low) or (high and not _is_count(high)):
            raise self._wrong('a "{" that begins no repetition', "write it like {2,5}, or \\{ for the sign")
        self.at += len(inside) + 1
        least = int(low)
        most = int(high) if high else None if comma else least
        if max(least, most or 0) > _MOST_REPEATED or (most is not None and most < least):
            raise self._wrong(
                f"it can't repeat {{{inside}}}", f"at most {_MOST_REPEATED} times, the less first"
            )
        return least, most

    def _atom(self) -> Build:
        sign = self._next()
        if sign == "(":
            return self._group()
        if sign == "[":
            return self._takes(self._class())
        if sign == ".":
            return self._takes(lambda other: other != "\n")
        if sign == "\\":
            return self._takes(self._escape())
        if sign in _REPETITIONS:
            raise self._wrong(f'"{sign}" repeats nothing', f"write \\{sign} for the sign")
        if sign in "^$":
            raise self._wrong(
                f'"{sign}" stands inside', f"the whole text is compared; write \\{sign} for the sign"
            )
        return self._takes(self._any_case(sign.__eq__))

    def _any_case(self, takes: Takes) -> Takes:
        if not self.ignore_case:
            return takes
        return lambda other: takes(other) or takes(other.lower()) or takes(other.upper())

    def _takes(self, takes: Takes) -> Build:
        return lambda after: self._state(_State(takes, [after]))

    def _group(self) -> Build:
        if self.body.startswith("?:", self.at):
            self.at += 2
        elif self._peek() == "?":
            raise self._wrong("groups are (…) or (?:…) only", "there is no looking around")
        self.depth += 1
        if self.depth > 20:
            raise self._wrong("the groups are nested too deeply")
        build = self._alternatives()
        self.depth -= 1
        if self._next() != ")":
            raise self._wrong("a group isn't closed", "add the bracket )")
        return build

    def _escape(self) -> Takes:
        sign = self._next()
        if not sign:
            raise self._wrong("it ends with a backslash", "write \\\\ for the sign")
        if sign.lower() in "dws":
            return _kind(sign)
        if sign.isalnum() and sign not in _UNESCAPED:
            raise self._wrong(f'"\\{sign}" is not known', "there are \\d, \\w, \\s, \\n and \\t")
        return _UNESCAPED.get(sign, sign).__eq__

    def _class(self) -> Takes:
        negated = self._peek() == "^"
        self.at += negated
        members: list[Takes] = []
        while True:
            sign = self._next()
            if not sign:
                raise self._wrong("a class isn't closed", "add the bracket ]")
            if sign == "]" and members:
                break
            members.append(self._member(sign))
        return lambda other: any(member(other) for member in members) != negated

    def _member(self, sign: str) -> Takes:
        if sign == "\\":
            if self._peek().lower() in ("d", "w", "s"):
                return _kind(self._next())
            sign = _UNESCAPED.get(self._peek(), self._peek())
            self.at += 1
        if self._peek() != "-" or self.body[self.at + 1 : self.at + 2] in ("]", ""):
            return self._any_case(sign.__eq__)
        self.at += 1
        last = self._next()
        if last == "\\":
            last = self._next()
        if last < sign:
            raise self._wrong(f'"{sign}-{last}" is no range', "the lesser sign first")
        return self._any_case(lambda other: sign <= other <= last)


def _kind(sign: str) -> Takes:
    tests: dict[str, Takes] = {
        "d": str.isdecimal,
        "w": lambda other: other.isalnum() or other == "_",
        "s": str.isspace,
    }
    test = tests[sign.lower()]
    return test if sign.islower() else lambda other: not test(other)


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 6


@lru_cache(maxsize=512)
def compiled(source: str) -> Pattern:
    """The pattern, compiled once. Raises ExpressionError for what isn't taken."""
    return Pattern(source)
