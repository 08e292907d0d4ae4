"""What a turn of the engine costs, beside bare python-statemachine doing the same work.

The conversation is the demo's: "Hi", "Cement x 100", "1", on flows/order.yaml with its texts, in 64
conversations that take turns. Each turn reads the state from JSON text, runs one message and writes
the state as JSON text; the commands answer from memory.

The baseline (`benchmarks/_bare.py`) is the same flow wired up by hand on python-statemachine's own
engine: the same states, guards, actions and texts, compiled once by plain Jinja2; one warm machine
bound to each conversation in turn; the same commands called, the same messages built, the same state
read and written. Both sides must say the same and store the same, or the benchmark stops.

The second part is the engine alone, on charts of 10, 100 and 1,000 states, one transition a turn;
there the baseline is the chart of 10.

Rounds of the two sides alternate; ratios are the median over the rounds, more is better, but for the
sizes, where the ratio is the time of this chart over that of the chart of 10.
"""

import argparse
import gc
import json
import statistics
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmarks._bare import Bare
from benchmarks._lines import line, tell
from wabot.core.messages import Inbound, Outbound
from wabot.core.money import Money
from wabot.engine.effects import Say
from wabot.engine.engine import Engine
from wabot.engine.library import Library
from wabot.engine.loader import load_flow, load_texts
from wabot.engine.state import State
from wabot.engine.step import Context, Event
from wabot.engine.texts import Texts

CONVERSATIONS = 64
SCRIPT = ("Hi", "Cement x 100", "1")
SIZES = (10, 100, 1000)
NOW = datetime(2026, 11, 22, 10, 0, tzinfo=timezone(timedelta(hours=5, minutes=30)))

FLOWS = Path(__file__).parent.parent / "flows"
CONTACT = {"name": "Asha", "phone": "+919876543210", "locale": "en"}
BUSINESS = {"name": "Asha Building Materials", "phone": "+91 20 5550 0100"}


def rupees(amount: int) -> Money:
    return Money.of(amount, "INR")


def match(text: str) -> list[dict[str, Any]]:
    name, _, quantity = text.partition(" x ")
    return [
        {
            "status": "ok",
            "text": text,
            "sku": "CEM-43",
            "name": name,
            "quantity": Decimal(quantity),
            "unit": "bag",
            "step": Decimal(1),
            "price": rupees(390),
            "suggestions": [],
        }
    ]


def quote(lines: list[dict[str, Any]]) -> dict[str, Any]:
    priced = [{**line, "net": line["price"] * line["quantity"], "hsn": "2523"} for line in lines]
    net = sum((line["net"] for line in priced), rupees(0))
    tax = net * Decimal("0.28")
    return {
        "id": 4711,
        "number": "",
        "status": "draft",
        "lines": priced,
        "subtotal": net,
        "discount": rupees(0),
        "tax": tax,
        "round_off": rupees(0),
        "total": net + tax,
    }


def confirm(order: int) -> dict[str, Any]:
    quoted = quote(match("Cement x 100"))
    return {**quoted, "id": order, "number": f"ORD-{order}", "status": "confirmed"}


COMMANDS: dict[str, Callable[..., Any]] = {
    "catalog.match": match,
    "orders.quote": quote,
    "orders.confirm": confirm,
}


class Commands:
    """The commands of the conversation, answered from memory."""

    def run(self, name: str, arguments: Mapping[str, Any]) -> Any:
        return COMMANDS[name](**arguments)


def inbound(text: str) -> Inbound:
    return Inbound(channel="bench", event_id="1", sender="+919876543210", recipient="+911", text=text)


MESSAGES = {text: inbound(text) for text in SCRIPT}


def wabot_turn() -> "Turn":
    """The engine, one turn a call."""
    sources = [load_flow(path.read_text("utf-8"), path.name) for path in sorted(FLOWS.glob("*.yaml"))]
    engine = Engine(Library(sources, Texts.load([FLOWS / "texts"])))
    context = Context(now=NOW, contact=CONTACT, business=BUSINESS, commands=Commands())

    def turn(stored: str, text: str) -> tuple[str, list[Outbound]]:
        if stored:
            state = State.from_json(json.loads(stored))
            step = engine.handle(state, Event(message=MESSAGES[text]), context)
        else:
            step = engine.start("order", context, message=MESSAGES[text])
        said = [effect.message for effect in step.effects if isinstance(effect, Say)]
        return json.dumps(step.state.to_json()), said

    return turn


def bare_turn() -> "Turn":
    """The baseline, one turn a call."""
    path = FLOWS / "order.yaml"
    source = load_flow(path.read_text("utf-8"), path.name)
    entries = load_texts((FLOWS / "texts" / "en.yaml").read_text("utf-8"), "en.yaml")
    texts = {key: entry.value for key, entry in entries.items() if isinstance(entry.value, str)}
    world = {"contact": CONTACT, "business": BUSINESS, "_locale": "en", "_currency": "INR"}
    bare = Bare(source, texts, COMMANDS, world)
    return lambda stored, text: bare.turn(stored, text, NOW)


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
    ours, theirs = wabot_turn(), bare_turn()
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


def main() -> None:
    parser = argparse.ArgumentParser(description="What a turn of the engine costs.")
    parser.add_argument("--json", action="store_true", help="print JSON lines")
    parser.add_argument("--rounds", type=int, default=20)
    options = parser.parse_args()
    for entry in [*measure_conversation(options.rounds), *measure_sizes(options.rounds)]:
        tell(entry, as_json=options.json)


if __name__ == "__main__":
    main()
