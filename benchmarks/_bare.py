"""A flow on bare python-statemachine and Jinja2, as one would wire it up by hand.

It knows what the demo's order flow uses, and nothing else: say, ask with buttons, assign, raise, if,
commands, intents, timers, history. Everything is compiled once: guards and values by Jinja's
`compile_expression`, texts by its templates, with wabot's filters, so that both sides format money
alike. One machine is kept warm and bound to each conversation by `current_state_value` and
`history_values`. The state it writes is wabot's own, key by key, so that both sides read and write
the same JSON.

What it leaves out is what the engine adds: sub-flows, invokes, digressions, budgets, types of
variables, errors as events, other types of answers, a trace.
"""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from jinja2 import Environment, pass_context
from statemachine import StateChart
from statemachine.io import create_machine_class_from_definition
from statemachine.orderedset import OrderedSet

from wabot.core.json import from_plain, to_plain
from wabot.core.messages import Button, Outbound
from wabot.engine import document as doc
from wabot.engine.expressions.filters import FILTERS, LOCALISED
from wabot.engine.loader import Source
from wabot.engine.names import Node

ROOT = "flow"
Act = Callable[[], None]


def environment() -> Environment:
    made = Environment(finalize=_finalize, trim_blocks=True, lstrip_blocks=True)
    for name, function in FILTERS.items():
        made.filters[name] = _localised(function) if name in LOCALISED else function
    return made


def _finalize(value: Any) -> Any:
    return "" if value is None else value


def _localised(function: Callable[..., Any]) -> Callable[..., Any]:
    @pass_context
    def with_scope(context: Any, value: Any, *arguments: Any, **named: Any) -> Any:
        return function(context, value, *arguments, **named)

    return with_scope


