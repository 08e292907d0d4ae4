"""Rules on the data model and on the names that expressions and templates use."""

import re
from collections.abc import Iterator

from wabot.engine.check.flow import Flow
from wabot.engine.check.structure import resolve
from wabot.engine.check.uses import Use
from wabot.engine.problems import Problem, did_you_mean
from wabot.engine.texts import BUILTIN
from wabot.engine.variables import RESERVED

_IDENTIFIER = re.compile(r"[^\W\d]\w*")


def declarations(flow: Flow) -> Iterator[Problem]:
    for name, variable in flow.document.datamodel.items():
        path = ("datamodel", name)
        if name in RESERVED:
            message = f'"{name}" is a name of wabot\'s own'
            yield flow.problem("reserved-name", path, message, "call the variable something else", key=True)
        elif not _IDENTIFIER.fullmatch(name) or name.startswith("_"):
            message = f'"{name}" can\'t name a variable'
            hint = "use letters, digits and _, a letter first"
            yield flow.problem("bad-variable", path, message, hint, key=True)
        if variable.expr is not None and variable.default is not None:
            message = f'"{name}" has both a default and an expr'
            yield flow.problem("bad-variable", path, message, "keep one of the two", key=True)


def sources(flow: Flow) -> Iterator[Problem]:
    """What can't be compiled."""
    for use in flow.uses:
        if use.error is not None:
            yield flow.problem("bad-expression", use.path, use.error.message, use.error.hint or "")


def names(flow: Flow) -> Iterator[Problem]:
    known = set(flow.document.datamodel) | RESERVED
    for use in flow.uses:
        here = known | use.names
        for name in sorted(used_names(flow, use) - here):
            hint = did_you_mean(name, here - {"_event", "_name", "_sessionid"})
            said = f'the text "{use.source}" uses "{name}", and there' if use.is_key else "there"
            message = f'{said} is no variable "{name}"' if not use.is_key else f"{said} is no such variable"
            yield flow.problem("unknown-variable", use.path, message, hint or _quotes(use, name))


def used_names(flow: Flow, use: Use) -> frozenset[str]:
    if use.is_key:
        # The built-in texts ask for what only wabot itself gives them.
        builtin = use.source.startswith(f"{BUILTIN}.") and not flow.texts.keys() & {use.source}
        return frozenset() if builtin else flow.texts.names(use.source)
    return use.compiled.names if use.compiled is not None else frozenset()


def _quotes(use: Use, name: str) -> str:
    if use.kind == "expression" and use.source.strip() == name:
        return f"a text wants quotes of its own: \"'{name}'\""
    return "declare it under datamodel"


def states_asked_for(flow: Flow) -> Iterator[Problem]:
    """`In('x')` of a state that isn't there."""
    for use in flow.uses:
        for name in sorted(use.compiled.states) if use.compiled is not None else ():
            found = resolve(flow, use.node, name, use.path, f"In('{name}'):")
            if isinstance(found, Problem):
                yield found
