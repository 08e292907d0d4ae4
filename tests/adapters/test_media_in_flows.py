import hashlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import select

from wabot.adapters.channels.meta import MetaChannel, MetaWebhook
from wabot.adapters.media import FolderStore, MediaFetch, MetaSource
from wabot.app import App
from wabot.core.media import MEDIA
from wabot.core.messages import Inbound
from wabot.core.tables import EffectRow, MediaRow
from wabot.engine.loader import load_flow
from wabot.engine.texts import Texts
from wabot.settings import Settings
from wabot.testing import FakeChannel, ManualClock
from wabot.testing.meta import FakeMeta

ASHA = "+919800000001"
JPEG = b"\xff\xd8\xff" + b"x" * 500
QUIET = """
flow: quiet
states:
  open:
    initial: true
    enter: [{say: "Hello"}]
    transitions:
      - {event: message.image, on: [{say: "A picture"}]}
      - {event: message.text, cond: "message.text == 'bye'", target: closed}
      - {event: unhandled, on: [{say: "What?"}]}
  closed:
    enter: [{say: "Bye"}]
    final: true
"""
LISTENING = """
flow: listening
states:
  open:
    initial: true
    enter: [{say: "Send the form"}]
    transitions:
      - event: done.invoke.media
        target: open
        on: [{say: "{{ event.data.kind }} of {{ event.data.size }}: {{ event.data.mime_type }}"}]
      - {event: error.invoke.media, target: open, on: [{say: "Lost: {{ event.data.code }}"}]}
      - {event: message, on: [{say: "Yes?"}]}
"""


class Office:
    """An app on Meta's fake, and a contact who writes to it."""

    def __init__(self, meta: FakeMeta, app: App, clock: ManualClock) -> None:
        self.meta, self.app, self.clock = meta, app, clock
        self.hook = MetaWebhook(meta.app_secret, meta.verify_token)

    def hear(self, text: str = "", phone: str = ASHA, **parts: Any) -> None:
        body = self.meta.webhook(phone, self.meta.number, text, **parts)
        content = self.meta.encoded(body)
        assert self.hook.genuine(content, self.meta.sign(content))
        for message in self.hook.read(content):
            assert isinstance(message, Inbound)
            self.app.accept(message)

    def send_picture(self, content: bytes = JPEG, **parts: Any) -> None:
        id = self.meta.add_media(content, "image/jpeg")
        self.hear(type="image", image={"id": id, "mime_type": "image/jpeg", **parts})

    def says(self) -> list[str]:
        """What the bot says, once everything that is due is done."""
        before = len(self.meta.deliveries)
        self.app.drain()
        return [each.message.text for each in self.meta.deliveries[before:]]

    def rows(self) -> list[MediaRow]:
        with self.app.database.reading() as session:
            return list(session.scalars(select(MediaRow).order_by(MediaRow.id)))

    def effects(self) -> list[EffectRow]:
        with self.app.database.reading() as session:
            return list(session.scalars(select(EffectRow).order_by(EffectRow.id)))


OpenOffice = Callable[..., Office]


@pytest.fixture
def open_office(database_url: str, tmp_path: Path) -> Iterator[OpenOffice]:
    with ExitStack() as stack:

        def make(flow: str, **parts: Any) -> Office:
            clock = ManualClock()
            meta = stack.enter_context(FakeMeta(clock=clock))
            channel = MetaChannel(meta.access_token, meta.phone_numbers, api_base=meta.url)
            stack.callback(channel.close)
            app = App(
                Settings(database=SecretStr(database_url)),
                channel=channel,
                clock=clock,
                sources=[load_flow(flow, "flow.yaml")],
                texts=Texts(),
            )
            source = MetaSource(parts.pop("token", meta.access_token), api_base=meta.url)
            fetch = MediaFetch(lambda: app.database, FolderStore(tmp_path / "media"), [source], **parts)
            app.runner(MEDIA, fetch)
            return Office(meta, stack.enter_context(app.bind()), clock)

        yield make


def test_a_picture_is_kept_and_a_flow_that_does_not_listen_notices_nothing(
    open_office: OpenOffice, tmp_path: Path
) -> None:
    office = open_office(QUIET)
    office.hear("hi")
    assert office.says() == ["Hello"]
    office.send_picture(caption="My roof")
    assert office.says() == ["A picture"]
    (row,) = office.rows()
    assert (row.kind, row.size, row.sha256) == ("image", len(JPEG), hashlib.sha256(JPEG).hexdigest())
    with FolderStore(tmp_path / "media").open(row.path) as file:
        assert file.read() == JPEG
    view = office.app.conversation(ASHA)
    assert view is not None
    told = office.app.events(view.id)[-1]
    assert (told.payload["name"], told.status) == ("done.invoke.media", "done")


