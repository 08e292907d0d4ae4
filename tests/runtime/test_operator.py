"""A person beside the flow, through the app, on both databases."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from wabot.app import App
from wabot.core.messages import Button, Inbound, Outbound
from wabot.core.tables import Category
from wabot.engine.loader import load_flow
from wabot.engine.texts import Texts
from wabot.errors import NotFound, Undeliverable
from wabot.runtime import operator
from wabot.runtime.operator import Address
from wabot.settings import Settings
from wabot.testing.fakes import FakeChannel, ManualClock, SequentialIds

OURS, ASHA = "+911000000000", "+919800000001"
FLOW = """
flow: desk
states:
  open:
    initial: true
    enter: [{say: "Hello"}]
    transitions:
      - {event: message.text, cond: "message.text == 'person'", target: person}
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


class Office:
    def __init__(self, url: str) -> None:
        self.clock, self.channel, self.rung = ManualClock(), FakeChannel(), list[int]()
        self.app = App(
            Settings(database=SecretStr(url)),
            channel=self.channel,
            clock=self.clock,
            ids=SequentialIds(),
            sources=[load_flow(FLOW, "desk.yaml")],
            texts=Texts(),
            doorbell=self,
        ).bind()
        self.heard = 0
        self.hear("hi")
        view = self.app.conversation(ASHA)
        assert view
        self.id = view.id
        self.rung.clear()

    def ring(self, conversation_id: int) -> None:
        self.rung.append(conversation_id)

    def hear(self, text: str, **more: Any) -> list[str]:
        """What is said once this message and all that is due is served."""
        self.heard += 1
        self.app.accept(
            Inbound(channel="fake", event_id=f"m{self.heard}", sender=ASHA, recipient=OURS, text=text, **more)
        )
        return self.work()

    def work(self) -> list[str]:
        before = len(self.channel.sent)
        self.app.drain()
        return [each.message.text for each in self.channel.sent[before:]]

    def record(self) -> list[tuple[str, str, str]]:
        return [(row.origin, row.status, row.error) for row in self.app.events(self.id)]


@pytest.fixture
def office(database_url: str) -> Iterator[Office]:
    office = Office(database_url)
    yield office
    office.app.close()


def test_while_a_person_has_it_the_flow_hears_nothing(office: Office) -> None:
    assert office.app.take_over(office.id, by="ravi@example.com")
    assert office.hear("bricks") == []
    assert office.record()[-1] == ("message", "done", "held")
    assert office.app.hand_back(office.id)
    assert office.rung[-1] == office.id
    # What the person answered is not answered once more.
    assert office.work() == []
    assert office.hear("sand") == ["You said sand"]


def test_only_one_person_takes_it_and_only_once_it_comes_back(office: Office) -> None:
    assert not office.app.hand_back(office.id)
    assert office.rung == []
    assert office.app.take_over(office.id, by="ravi")
    assert not office.app.take_over(office.id, by="meera")
    assert office.app.hand_back(office.id)
    assert not office.app.hand_back(office.id)


def test_a_timer_of_meanwhile_is_told_when_it_is_handed_back(office: Office) -> None:
    office.app.take_over(office.id)
    office.clock.advance(timedelta(hours=2))
    assert office.work() == []
    assert office.record()[-1] == ("timer", "done", "held")
    office.app.hand_back(office.id)
    assert office.record()[-1] == ("timer", "pending", "")
    assert office.work() == ["An hour has passed"]


def test_what_was_told_meanwhile_is_told_once(office: Office) -> None:
    office.app.take_over(office.id)
    office.clock.advance(timedelta(hours=2))
    office.work()
    office.app.hand_back(office.id)
    office.work()
    office.app.take_over(office.id)
    office.app.hand_back(office.id)
    assert office.work() == []


def test_handing_back_is_the_agents_answer(office: Office) -> None:
    office.hear("person")
    assert office.app.has_effects(office.id) is False
    assert office.app.hand_back(office.id, "sold")
    assert office.work() == ["Back again: sold"]
    assert not office.app.hand_back(office.id, "sold twice")
    assert office.work() == []


def test_an_agent_of_a_conversation_that_is_held_comes_back_with_it(office: Office) -> None:
    office.hear("person")
    office.app.take_over(office.id)
    assert office.hear("hello?") == []
    assert office.app.hand_back(office.id, "done")
    assert office.work() == ["Back again: done"]


def test_stop_is_heard_all_the_same(office: Office) -> None:
    office.app.take_over(office.id)
    (confirmed,) = office.hear("STOP")
    assert "START" in confirmed
    office.app.say(office.id, Outbound(text="But wait"))
    assert office.work() == []
    assert [(row.status, row.code) for row in office.app.outbox(office.id)][-1] == ("failed", "opted_out")


def test_a_person_says_a_message(office: Office) -> None:
    office.app.take_over(office.id)
    id = office.app.say(office.id, Outbound(text="I'm Ravi", buttons=(Button(id="ok", title="Good"),)))
    assert office.rung == [office.id]
    assert office.work() == ["I'm Ravi"]
    row = office.app.outbox(office.id)[-1]
    assert (row.id, row.status, row.inbound_id, row.category) == (id, "sent", None, "transactional")
    office.app.say(office.id, Outbound(text="Offer"), category=Category.CAMPAIGN)
    assert office.app.outbox(office.id)[-1].category == "campaign"


@pytest.mark.parametrize(
    "act",
    [
        lambda app: app.take_over(99),
        lambda app: app.hand_back(99),
        lambda app: app.say(99, Outbound(text="x")),
        lambda app: app.reset(99),
    ],
)
def test_there_has_to_be_a_conversation(office: Office, act: Callable[[App], Any]) -> None:
    with pytest.raises(NotFound, match="there is no conversation 99"):
        act(office.app)


def test_where_a_contact_wrote_last(office: Office) -> None:
    app = office.app
    place = Address(ASHA, "fake", "+912000000000")

    def send(place: int | Address) -> tuple[int, int]:
        return operator.send(app.database, office.clock, app.ids, app.channels, place, Outbound(text="x"))

    _, silent = send(place)
    assert send(place)[1] == silent
    assert silent != office.id

    def latest(**where: str) -> int | None:
        return operator.latest_conversation(app.database, ASHA, **where)

    assert latest() == office.id
    assert latest(sender="+912000000000") == silent
    assert latest(channel="fake") == office.id
    assert latest(channel="meta") is None
    assert operator.latest_conversation(app.database, "+15550000000") is None


def test_what_could_not_leave_is_not_begun(office: Office) -> None:
    app = office.app
    before = len(app.conversations())
    with pytest.raises(Undeliverable, match="there is no channel smoke"):
        operator.send(
            app.database,
            office.clock,
            app.ids,
            app.channels,
            Address("+919800000002", "smoke", OURS),
            Outbound(text="x"),
        )
    office.hear("stop")
    with pytest.raises(Undeliverable, match="opted out"):
        operator.send(app.database, office.clock, app.ids, app.channels, office.id, Outbound(text="x"))
    assert len(app.conversations()) == before
    assert len(app.outbox(office.id)) == 2
