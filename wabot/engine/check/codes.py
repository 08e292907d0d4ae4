"""Every finding of the checker by its stable code: how grave it is, and what it says."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Code:
    severity: Literal["error", "warning"]
    meaning: str


def _error(meaning: str) -> Code:
    return Code("error", meaning)


def _warning(meaning: str) -> Code:
    return Code("warning", meaning)


CODES = {
    # reading
    "yaml": _error("Not YAML, or YAML that wabot doesn't read."),
    "unknown-key": _error("A key that the language doesn't have here."),
    "missing-key": _error("A key that has to be there."),
    "bad-value": _error("A value of the wrong kind."),
    "bad-duration": _error("A length of time that is none."),
    "bad-action": _error("Something that is no action."),
    "two-actions": _error("Two actions in one item of a list."),
    "bad-text": _error("A file of texts, or a text in one, that can't be used."),
    # states
    "bad-id": _error("A state without a name, or with blanks around it."),
    "duplicate-id": _error("A state and a history state of one parent have the same id."),
    "clashing-path": _error("Two states have the same dotted path, because an id has dots in it."),
    "unknown-state": _error("A name that means no state."),
    "ambiguous-target": _error("A name that could mean several states, none of them nearer."),
    "conflicting-targets": _error("Several targets that can't be active together."),
    "internal-target": _warning("An internal transition that leaves its state all the same."),
    "bad-initial": _error("An initial transition that can't say where a state begins."),
    "final-state": _error("A final state with what only a state that stays can have."),
    "final-region": _error("A final state directly in a parallel one."),
    "few-regions": _warning("A parallel state with fewer than two regions."),
    "lone-history": _error("A history state where there is nothing to remember."),
    "bad-history": _error("A default transition that a history state can't have."),
    "bad-donedata": _error("donedata on a state that isn't final."),
    "unreachable-state": _warning("A state that nothing leads to."),
    "dead-end": _warning("A state that isn't final and that nothing leads out of."),
    "eventless-loop": _error("Transitions without event and guard that go round in a circle."),
    "timer-loop": _error("Timers of no length that go round in a circle."),
    "shadowed-transition": _warning("A transition that an earlier one always forestalls."),
    # events
    "unknown-event": _error("An event that nothing can raise."),
    "no-ask": _error("An answer is waited for where nothing was asked."),
    "never-done": _error("done.state of a state that never ends."),
    "untaken-event": _warning("An event is raised that no transition takes."),
    "untaken-answer": _warning("A question whose answer no transition takes."),
    "untaken-exhausted": _warning("A question without a way on after the last attempt."),
    "unknown-intent": _error("An intent that the flow doesn't declare."),
    "clashing-phrase": _warning("One phrase for two intents."),
    "lone-intent": _error("An intent without the event that it belongs to."),
    "unknown-timer": _error("A cancel of a send that isn't there."),
    # actions
    "unknown-action": _error("An action that neither the language nor a module has."),
    "unknown-argument": _error("An argument that the command doesn't take."),
    "missing-argument": _error("An argument that the command needs."),
    "bad-argument": _error("An argument that the command's model refuses."),
    "unknown-secret": _error("A secret that the project's settings don't have."),
    "unknown-flow": _error("A flow that the project doesn't have."),
    "bad-invoke": _error("An invoke that doesn't say, or says twice, what is invoked."),
    "duplicate-invoke": _error("Two invokes with one id."),
    "bad-send": _error("A send without an event, or with a delay that is none."),
    "unsupported": _error("A part of SCXML that wabot doesn't run."),
    "script": _error("Python in a flow."),
    "duplicate-flow": _error("Two flows of the same name and version."),
    # data
    "reserved-name": _error("A variable with a name that wabot uses itself."),
    "bad-variable": _error("A variable that can't be declared so."),
    "bad-expression": _error("An expression or template that can't be read, or isn't allowed."),
    "unknown-variable": _error("A name that is no variable here."),
    "unknown-field": _error("A field that a value never has."),
    "unset-variable": _error("A variable that is used before anything sets it."),
    "maybe-unset": _warning("A variable that on some way is used before anything sets it."),
    "type-mismatch": _error("A value of a type that its place doesn't take."),
    "no-message": _error("The contact's message is used where none came."),
    "no-event": _error("The event is used where none has come."),
    "unknown-option": _error("An answer is compared with an option that isn't offered."),
    "always-true": _warning("A guard that asks whether there is an answer, where there always is."),
    # what is said
    "missing-text": _error("A text that isn't there, in all locales or in one."),
    "missing-plural": _error("A plural without a form that its language needs."),
    "bad-message": _error("A message that no platform sends as it is."),
    "bad-ask": _error("A question that can't be asked so."),
    "too-long": _error("A text longer than the platform takes."),
    "too-many": _error("More buttons, rows or sections than the platform takes."),
    "duplicate-option": _error("Two options with one id or one title."),
    "bad-template": _error("An approved template that can't be one."),
    "no-template": _warning("A message that may be said after the 24-hour window, and names no template."),
}
