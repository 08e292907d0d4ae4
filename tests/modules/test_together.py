"""The modules in a flow, on the real runtime."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from wabot.testing import Conversation

FLOW = """\
flow: order
version: 1
description: Take an order in free text, confirm it, invoice it.
datamodel:
  lines: {type: list, default: []}
  order: {type: object, default: null}
intents:
  yes: {en: [yes, y, "1", ok], hi: [haan, हाँ]}
  no: {en: [no, n, "2"], hi: [nahi, नहीं]}
  menu: {en: [menu]}
  agent: {en: [agent]}
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
    invoke: {id: person, agent: {}}
    transitions: [{event: done.invoke, target: welcome}]
"""
SETTINGS = """\
flow = "order"
modules = ["catalog", "orders", "invoices"]
[catalog]
file = "c.csv"
"""
TEXTS = """\
welcome: What do you need?
order_summary: "{{ lines | length }} lines, {{ order.total | money }}"
order_confirmed: Thank you!
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shop")
    for name, content in {
        "wabot.toml": SETTINGS,
        "c.csv": "sku,name,unit,price,tax_rate\nCEM,Cement,bag,340.00,18\nSND,Sand,ton,1200.00,5\n",
        "flows/order.yaml": FLOW,
        "texts/en.yaml": TEXTS,
    }.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(content, encoding="utf-8")
    return folder


@pytest.fixture
def asha(project: Path) -> Iterator[Conversation]:
    with Conversation(project) as conversation:
        yield conversation


def test_lines_go_from_match_to_quote_as_they_are(asha: Conversation) -> None:
    asha.say("Hi")
    asha.say("Cement x 100, 2 ton sand")
    assert asha.last.startswith("2 lines, ₹42,640.00")
    assert asha.evaluate("order.total > 1000 and order.lines[0].quantity == 100")
    assert [message.text.splitlines()[0] for message in asha.say("1")] == [
        "Invoice INV/25-26/00001",
        "Thank you!",
    ]
    assert asha.ended


def test_a_conversation_that_starts_over_confirms_one_order(asha: Conversation) -> None:
    asha.say("Hi")
    asha.say("Cement x 100")
    asha.tap("Change")
    asha.say("Sand 1")
    asha.say("haan")
    (order,) = asha.rows("orders")
    assert (order["status"], str(order["total"])) == ("confirmed", "1260.00")
    assert len(asha.rows("invoices")) == 1
