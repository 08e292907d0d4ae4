from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pydantic import BaseModel
from sqlalchemy.exc import IntegrityError

from tests.runtime.worlds import Runtime, make_runtime
from wabot.core.messages import Outbound
from wabot.core.module import Call, Contact, Module
from wabot.core.money import Money
from wabot.core.tables import ContactRow
from wabot.engine.engine import Engine
from wabot.engine.library import Library
from wabot.engine.loader import load_flow
from wabot.engine.texts import Texts
from wabot.errors import BudgetExceeded, ConfigurationError, Rejected, TurnError, UnknownName
from wabot.pipeline import Pipeline, make_errors, make_flow, make_session
from wabot.pipeline.call import OpenCall
from wabot.runtime import queries
from wabot.testing.fakes import FakeChannel


class Lines(BaseModel):
    count: int = 1


class ShopSettings(BaseModel):
    series: str = "A"


shop = Module("shop", settings=ShopSettings)
post = Module("post")
seen: list[Any] = []


@shop.command("total")
def total(lines: Lines, call: Call) -> Money:
    """What so many cost."""
    return Money.of(Decimal(100) * lines.count, call.currency)


@shop.command("place")
def place(lines: Lines, call: Call) -> dict[str, Any]:
    amount = call.run("shop.total", {"count": lines.count})
    number = call.ids.new()
    call.emit("shop.placed", {"number": number, "amount": amount})
    return {"number": number, "conversation": call.conversation_id}


@shop.command("loop")
def loop(lines: Lines, call: Call) -> None:
    call.run("shop.loop", {})


@post.on("shop.placed")
def tell(payload: Mapping[str, Any], call: Call) -> None:
    seen.append((payload["amount"], call.clock.now(), call.contact))
    call.send(Outbound(text=call.text("receipt", {"amount": payload["amount"]})))


TEXTS = Texts(
    {"en": {"receipt": "{{ contact.name or 'You' }}: {{ amount }}"}, "hi": {"receipt": "रसीद {{ amount }}"}}
)


@pytest.fixture
def channel() -> FakeChannel:
    return FakeChannel()


@pytest.fixture
def runtime(channel: FakeChannel) -> Iterator[Runtime]:
    seen.clear()
    made = make_runtime(modules=[shop, post], texts=TEXTS, channel=channel)
    yield made
    made.world.database.close()


@pytest.fixture
def call(runtime: Runtime) -> Iterator[OpenCall]:
    """A call that belongs to no conversation."""
    world = replace(runtime.world, settings={ShopSettings: ShopSettings(series="B")})
    with world.database.transaction() as session:
        yield OpenCall(world, session)


def test_a_command_and_the_handlers_of_its_event_share_the_turn(
    runtime: Runtime, channel: FakeChannel
) -> None:
    runtime.hear("run shop.place", name="Ravi")
    runtime.sweep().drain()
    ((amount, now, contact),) = seen
    assert (amount, now) == (Money.of(100, "INR"), runtime.clock.now())
    assert contact.name == "Ravi"
    texts = [delivery.message.text for delivery in channel.sent]
    assert "Ravi: ₹100.00" in texts
    assert any("'conversation': 1" in text for text in texts)


def test_a_text_is_in_the_contacts_language(runtime: Runtime, channel: FakeChannel) -> None:
    runtime.hear("locale hi")
    runtime.hear("run shop.place")
    runtime.sweep().drain()
    assert any(delivery.message.text.startswith("रसीद") for delivery in channel.sent)


def test_a_command_that_calls_itself_for_ever_ends_the_turn(runtime: Runtime) -> None:
    runtime.hear("run shop.loop")
    assert runtime.sweep().drain().failed == 1
    assert "BudgetExceeded" in queries.events(runtime.world.database, 1)[0].error


def test_depth_is_counted_anew_for_each_call(call: OpenCall) -> None:
    for _ in range(20):
        assert call.run("shop.total", {"count": 2}) == Money.of(200, "INR")
    with pytest.raises(BudgetExceeded, match="call each other in a ring"):
        call.run("shop.loop", {})


def test_outside_of_a_conversation_nothing_can_be_sent(call: OpenCall) -> None:
    assert call.contact is None
    assert call.conversation_id is None
    with pytest.raises(TurnError, match="no conversation here to send a message to"):
        call.send(Outbound(text="hi"))


def test_a_text_for_a_contact_without_conversation_is_in_its_language(runtime: Runtime) -> None:
    with runtime.world.database.transaction() as session:
        ravi = OpenCall(runtime.world, session, contact=Contact(id=1, phone="+91", name="Ravi", locale="hi"))
        assert ravi.text("receipt", {"amount": 1}) == "रसीद 1"
        assert OpenCall(runtime.world, session).text("receipt", {"amount": 1}) == "You: 1"


