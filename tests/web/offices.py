"""A site with modules, contacts, conversations and orders: what an operator's programs look at."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

from werkzeug.test import TestResponse

from tests.web.sites import ASHA, OURS, Site, make_site
from wabot.core.messages import Inbound
from wabot.core.money import Money
from wabot.core.ports import Capabilities
from wabot.engine.loader import load_flow
from wabot.modules import invoices, orders
from wabot.testing.fakes import FakeChannel, ManualClock

RAVI, MEERA = "+919800000002", "+919800000003"
FLOW = """
flow: desk
datamodel:
  total: {type: money, default: null}
states:
  open:
    initial: true
    enter: [{say: "Welcome"}]
    transitions:
      - {event: message.text, cond: "message.text == 'person'", target: person}
      - event: message.text
        cond: "message.text == 'boom'"
        on: [{say: "{{ 1 / (message.text | length - 4) }}"}]
      - {event: message.text, on: [{say: "You said {{ message.text }}"}]}
    after: {1h: asleep}
  person:
    invoke: {id: person, agent: true}
    transitions:
      - {event: done.invoke.person, target: back}
  back:
    enter: [{say: "Back again: {{ event.data }}"}]
  asleep:
    enter: [{say: "An hour has passed"}]
"""
LINE = {
    "sku": "CEM",
    "name": "Cement",
    "unit": "bag",
    "quantity": "10",
    "price": {"amount": "340.00", "currency": "INR"},
    "tax_rate": "18",
}


class Office:
    """Reads and writes as an operator's program does: paths without `/whatsapp`."""

    def __init__(self, database: str, **parts: Any) -> None:
        self.channel = FakeChannel("twilio", parts.pop("capabilities", None) or Capabilities())
        self.clock = ManualClock()
        defaults = {
            "channel": self.channel,
            "clock": self.clock,
            "modules": [orders.module, invoices.module],
            "sources": [load_flow(FLOW, "desk.yaml")],
            "settings": {"timezone": "Asia/Kolkata", "currency": "INR"},
        }
        self.site: Site = make_site(database, **{**defaults, **parts})
        self.app = self.site.app
        self.heard = 0

    def hear(self, text: str, phone: str = ASHA, *, name: str = "Asha", sender: str = OURS) -> int:
        """The conversation's id, once the message and all that is due is served."""
        self.heard += 1
        message = Inbound(
            channel="twilio", event_id=f"m{self.heard}", sender=phone, recipient=sender, text=text, name=name
        )
        self.app.accept(message)
        self.app.drain()
        view = self.app.conversation(phone, sender=sender)
        assert view
        return view.id

    def order(self, phone: str = ASHA, *, name: str = "Cement", confirm: bool = True) -> dict[str, Any]:
        price = Money(Decimal("340.00"), "INR")
        draft = self.app.run("orders.quote", {"lines": [{**LINE, "name": name, "price": price}]}, phone=phone)
        found: dict[str, Any] = self.app.run("orders.confirm", {"order": draft["id"]}) if confirm else draft
        return found

    def wait(self, **delay: float) -> None:
        self.clock.advance(timedelta(**delay))

    def get(self, path: str, key: str | None = None, **query: Any) -> TestResponse:
        return self.site.get(f"/whatsapp{path}", key, query_string=query or None)

    def read(self, path: str, **query: Any) -> Any:
        """What this gives; it has to."""
        answer = self.get(path, **query)
        assert answer.status_code == 200, answer.text
        return answer.json

    def ids(self, path: str, **query: Any) -> list[Any]:
        return [item["id"] for item in self.read(path, **query)["items"]]

    def post(self, path: str, body: Any = None, key: str | None = None, **query: Any) -> TestResponse:
        options = {"query_string": query, **({} if body is None else {"json": body})}
        return self.site.post(f"/whatsapp{path}", key, **options)

    def close(self) -> None:
        self.app.close()