class Bare:
    """One flow; `turn` takes the stored state and what the contact wrote."""

    def __init__(
        self,
        source: Source,
        texts: Mapping[str, str],
        commands: Mapping[str, Callable[..., Any]],
        world: Mapping[str, Any],
    ) -> None:
        self.source, self.commands, self.world = source, commands, world
        self.environment = environment()
        self.texts = {key: self.environment.from_string(text) for key, text in texts.items()}
        self.intents: dict[str, set[str]] = {}
        for name, phrases in source.document.intents.items():
            for phrase in (p for listed in _values(phrases) for p in listed):
                self.intents.setdefault(phrase.casefold(), set()).add(name)
        self.lineage: dict[str, list[str]] = {}
        self.paths: dict[str, str] = {}
        kind = create_machine_class_from_definition(
            "Bare",
            states={ROOT: {**self._state(source.tree.root), "initial": True}},  # type: ignore[dict-item]
            catch_errors_as_events=False,
            validate_disconnected_states=False,
            validate_trap_states=False,
            validate_final_reachability=False,
        )
        self.atomic = {id for id, state in kind.states_map.items() if state.is_atomic}
        self.known = kind.states_map
        self.playing = False
        self.machine: StateChart[Any] = kind()

    def turn(self, stored: str, text: str, now: datetime) -> tuple[str, list[Outbound]]:
        data = json.loads(stored) if stored else None
        frame = data["frames"][0] if data else {}
        self.said: list[Outbound] = []
        self.counter: int = data["counter"] if data else 0
        self.sent: dict[str, Any] = frame.get("sent", {})
        self.timers: list[Any] = frame.get("timers", [])
        self.history: dict[str, list[str]] = frame.get("history", {})
        self.message = {"text": text, "kind": "text"}
        self.variables = (
            {name: from_plain(value) for name, value in frame["variables"].items()}
            if data
            else {name: variable.default for name, variable in self.source.document.datamodel.items()}
        )
        self.scope = {
            **self.variables,
            **self.world,
            "message": self.message,
            "answer": None,
            "event": None,
            "now": now,
            "today": now.date(),
        }
        self.playing = True
        if data is None:
            self.machine.history_values = {}
            self.machine.current_state_value = None
            self.machine.activate_initial_state()
        else:
            self._bind(frame)
            self._hear(text)
        self.playing = False
        return self._stored(), self.said

    def _bind(self, frame: Mapping[str, Any]) -> None:
        active = [id for path in frame["configuration"] for id in self.lineage[path]]
        self.machine.history_values = {
            _id(path): [self.known[id] for state in states for id in self.lineage[state]]
            for path, states in self.history.items()
        }
        self.machine.current_state_value = OrderedSet(active)

    def _hear(self, text: str) -> None:
        path, option = self._meant(text)
        if option is not None and self.sent[path][3]:
            self.scope["answer"] = option
            self._send("answered", {"answer": option, "state": path})
        elif option is not None:
            self._send(f"message.button.{option}", self.message)
        else:
            self._send("message.text", self.message)

    def _send(self, name: str, data: Any) -> None:
        self.scope["event"] = {"name": name, "data": data}
        self.machine.send(name)

    def _meant(self, text: str) -> tuple[str, str | None]:
        said = text.strip().casefold()
        for path, sent in self.sent.items():
            for number, (id, title) in enumerate(sent[2], 1):
                if said in (str(number), id.casefold(), title.casefold()):
                    return path, id
        return "", None

    def _stored(self) -> str:
        active = [id for id in self.machine.configuration_values if id in self.atomic]
        frame: dict[str, Any] = {
            "flow": self.source.flow,
            "version": self.source.version,
            "configuration": [self.paths[id] for id in active],
        }
        for id, states in self.machine.history_values.items():
            self.history[self.paths[id]] = [self.paths[s.id] for s in states if s.id in self.atomic]
        if self.history:
            frame["history"] = self.history
        frame["variables"] = {name: to_plain(value) for name, value in self.variables.items()}
        if self.sent:
            frame["sent"] = self.sent
        if self.timers:
            frame["timers"] = self.timers
        ended = any(self.known[id].final for id in active)
        status = "ended" if ended else "running"
        return json.dumps({"format": 1, "status": status, "counter": self.counter, "frames": [frame]})

    def _state(self, node: Node) -> dict[str, Any]:
        """A state's definition, with its callbacks compiled."""
        id = _id(node.path)
        self.paths[id] = node.path
        self.lineage[node.path] = [*(self.lineage[node.parent.path] if node.parent else []), id]
        model = node.model
        state: dict[str, Any] = {
            "enter": self._entering(node),
            "transitions": [t for edge in model.transitions if (t := self._transition(node, edge))],
        }
        if node.kind == "final":
            return state | {"final": True}
        if node.children:
            state["states"] = {_id(child.path): self._state(child) for child in node.children}
            state["states"][_id(node.initial.path if node.initial else "")]["initial"] = True
        for history in node.histories:
            assert isinstance(history.model, doc.History)
            self.paths[_id(history.path)] = history.path
            target = self.source.tree.resolve(history, history.model.transitions[0].target or "")
            default = {"target": _id(target.path), "event": None}
            state.setdefault("history", {})[_id(history.path)] = {
                "type": history.model.type,
                "transitions": [default],
            }
        if isinstance(model, doc.StateNode) and (model.ask or model.after or node.path):
            state["exit"] = self._leaving(node.path)
        return state

    def _entering(self, node: Node) -> Act:
        model = node.model
        if not isinstance(model, doc.StateNode):
            return lambda: None
        block, after = self._block(model.enter, node), list(model.after)
        ask = self._message(model.ask, node.path, ask=True) if model.ask else None

        def enter() -> None:
            if not self.playing:
                return
            block()
            for written in after:
                self.counter += 1
                id = f"{node.path}.{written}"
                self.timers.append([f"{id}#{self.counter}", id, "", node.path, written])
            if ask:
                ask()

        return enter

    def _leaving(self, path: str) -> Act:
        def leave() -> None:
            self.sent.pop(path, None)
            self.sent.pop(f"{path}/said", None)
            self.timers = [timer for timer in self.timers if timer[3] != path]

        return leave

    def _transition(self, node: Node, edge: doc.Transition) -> dict[str, Any] | None:
        targets = [_id(n.path) for n in self.source.tree.targets(node, edge.target or "")]
        guards = [self._guard(source) for source in edge.cond]
        if edge.intent:
            guards.insert(0, self._intends(edge.intent))
        if not edge.event and not guards and not edge.unless:
            guards = [lambda: self.playing]
        transition: dict[str, Any] = {
            "event": edge.event,
            "target": " ".join(targets) or None,
            "internal": bool(targets) and node.parent is None,
            "cond": guards,
            "unless": [self._guard(source, idle=True) for source in edge.unless],
        }
        speaking = self.source.tree.targets(node, edge.target or "")
        if edge.on:
            transition["on"] = self._block(edge.on, speaking[0] if speaking else node)
        return transition

    def _intends(self, intent: str) -> Callable[[], bool]:
        return lambda: intent in self.intents.get(self.message["text"].strip().casefold(), ())

    def _guard(self, source: str, *, idle: bool = False) -> Callable[[], bool]:
        evaluate = self.environment.compile_expression(source)
        return lambda: bool(evaluate(self.scope)) if self.playing else idle

    def _block(self, actions: list[doc.Action], node: Node) -> Act:
        made = [self._action(action, node) for action in actions]

        def run() -> None:
            if self.playing:
                for act in made:
                    act()

        return run

    def _action(self, action: doc.Action, node: Node) -> Act:
        match action:
            case doc.SayAction(say=rich):
                return self._message(rich, node.path, ask=False)
            case doc.AssignAction(assign=values):
                return self._assign([(name, self._value(value)) for name, value in values.items()])
            case doc.RaiseAction(raise_=raised):
                return self._raise(raised.event)
            case doc.CommandAction(command=command, arguments=arguments, into=into):
                return self._command(command, self._value(arguments or {}), into)
            case doc.IfAction(if_=body):
                cond, then = self._guard(body.cond), self._block(body.then, node)
                return lambda: then() if cond() else None
        return lambda: None

    def _command(self, command: str, arguments: Callable[[], Any], into: str | None) -> Act:
        def run() -> None:
            result = self.commands[command](**arguments())
            if into:
                self._set(into, result)

        return run

    def _assign(self, parts: list[tuple[str, Callable[[], Any]]]) -> Act:
        def run() -> None:
            for name, compute in parts:
                self._set(name, compute())

        return run

    def _raise(self, event: str) -> Act:
        def run() -> None:
            self.machine.raise_(event)

        return run

    def _set(self, name: str, value: Any) -> None:
        self.variables[name] = self.scope[name] = value

    def _value(self, data: Any) -> Callable[[], Any]:
        if isinstance(data, dict):
            entries = [(key, self._value(item)) for key, item in data.items()]
            return lambda: {key: compute() for key, compute in entries}
        if isinstance(data, list):
            items = [self._value(item) for item in data]
            return lambda: [compute() for compute in items]
        if not isinstance(data, str) or "{" not in data:
            return lambda: data
        if data.startswith("{{") and data.endswith("}}") and data.count("{{") == 1:
            evaluate = self.environment.compile_expression(data[2:-2], undefined_to_none=False)
            return lambda: evaluate(self.scope)
        template = self.environment.from_string(data)
        return lambda: template.render(self.scope)

    def _message(self, rich: doc.Rich, path: str, *, ask: bool) -> Act:
        text = self.texts.get(rich.text) or self.environment.from_string(rich.text)
        options = rich.buttons if isinstance(rich.buttons, list) else []
        titles = [(o.id, self.texts.get(o.title) or self.environment.from_string(o.title)) for o in options]
        begin = f"w1|{self.source.flow}|{self.source.version}|"

        def say() -> None:
            if not titles and not ask:
                self.said.append(Outbound(text=text.render(self.scope)))
                return
            self.counter += 1
            shown = [[id, title.render(self.scope)] for id, title in titles]
            buttons = tuple(
                Button(id=id, title=title, payload=f"{begin}{self.counter}|{id}") for id, title in shown
            )
            self.said.append(Outbound(text=text.render(self.scope), buttons=buttons))
            key = path if ask else f"{path}/said"
            self.sent[key] = [self.counter, "button", shown, int(ask), 0]

        return say


def _id(path: str) -> str:
    return "in_" + path.replace(".", "__") if path else ROOT


def _values(phrases: Any) -> list[list[str]]:
    return list(phrases.values()) if isinstance(phrases, dict) else [phrases]