def test_an_unknown_text_or_command_is_named(call: OpenCall) -> None:
    with pytest.raises(UnknownName, match='no text "receit"'):
        call.text("receit", {})
    with pytest.raises(UnknownName, match=r'no command "shop\.pay"'):
        call.run("shop.pay", {})


def test_an_event_carries_plain_data_only(call: OpenCall) -> None:
    call.emit("nobody.listens", {"total": Money.of(1, "INR")})
    with pytest.raises(TypeError, match="can't be kept"):
        call.emit("shop.placed", {"session": object()})


def test_a_module_sees_its_own_settings(call: OpenCall) -> None:
    assert call.settings(ShopSettings).series == "B"
    with pytest.raises(ConfigurationError, match="no module of this app has Lines as its settings"):
        call.settings(Lines)


def test_today_is_where_the_business_is(runtime: Runtime) -> None:
    business = replace(runtime.world.business, timezone=ZoneInfo("Asia/Kolkata"))
    world = replace(runtime.world, business=business)
    runtime.clock.set(datetime(2026, 1, 2, 20, tzinfo=UTC))
    with world.database.transaction() as session:
        call = OpenCall(world, session)
        assert call.today == date(2026, 1, 3)
        assert call.session is session


FLOW = """
flow: desk
states:
  open:
    initial: true
    enter:
      - say: "Before."
      - shop.place: {}
      - say: "After."
    transitions:
      - {event: message.text, cond: "message.text == 'twice'", on: [{shop.twice: {}}]}
      - {event: message.text, cond: "message.text == 'rename'", on: [{shop.rename: {}}]}
      - {event: message.text, on: [{shop.spoil: {}}]}
      - {event: error.command.shop.twice, on: [{shop.rename: {}}, {say: "Taken."}]}
      - {event: error.command.shop.spoil, on: [{say: "refused, {{ event.data.code }}"}]}
"""


@shop.command("spoil")
def spoil(lines: Lines, call: Call) -> None:
    """Does half of it, then finds that it can't."""
    contact = call.session.get_one(ContactRow, 1)
    contact.name = "Spoilt"
    call.session.flush()
    call.send(Outbound(text="spoilt"))
    raise Rejected("no", code="spoilt")


@shop.command("twice")
def twice(lines: Lines, call: Call) -> None:
    """Finds by the database that it is there already."""
    phone = call.session.get_one(ContactRow, 1).phone
    call.session.add(ContactRow(phone=phone, created_at=call.clock.now()))
    try:
        call.session.flush()
    except IntegrityError:
        raise Rejected("no", code="twice") from None


@shop.command("rename")
def rename(lines: Lines, call: Call) -> None:
    contact = call.session.get_one(ContactRow, 1)
    seen.append(contact.name)
    contact.name = "Asha"


@pytest.fixture
def desk(runtime: Runtime) -> Runtime:
    """The real engine with a flow that uses the shop."""
    engine = Engine(Library([load_flow(FLOW, "desk.yaml")], TEXTS))
    world = replace(runtime.world, engine=engine, flow="desk")
    ends = [make_errors(world), make_session(world)]
    return replace(runtime, world=world, pipeline=Pipeline(ends, [make_flow(world)]))


def test_what_a_command_sends_has_its_place_among_the_flows_words(
    desk: Runtime, channel: FakeChannel
) -> None:
    desk.hear("hi", name="Ravi")
    desk.sweep().drain()
    assert [delivery.message.text for delivery in channel.sent] == ["Before.", "Ravi: ₹100.00", "After."]


def test_a_refused_command_leaves_nothing_where_the_flow_goes_on(desk: Runtime, channel: FakeChannel) -> None:
    desk.hear("hi", name="Ravi")
    desk.hear("spoil it")
    assert desk.sweep().drain().turns == 2
    assert channel.sent[-1].message.text == "refused, spoilt"
    assert "spoilt" not in [delivery.message.text for delivery in channel.sent]
    (conversation,) = queries.conversations(desk.world.database)
    assert conversation.contact.name == "Ravi"


def test_after_a_command_that_the_database_refused_others_use_the_session(
    desk: Runtime, channel: FakeChannel
) -> None:
    desk.hear("hi", name="Ravi")
    desk.hear("twice")
    assert desk.sweep().drain().turns == 2
    assert channel.sent[-1].message.text == "Taken."
    (conversation,) = queries.conversations(desk.world.database)
    assert conversation.contact.name == "Asha"


def test_a_command_reads_and_changes_the_name_that_its_message_brought(desk: Runtime) -> None:
    desk.hear("hi")
    desk.hear("rename", name="Ravi")
    assert desk.sweep().drain().turns == 2
    assert seen[-1] == "Ravi"
    (conversation,) = queries.conversations(desk.world.database)
    assert conversation.contact.name == "Asha"
