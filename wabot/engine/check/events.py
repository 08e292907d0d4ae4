"""Rules on events: those that are waited for must be possible, those that are raised be taken."""

import re
from collections.abc import Iterator

from wabot.core.media import MEDIA
from wabot.core.messages import Kind
from wabot.engine.check.descriptors import bare, matches, meets
from wabot.engine.check.flow import Edge, Flow, companions
from wabot.engine.check.structure import resolve
from wabot.engine.document import Ask, CancelAction, EachOption, RaiseAction, SendAction
from wabot.engine.names import Node
from wabot.engine.problems import Problem, did_you_mean

FAMILIES = ("message", "answered", "invalid", "exhausted", "timer", "done", "error", "stale", "unhandled")
_ERRORS = ("execution", "communication", "platform", "command", "invoke")
_TAPS = ("button", "list")
_ANSWERS = ("answered", "invalid", "exhausted")


def descriptors(flow: Flow) -> Iterator[Problem]:
    raised = {name for name, _ in _raised(flow)}
    for edge in flow.edges:
        if edge.timer or not edge.event:
            continue
        for descriptor in edge.descriptors:
            name = bare(descriptor)
            if name and not any(event == name or event.startswith(f"{name}.") for event in raised):
                yield from _descriptor(flow, edge, name)


def _descriptor(flow: Flow, edge: Edge, name: str) -> Iterator[Problem]:
    family, _, rest = name.partition(".")
    path = (*edge.path, "event")
    if family == "message":
        yield from _message(flow, edge, rest)
    elif family in _ANSWERS:
        yield from _answer(flow, edge, family, rest)
    elif family == "done":
        yield from _done(flow, edge, rest)
    elif family == "error":
        yield from _error(flow, edge, rest)
    elif family == "timer" and rest and rest not in _timers(flow):
        hint = did_you_mean(rest, _timers(flow)) or "give a send this id and a delay"
        yield flow.problem("unknown-event", path, f'no send has the id "{rest}"', hint)
    elif family == "stale" and rest and rest.split(".")[0] not in _TAPS:
        yield _unknown(flow, edge, name, (f"stale.{kind}" for kind in _TAPS))
    elif family == "unhandled" and rest:
        yield _unknown(flow, edge, name, ["unhandled"])
    elif family not in FAMILIES and flow.conversational:
        yield from _misspelt(flow, edge, name, family)


def _unknown(flow: Flow, edge: Edge, name: str, known: "Iterator[str] | list[str]") -> Problem:
    hint = did_you_mean(name, known)
    return flow.problem("unknown-event", (*edge.path, "event"), f'nothing raises the event "{name}"', hint)


def _misspelt(flow: Flow, edge: Edge, name: str, family: str) -> Iterator[Problem]:
    """An event of the author's own, unless it reads like one of ours with a slip."""
    near = did_you_mean(family, FAMILIES)
    if near and re.fullmatch(r"[a-z]{5,}", family):
        word = near.split('"')[1]
        ours = name.replace(family, word, 1)
        kinds = [f"message.{kind}" for kind in Kind]
        if word != "message" or not name.partition(".")[2] or did_you_mean(ours, kinds):
            yield _unknown(flow, edge, name, [ours])


def _message(flow: Flow, edge: Edge, rest: str) -> Iterator[Problem]:
    kind, _, option = rest.partition(".")
    if not kind:
        return
    if kind not in list(Kind) or (option and kind not in _TAPS):
        yield _unknown(flow, edge, f"message.{rest}", [f"message.{one}" for one in Kind])
        return
    offered = _offered(flow, kind) if option else None
    if offered is not None and option not in offered:
        what = "button" if kind == "button" else "list row"
        message = f'no message of this flow has a {what} "{option}"'
        hint = did_you_mean(option, offered)
        yield flow.problem("unknown-event", (*edge.path, "event"), message, hint)


def _offered(flow: Flow, kind: str) -> set[str] | None:
    """The ids of all buttons or rows that the flow shows; None where they can't be known."""
    found: set[str] = set()
    for message in flow.messages:
        rich = message.rich
        groups = [rich.buttons] if kind == "button" else []
        if kind == "list" and rich.list_ is not None:
            groups = [rich.list_.rows, *(section.rows for section in rich.list_.sections or [])]
        if isinstance(rich, Ask):
            groups.append(rich.choices)
            found |= {"yes", "no"} if rich.type == "yesno" else set()
        for options in groups:
            if isinstance(options, EachOption) or any("{" in option.id for option in options or []):
                return None
            found |= {option.id for option in options or []}
        if rich.template is not None:
            return None
    return found


def _answer(flow: Flow, edge: Edge, family: str, rest: str) -> Iterator[Problem]:
    path = (*edge.path, "event")
    if not rest:
        if not any(node in flow.asks for node in companions(edge.node)):
            where = f'"{edge.node.id}"' if edge.node.parent else "this flow"
            yield flow.problem("no-ask", path, f'nothing is asked in {where}, so "{family}" never comes')
        return
    state = resolve(flow, edge.node, rest, path, "the state")
    if isinstance(state, Problem):
        yield state
    elif not any(node is state or node.within(state) for node in flow.asks):
        yield flow.problem("no-ask", path, f'nothing is asked in "{state.id}", so "{family}" never comes')