def test_a_flow_that_listens_hears_of_the_file(open_office: OpenOffice) -> None:
    office = open_office(LISTENING)
    office.hear("hi")
    office.says()
    office.send_picture()
    assert office.says() == ["Yes?", "image of 503: image/jpeg", "Send the form"]


def test_a_flow_that_listens_hears_of_one_that_cannot_be_had(open_office: OpenOffice) -> None:
    office = open_office(LISTENING, max_bytes=100)
    office.hear("hi")
    office.says()
    office.send_picture()
    assert office.says() == ["Yes?", "Lost: too_large", "Send the form"]
    assert office.rows() == []


def test_a_file_that_begins_a_conversation_is_kept_too(open_office: OpenOffice) -> None:
    office = open_office(QUIET)
    office.send_picture()
    assert office.says() == ["Hello"]
    assert len(office.rows()) == 1


def test_a_flow_that_begins_anew_does_not_lose_the_file_of_the_one_before(open_office: OpenOffice) -> None:
    office = open_office(QUIET)
    for text in ("hi", "bye"):
        office.hear(text)
    office.says()
    office.send_picture()
    office.app.drain(effects=False)
    office.hear("bye")
    office.hear("hi again")
    office.app.drain(effects=False)
    office.says()
    assert [effect.status for effect in office.effects()] == ["done"]
    assert len(office.rows()) == 1


def test_each_file_is_fetched_once_however_often_its_webhook_comes(open_office: OpenOffice) -> None:
    office = open_office(QUIET)
    id = office.meta.add_media(JPEG, "image/jpeg")
    for _ in range(3):
        office.hear(type="image", id="wamid.same", image={"id": id, "mime_type": "image/jpeg"})
    office.says()
    assert len(office.effects()) == len(office.rows()) == 1


def test_while_meta_is_down_it_is_tried_again(open_office: OpenOffice) -> None:
    office = open_office(QUIET)
    office.hear("hi")
    office.says()
    office.send_picture()
    with office.meta.refusing():
        office.app.run_effects()
        office.app.drain()
    (effect,) = office.effects()
    assert (effect.status, effect.attempts) == ("pending", 1)
    office.clock.advance(timedelta(minutes=1))
    office.says()
    assert len(office.rows()) == 1


def test_who_has_opted_out_or_writes_too_much_has_no_files_kept(open_office: OpenOffice) -> None:
    office = open_office(QUIET)
    office.hear("STOP")
    office.says()
    office.send_picture()
    office.says()
    assert office.effects() == []


def test_a_person_who_has_the_conversation_in_hand_gets_the_files_too(open_office: OpenOffice) -> None:
    office = open_office(QUIET)
    office.hear("hi")
    office.says()
    view = office.app.conversation(ASHA)
    assert view is not None
    office.app.take_over(view.id, "Ben")
    office.send_picture()
    assert office.says() == []
    assert len(office.rows()) == 1


def test_a_file_of_a_channel_that_nobody_fetches_from_is_let_be(database_url: str) -> None:
    channel = FakeChannel()
    sources = [load_flow(QUIET, "quiet.yaml")]
    app = App(Settings(database=SecretStr(database_url)), channel=channel, sources=sources, texts=Texts())
    fetch = MediaFetch(lambda: app.database, FolderStore(Path("nowhere")), [MetaSource("token")])
    app.runner(MEDIA, fetch)
    with app.bind():
        assert app.pipeline.names.index("media") == app.pipeline.names.index("opt_out") + 1
        media = {"kind": "image", "url": "http://169.254.169.254/"}
        message = {"channel": "fake", "event_id": "1", "sender": ASHA, "recipient": "+911", "kind": "image"}
        app.accept(Inbound.model_validate({**message, "media": media}))
        app.drain()
        with app.database.reading() as session:
            assert session.scalars(select(EffectRow)).all() == []


def test_without_anything_that_fetches_the_pipeline_asks_for_nothing(database_url: str) -> None:
    sources = [load_flow(QUIET, "quiet.yaml")]
    app = App(
        Settings(database=SecretStr(database_url)), channel=FakeChannel(), sources=sources, texts=Texts()
    )
    with app.bind():
        assert "media" not in app.pipeline.names


def test_statuses_come_back_by_our_reference(open_office: OpenOffice) -> None:
    office = open_office(QUIET)
    office.hear("hi")
    office.says()
    (taken,) = office.meta.deliveries
    office.meta.call_back(taken.reference, "read")
    report = office.meta.reports[-1]
    body = office.meta.encoded(office.meta.status(report, taken.to, taken.sender))
    for receipt in office.hook.read(body):
        assert not isinstance(receipt, Inbound)
        assert office.app.receipt(receipt)
    view = office.app.conversation(ASHA)
    assert view is not None
    (row,) = office.app.outbox(view.id)
    assert (row.receipt, row.provider_id) == ("read", "wamid.out.1")
