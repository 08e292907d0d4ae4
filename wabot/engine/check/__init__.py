"""The checker: what would fail later, said now, with the place and the mend."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from wabot.engine.check import (
    actions,
    events,
    limits,
    operations,
    order,
    reach,
    structure,
    types,
    variables,
    window,
)
from wabot.engine.check import texts as said
from wabot.engine.check.codes import CODES, Code
from wabot.engine.check.flow import CheckOptions, CommandInfo, Flow
from wabot.engine.check.uses import Uses
from wabot.engine.expressions import Sandbox
from wabot.engine.loader import Source
from wabot.engine.problems import Problem
from wabot.engine.texts import Texts
from wabot.engine.yaml import walk

__all__ = ["CODES", "CheckOptions", "Code", "CommandInfo", "check"]

Rule = Callable[[Flow], Iterator[Problem]]

RULES: tuple[Rule, ...] = (
    structure.ids,
    structure.targets,
    structure.initial_transitions,
    structure.final_states,
    structure.parallel_states,
    structure.history_states,
    reach.unreachable_states,
    reach.dead_ends,
    reach.eventless_loops,
    reach.timer_loops,
    reach.shadowed_transitions,
    events.descriptors,
    events.raised,
    events.answers,
    events.intents,
    events.cancels,
    actions.commands,
    actions.flows,
    actions.invokes,
    actions.sends,
    actions.assignments,
    variables.declarations,
    variables.sources,
    variables.names,
    variables.messages,
    variables.first_events,
    variables.states_asked_for,
    types.defaults,
    types.assignments,
    types.arguments,
    types.loops,
    types.options,
    types.mere_answers,
    operations.failing,
    order.unset_variables,
    said.missing,
    said.phrases,
    limits.lengths,
    limits.options,
    limits.messages,
    limits.questions,
    limits.templates,
)


def check(
    sources: Sequence[Source],
    texts: Texts | None = None,
    commands: Mapping[str, CommandInfo] | None = None,
    invokes: Mapping[str, CommandInfo] | None = None,
    *,
    options: CheckOptions | None = None,
) -> list[Problem]:
    """All findings in these flows and their texts, in the order of files and lines.

    `commands` and `invokes` are those of all modules. A flow that none of the findings of severity
    `error` speaks of is one that runs.
    """
    spoken = texts or Texts()
    names = frozenset(source.flow for source in sources)
    given = _given(sources)
    sandbox = Sandbox()
    found = [*spoken.problems, *said.plurals(spoken), *limits.text_templates(spoken), *_duplicates(sources)]
    around = _closed(sources, options or CheckOptions())
    flows = [
        Flow(
            source,
            spoken,
            commands or {},
            names,
            around,
            given=frozenset(given.get(source.flow, ())),
            outside=invokes,
        )
        for source in sources
    ]
    ages = window.measure(flows)
    for flow in flows:
        found += _check_flow(flow, sandbox)
        found += window.late(flow, ages[flow])
    return sorted(set(found), key=lambda problem: (problem.place, problem.code, problem.message))


def _given(sources: Sequence[Source]) -> dict[str, set[str]]:
    """The variables that a flow is given by others of these to begin with."""
    given: dict[str, set[str]] = {}
    for source in sources:
        for _, data in walk(source.data):
            if isinstance(data, dict) and isinstance(data.get("flow"), str):
                named = data.get("with")
                given.setdefault(data["flow"], set()).update(named if isinstance(named, dict) else ())
    return given


def _closed(sources: Sequence[Source], options: CheckOptions) -> CheckOptions:
    """Where an invoke names its flow some other way, that flow may be any of these, and be given anything."""
    computed = any(
        isinstance(data, dict) and not {"src", "srcexpr"}.isdisjoint(data)
        for source in sources
        for _, data in walk(source.data)
    )
    return replace(options, starts=()) if computed else options


def _check_flow(flow: Flow, sandbox: Sandbox) -> Iterator[Problem]:
    flow.uses = Uses(flow, sandbox).all
    flow.constant_guards = reach.constants(flow)
    for rule in RULES:
        yield from rule(flow)
    for inner in flow.inner():
        yield from _check_flow(inner, sandbox)


def _duplicates(sources: Sequence[Source]) -> Iterator[Problem]:
    seen: dict[tuple[str, int], Source] = {}
    for source in sources:
        first = seen.setdefault((source.flow, source.version), source)
        if first is not source:
            message = f'version {source.version} of the flow "{source.flow}" is in {first.file} too'
            hint = "give one of them another version or name"
            place = source.place(("flow",))
            yield Problem(place, "duplicate-flow", message, hint, CODES["duplicate-flow"].severity)