def _done(flow: Flow, edge: Edge, rest: str) -> Iterator[Problem]:
    kind, _, name = rest.partition(".")
    path = (*edge.path, "event")
    if kind == "state" and name:
        state = resolve(flow, edge.node, name, path, "the state")
        if isinstance(state, Problem):
            yield state
        elif not _ends(state):
            hint = "only a state with a final state inside is done"
            yield flow.problem("never-done", path, f'"{state.id}" is never done', hint)
    elif kind == "invoke" and name:
        yield from _invoked(flow, edge, name)
    elif kind not in ("", "state", "invoke"):
        yield _unknown(flow, edge, f"done.{rest}", ["done.state", "done.invoke"])


def _ends(node: Node) -> bool:
    if node.kind == "parallel":
        return all(_ends(child) for child in node.children)
    return any(child.kind == "final" for child in node.children)


def _error(flow: Flow, edge: Edge, rest: str) -> Iterator[Problem]:
    kind, _, name = rest.partition(".")
    if kind == "invoke" and name:
        yield from _invoked(flow, edge, name)
    elif kind == "command" and name:
        if "." in name and name not in flow.commands:
            hint = did_you_mean(name, flow.commands)
            message = f'there is no command "{name}"'
            yield flow.problem("unknown-event", (*edge.path, "event"), message, hint)
    elif kind and kind not in _ERRORS:
        yield _unknown(flow, edge, f"error.{rest}", [f"error.{one}" for one in _ERRORS])


def _invoked(flow: Flow, edge: Edge, name: str) -> Iterator[Problem]:
    ids = {*flow.invoke_ids, MEDIA}
    if not any(matches(name, id) for id in ids):
        hint = did_you_mean(name, ids) or "give an invoke this id"
        yield flow.problem("unknown-event", (*edge.path, "event"), f'no invoke has the id "{name}"', hint)


def _timers(flow: Flow) -> set[str]:
    sends = {p.action.send.id for p in flow.actions if isinstance(p.action, SendAction) and p.action.send.id}
    return sends | {f"{edge.node.path}.{edge.timer}" for edge in flow.edges if edge.timer}


def _raised(flow: Flow) -> Iterator[tuple[str, tuple[str | int, ...]]]:
    """The events that the flow's own actions raise, with the place of their names."""
    for placed in flow.actions:
        if isinstance(placed.action, RaiseAction):
            yield placed.action.raise_.event, (*placed.path, "raise", "event")
        elif isinstance(placed.action, SendAction) and placed.action.send.event:
            yield placed.action.send.event, (*placed.path, "send", "event")


def raised(flow: Flow) -> Iterator[Problem]:
    taken = [descriptor for edge in flow.edges if not edge.timer for descriptor in edge.descriptors]
    leaving = {
        placed.path
        for placed in flow.actions
        if isinstance(placed.action, SendAction)
        and placed.action.send.target not in (None, "#_internal", "internal", "")
    }
    for name, path in _raised(flow):
        if path[:-2] not in leaving and not any(matches(descriptor, name) for descriptor in taken):
            hint = did_you_mean(name, {bare(one) for one in taken if bare(one)})
            message = f'no transition takes the event "{name}"'
            yield flow.problem("untaken-event", path, message, hint)


def answers(flow: Flow) -> Iterator[Problem]:
    for node, ask in flow.asks.items():
        near = [edge for state in companions(node) for edge in flow.edges_of(state) if not edge.timer]
        path = (*node.document_path, "ask")
        if not _takes(flow, near, node, "answered") and not ask.into:
            message = f'no transition takes the answer of "{node.id}"'
            hint = "add one: {event: answered, target: …}"
            yield flow.problem("untaken-answer", path, message, hint, key=True)
        if not _takes(flow, near, node, "exhausted"):
            message = f'after {ask.attempts} answers that don\'t fit, "{node.id}" has no way on'
            hint = "add one: {event: exhausted, target: …}"
            yield flow.problem("untaken-exhausted", path, message, hint, key=True)


def _takes(flow: Flow, edges: list[Edge], node: Node, event: str) -> bool:
    return any(
        matches(descriptor, event) or (meets(descriptor, event) and _names(flow, edge, descriptor, node))
        for edge in edges
        for descriptor in edge.descriptors
    )


def _names(flow: Flow, edge: Edge, descriptor: str, node: Node) -> bool:
    """Whether `answered.<state>` speaks of `node` or of a state around it."""
    state = resolve(flow, edge.node, bare(descriptor).partition(".")[2], edge.path, "the state")
    return not isinstance(state, Problem) and (node is state or node.within(state))


def intents(flow: Flow) -> Iterator[Problem]:
    declared = flow.document.intents
    for edge in flow.edges:
        if edge.intent is None:
            continue
        if edge.intent not in declared:
            hint = did_you_mean(edge.intent, declared) or "declare it under intents"
            message = f'there is no intent "{edge.intent}"'
            yield flow.problem("unknown-intent", (*edge.path, "intent"), message, hint)
        if not edge.descriptors:
            message = f'the intent "{edge.intent}" stands without an event'
            yield flow.problem("lone-intent", (*edge.path, "intent"), message, "add event: message")


def cancels(flow: Flow) -> Iterator[Problem]:
    ids = _timers(flow)
    unknown = any(isinstance(p.action, SendAction) and p.action.send.idlocation for p in flow.actions)
    for placed in flow.actions:
        if isinstance(placed.action, CancelAction) and placed.action.cancel.sendid and not unknown:
            name = placed.action.cancel.sendid
            if name not in ids:
                hint = did_you_mean(name, ids) or "give the send this id"
                message = f'no send has the id "{name}"'
                yield flow.problem("unknown-timer", (*placed.path, "cancel", "sendid"), message, hint)
