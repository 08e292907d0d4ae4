"""What a turn of the engine costs, beside bare python-statemachine doing the same work.

The conversation is the demo's: "Hi", "Cement x 100", "1", in 64 conversations that take turns. Each
turn reads the state from JSON text, runs one message and writes the state as JSON text; commands
answer from memory.

The baseline is what one would write by hand on python-statemachine for this one flow: the same
states, transitions, guards and texts; guards and texts compiled once by plain Jinja2; one warm
machine bound to each conversation in turn; the same commands, the same messages built, the same
payloads in buttons, state of the same content and size. It knows nothing of flows in general: no
trace, no budget, no checks of types, no stack. Its last state is an ordinary one, because a machine
that has ended can't be bound again and a new one costs more than the turn.

The second part is the engine alone, on charts of 10, 100 and 1,000 states, one transition a turn.

Rounds of the two sides alternate; ratios are the median over the rounds.
"""

import argparse
import gc
import json
import statistics
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from time import perf_counter
from typing import Any

from jinja2 import Environment
from statemachine.io import create_machine_class_from_definition
from statemachine.orderedset import OrderedSet

from wabot.core.messages import Button, Inbound, Outbound
from wabot.engine.effects import Say
from wabot.engine.engine import Engine
from wabot.engine.library import Library
from wabot.engine.loader import load_flow
from wabot.engine.state import State
from wabot.engine.step import Context, Event, Step
from wabot.engine.texts import Texts

CONVERSATIONS = 64
SCRIPT = ("Hi", "Cement x 100", "1")
SIZES = (10, 100, 1000)
NOW = datetime(2026, 11, 22, 10, 0, tzinfo=timezone(timedelta(hours=5, minutes=30)))

TEXTS = {
    "welcome": "Hello {{ contact.name }}! What would you like to order today?",
    "order_summary": (
        "Your order:\n{% for line in order.lines %}{{ line.quantity }} x {{ line.name }}: {{ line.total }}\n"
        "{% endfor %}Total with tax: {{ order.total }}. Shall I place it?"
    ),
    "order_confirmed": "Thank you, {{ contact.name }}. Order {{ order.id }} is placed.",
}
FLOW = """
flow: order
version: 1
datamodel:
  lines: {type: list, default: []}
  order: {type: object, default: null}
intents:
  menu: {en: [menu, start]}
  agent: {en: [agent, help]}
transitions:
  - {event: message, intent: menu, target: welcome}
  - {event: message, intent: agent, target: handoff}
states:
  welcome:
    initial: true
    enter:
      - say: welcome
    transitions:
      - event: message.text
        cond: "message.text|length > 3"
        on: {catalog.match: {text: "{{ message.text }}"}, into: lines}
        target: summary
  summary:
    enter:
      - orders.quote: {lines: "{{ lines }}"}
        into: order
    ask:
      text: order_summary
      buttons: {yes: Confirm, no: Change}
      attempts: 3
    after: {1h: abandoned}
    transitions:
      - {event: answered, cond: "answer == 'yes'", target: placed}
      - {event: answered, cond: "answer == 'no'", target: welcome}
      - {event: exhausted, target: handoff}
  placed:
    enter:
      - orders.confirm: {order: "{{ order.id }}"}
      - say: order_confirmed
    final: true
  abandoned: {final: true}
  handoff:
    invoke: {agent: {}}
    transitions:
      - {event: done.invoke, target: welcome}
"""


class Commands:
    """The commands of the conversation, answered from memory."""

    def run(self, name: str, arguments: Mapping[str, Any]) -> Any:
        return _COMMANDS[name](**arguments)


def _match(text: str) -> list[dict[str, Any]]:
    name, _, quantity = text.partition(" x ")
    return [{"sku": "CEM-43", "name": name, "quantity": int(quantity or 1), "unit": "bag"}]


def _quote(lines: list[dict[str, Any]]) -> dict[str, Any]:
    priced = [{**line, "price": 390, "total": 390 * line["quantity"]} for line in lines]
    net = sum(line["total"] for line in priced)
    return {"id": 4711, "lines": priced, "net": net, "tax": net * 28 // 100, "total": net * 128 // 100}


def _confirm(order: int) -> dict[str, Any]:
    return {"number": f"ORD-{order}"}


_COMMANDS: dict[str, Callable[..., Any]] = {
    "catalog.match": _match,
    "orders.quote": _quote,
    "orders.confirm": _confirm,
}


def inbound(text: str) -> Inbound:
    return Inbound(channel="bench", event_id="1", sender="+919876543210", recipient="+911", text=text)


MESSAGES = {text: inbound(text) for text in SCRIPT}
CONTACT = {"name": "Asha", "phone": "+919876543210", "locale": "en"}


class Wabot:
    """The engine, one turn a call."""

    def __init__(self) -> None:
        library = Library([load_flow(FLOW, "order.yaml")], Texts({"en": TEXTS}))
        self.engine = Engine(library)
        self.context = Context(now=NOW, contact=CONTACT, business={"name": "Depot"}, commands=Commands())

    def turn(self, stored: str, text: str) -> tuple[str, list[Outbound]]:
        message = MESSAGES[text]
        step: Step
        if not stored:
            step = self.engine.start("order", self.context, message=message)
        else:
            state = State.from_json(json.loads(stored))
            step = self.engine.handle(state, Event(message=message), self.context)
        said = [effect.message for effect in step.effects if isinstance(effect, Say)]
        return json.dumps(step.state.to_json()), said


class Baseline:
    """The same conversation by hand on python-statemachine and Jinja2."""

    def __init__(self) -> None:
        environment = Environment()
        self.texts = {key: environment.from_string(text) for key, text in TEXTS.items()}
        self.guards = {
            source: environment.compile_expression(source)
            for source in ("message.text|length > 3", "answer == 'yes'", "answer == 'no'")
        }
        self.intents = {"menu": "menu", "start": "menu", "agent": "agent", "help": "agent"}
        self.machine = create_machine_class_from_definition(
            "Order", states=self._states(), catch_errors_as_events=False, **_UNCHECKED
        )(model=self)
        self.machine_states = type(self.machine).states_map
        self.state: Any = self.machine.current_state_value

    def _states(self) -> Any:
        menu = {"event": "message", "target": "welcome", "cond": self.is_menu}
        agent = {"event": "message", "target": "handoff", "cond": self.is_agent}
        states: dict[str, Any] = {
            "welcome": {"initial": True, "enter": self.enter_welcome},
            "summary": {"enter": self.enter_summary, "exit": self.exit_summary},
            "placed": {"enter": self.enter_placed},
            "abandoned": {},
            "handoff": {},
        }
        transitions: dict[str, list[Any]] = {
            "welcome": [
                {"event": "message.text", "target": "summary", "cond": self.is_order, "on": self.match},
            ],
            "summary": [
                {"event": "answered", "target": "placed", "cond": self.is_yes},
                {"event": "answered", "target": "welcome", "cond": self.is_no},
                {"event": "exhausted", "target": "handoff"},
                {"event": "timer", "target": "abandoned"},
            ],
            "handoff": [{"event": "done.invoke", "target": "welcome"}],
        }
        for name, state in states.items():
            state["transitions"] = [*transitions.get(name, []), menu, agent]
        return states

    variables: dict[str, Any]
    scope: dict[str, Any]
    timers: list[list[str]]

    def is_menu(self) -> bool:
        return self.intents.get(self.scope["message"]["text"].strip().casefold()) == "menu"

    def is_agent(self) -> bool:
        return self.intents.get(self.scope["message"]["text"].strip().casefold()) == "agent"

    def is_order(self) -> bool:
        return bool(self.guards["message.text|length > 3"](**self.scope))

    def is_yes(self) -> bool:
        return bool(self.guards["answer == 'yes'"](**self.scope))

    def is_no(self) -> bool:
        return bool(self.guards["answer == 'no'"](**self.scope))

    def put(self, name: str, value: Any) -> None:
        self.variables[name] = self.scope[name] = value

    def match(self) -> None:
        self.put("lines", _match(self.scope["message"]["text"]))

    def enter_welcome(self) -> None:
        if self.running:
            self.said.append(Outbound(text=self.texts["welcome"].render(self.scope)))

    def enter_summary(self) -> None:
        self.put("order", _quote(self.scope["lines"]))
        self.number += 2
        options = [("yes", "Confirm"), ("no", "Change")]
        buttons = tuple(
            Button(id=id, title=title, payload=f"w1|order|1|{self.number}|{id}") for id, title in options
        )
        self.said.append(Outbound(text=self.texts["order_summary"].render(self.scope), buttons=buttons))
        self.sent["summary"] = [self.number, "button", options, 1, 0]
        self.timers.append([f"summary.1h#{self.number - 1}", "summary.1h", "", "summary", "1h"])

    def exit_summary(self) -> None:
        self.sent.pop("summary", None)
        self.timers.clear()

    def enter_placed(self) -> None:
        _confirm(self.scope["order"]["id"])
        self.said.append(Outbound(text=self.texts["order_confirmed"].render(self.scope)))

    running = False

    def turn(self, stored: str, text: str) -> tuple[str, list[Outbound]]:
        message = {"text": text, "kind": "text"}
        self.said: list[Outbound] = []
        self.running = True
        data = json.loads(stored) if stored else None
        frame = data["frames"][0] if data else {"variables": {"lines": [], "order": None}}
        self.variables = frame["variables"]
        self.sent = frame.get("sent", {})
        self.timers = frame.get("timers", [])
        self.number = data["counter"] if data else 0
        self.scope = {**self.variables, "message": message, "contact": CONTACT, "business": {}, "now": NOW}
        if data is None:
            self.machine.current_state_value = None
            self.machine.activate_initial_state()
        else:
            self.machine.current_state_value = OrderedSet(frame["configuration"])
            asked = self.sent.get("summary")
            if asked and text.isdigit() and 0 < int(text) <= len(asked[2]):
                self.scope["answer"] = asked[2][int(text) - 1][0]
                self.machine.send("answered")
            else:
                self.machine.send("message.text")
        self.running = False
        return json.dumps(self._stored()), self.said

    def _stored(self) -> dict[str, Any]:
        configuration = list(self.machine.configuration_values)
        frame = {"flow": "order", "version": 1, "configuration": configuration, "variables": self.variables}
        if self.sent:
            frame["sent"] = self.sent
        if self.timers:
            frame["timers"] = self.timers
        status = "ended" if configuration == ["placed"] else "running"
        return {"format": 1, "status": status, "counter": self.number, "frames": [frame]}


_UNCHECKED = {
    "validate_disconnected_states": False,
    "validate_trap_states": False,
    "validate_final_reachability": False,
}

Turn = Callable[[str, str], tuple[str, list[Outbound]]]


def round_of(turn: Turn, conversations: int = CONVERSATIONS) -> list[float]:
    """Each conversation's whole script, one turn of each in turn; the seconds of every turn."""
    stored = [""] * conversations
    taken = []
    for text in SCRIPT:
        for index in range(conversations):
            begin = perf_counter()
            stored[index], _ = turn(stored[index], text)
            taken.append(perf_counter() - begin)
    return taken


def same_work(ours: Turn, theirs: Turn) -> None:
    """Fails where the two sides don't say the same and store as much."""
    left = right = ""
    for text in SCRIPT:
        left, said = ours(left, text)
        right, expected = theirs(right, text)
        if said != expected or json.loads(left) != json.loads(right):
            raise SystemExit(f"the two sides differ after {text!r}:\n{left}\n{right}\n{said}\n{expected}")


def chain(states: int) -> str:
    lines = ["flow: chain", "states:"]
    for number in range(states):
        lines += [
            f"  s{number}:",
            "    transitions:",
            "      - event: message.text\n        cond: \"message.text == 'next'\"",
            f"        target: s{(number + 1) % states}",
            "        on: [{say: 'On to {{ message.text }}'}]",
        ]
    return "\n".join(lines)


def chain_turn(states: int) -> Callable[[], float]:
    """One turn on a chart of so many states; its seconds."""
    engine = Engine(Library([load_flow(chain(states), "chain.yaml")]))
    context = Context(now=NOW, contact=CONTACT)
    event = Event(message=inbound("next"))
    stored = json.dumps(engine.start("chain", context).state.to_json())

    def turn() -> float:
        nonlocal stored
        begin = perf_counter()
        step = engine.handle(State.from_json(json.loads(stored)), event, context)
        stored = json.dumps(step.state.to_json())
        return perf_counter() - begin

    for _ in range(states):
        turn()
    return turn


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def measure_conversation(rounds: int) -> list[dict[str, Any]]:
    ours, theirs = Wabot().turn, Baseline().turn
    same_work(ours, theirs)
    round_of(ours)
    round_of(theirs)
    ratios, all_ours, all_theirs = [], [], []
    for _ in range(rounds):
        gc.collect()
        mine = round_of(ours)
        gc.collect()
        other = round_of(theirs)
        ratios.append(sum(other) / sum(mine))
        all_ours += mine
        all_theirs += other
    speed, base = len(all_ours) / sum(all_ours), len(all_theirs) / sum(all_theirs)
    lines = [line("turn.rate", speed, "turns/s", base, statistics.median(ratios))]
    for name, share in (("p50", 0.5), ("p99", 0.99)):
        mine_at, base_at = percentile(all_ours, share) * 1e6, percentile(all_theirs, share) * 1e6
        lines.append(line(f"turn.{name}", mine_at, "us", base_at, base_at / mine_at))
    return lines


def measure_sizes(rounds: int) -> list[dict[str, Any]]:
    turns = {size: chain_turn(size) for size in SIZES}
    medians: dict[int, list[float]] = {size: [] for size in SIZES}
    for _ in range(rounds):
        for size, turn in turns.items():
            medians[size].append(statistics.median(turn() for _ in range(100)))
    smallest = statistics.median(medians[SIZES[0]]) * 1e6
    lines = []
    for size in SIZES:
        ratio = statistics.median(a / b for a, b in zip(medians[size], medians[SIZES[0]], strict=True))
        lines.append(
            line(f"turn.states.{size}", statistics.median(medians[size]) * 1e6, "us", smallest, ratio)
        )
    return lines


def line(name: str, value: float, unit: str, baseline: float, ratio: float) -> dict[str, Any]:
    return {
        "name": name,
        "value": round(value, 1),
        "unit": unit,
        "baseline": round(baseline, 1),
        "ratio": round(ratio, 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="What a turn of the engine costs.")
    parser.add_argument("--json", action="store_true", help="print JSON lines")
    parser.add_argument("--rounds", type=int, default=20)
    options = parser.parse_args()
    for entry in [*measure_conversation(options.rounds), *measure_sizes(options.rounds)]:
        if options.json:
            print(json.dumps(entry), flush=True)
        else:
            value, unit, baseline, ratio = (entry[key] for key in ("value", "unit", "baseline", "ratio"))
            print(f"{entry['name']:18} {value:10,.1f} {unit:8} beside {baseline:10,.1f}: {ratio:.3f}")


if __name__ == "__main__":
    main()
