from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from wabot.core.messages import Button, Outbound
from wabot.core.ports import Lookup
from wabot.errors import NotSent, SendError, SendUnknown, Undeliverable
from wabot.testing import Behaviour, Callback, FakeProvider, ProviderChannel, ProviderLookupChannel
from wabot.testing.provider import StatusReport

OURS, THEIRS = "+911000000000", "+919876543210"
HELLO = Outbound(text="Hello", buttons=(Button(id="a", title="Yes"),))


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    with FakeProvider() as provider:
        yield provider


@pytest.fixture
def channel(provider: FakeProvider) -> ProviderLookupChannel:
    return ProviderLookupChannel(provider.url, timeout=5.0)


def test_what_it_takes_is_counted_and_read_as_it_was_written(
    provider: FakeProvider, channel: ProviderLookupChannel
) -> None:
    first = channel.send(THEIRS, OURS, HELLO, "one")
    second = channel.send("+911", OURS, Outbound(text="Bye"), "two")
    channel.send(THEIRS, OURS, HELLO, "one")
    assert first != second
    assert provider.deliveries[0].message == HELLO
    assert (provider.deliveries[0].sender, provider.deliveries[0].provider_id) == (OURS, first)
    assert provider.counts == {"one": 2, "two": 1}
    assert provider.texts(THEIRS) == ["Hello", "Hello"]
    assert provider.texts() == ["Hello", "Bye", "Hello"]
    assert provider.wait_for(3)
    assert not provider.wait_for(4, timeout=0.0)


def test_its_list_tells_what_it_took(provider: FakeProvider, channel: ProviderLookupChannel) -> None:
    assert isinstance(channel, Lookup)
    assert not isinstance(ProviderChannel(provider.url), Lookup)
    assert channel.find(THEIRS, "one") is None
    taken = channel.send(THEIRS, OURS, HELLO, "one")
    assert channel.find(THEIRS, "one") == taken
    provider.list_is_down = True
    with pytest.raises(SendUnknown, match="503"):
        channel.find(THEIRS, "one")


@pytest.mark.parametrize(
    ("behaviour", "error", "code", "taken"),
    [
        (Behaviour(take=False, status=429), NotSent, "429", 0),
        (Behaviour(take=False, status=429, code="63018"), NotSent, "63018", 0),
        (Behaviour(take=False, status=400, code="63016"), Undeliverable, "63016", 0),
        (Behaviour(status=500), SendUnknown, "500", 1),
        (Behaviour(take=False, status=500), SendUnknown, "500", 0),
        (Behaviour(cut=True), SendUnknown, None, 1),
        (Behaviour(take=False, cut=True), SendUnknown, None, 0),
    ],
)
def test_it_fails_as_it_is_told(
    provider: FakeProvider,
    channel: ProviderLookupChannel,
    behaviour: Behaviour,
    error: type[SendError],
    code: str | None,
    taken: int,
) -> None:
    provider.next(behaviour)
    with pytest.raises(error) as raised:
        channel.send(THEIRS, OURS, HELLO, "one")
    assert raised.value.code == code
    assert (provider.requests, len(provider.deliveries)) == (1, taken)
    assert channel.send(THEIRS, OURS, HELLO, "one")
    assert len(provider.deliveries) == taken + 1


def test_an_answer_that_comes_too_late_is_lost(provider: FakeProvider) -> None:
    provider.next(Behaviour(delay=60))
    with pytest.raises(SendUnknown, match="lost"):
        ProviderChannel(provider.url, timeout=0.1).send(THEIRS, OURS, HELLO, "one")
    assert provider.wait_for(1)
    assert provider.counts == {"one": 1}


def test_it_refuses_connections_and_comes_back_at_the_same_place(
    provider: FakeProvider, channel: ProviderLookupChannel
) -> None:
    with provider.refusing():
        with pytest.raises(NotSent):
            channel.send(THEIRS, OURS, HELLO, "one")
        with pytest.raises(SendUnknown):
            channel.find(THEIRS, "one")
    assert provider.requests == 0
    assert channel.send(THEIRS, OURS, HELLO, "one")


def test_its_usual_behaviour_holds_after_what_was_said_for_the_next(channel: ProviderLookupChannel) -> None:
    with FakeProvider(Behaviour(take=False, status=429)) as busy:
        busy.next(Behaviour())
        channel = ProviderLookupChannel(busy.url)
        assert channel.send(THEIRS, OURS, HELLO, "one")
        with pytest.raises(NotSent):
            channel.send(THEIRS, OURS, HELLO, "two")


def test_it_calls_back_early_late_twice_and_out_of_order() -> None:
    with FakeProvider() as provider:
        heard: list[StatusReport] = []
        provider.listener = heard.append
        late = Callback("sent", after=0.02)
        provider.next(
            Behaviour(callbacks=(late, Callback("queued", early=True), Callback("delivered", times=2)))
        )
        id = ProviderChannel(provider.url).send(THEIRS, OURS, HELLO, "one")
        assert heard[0] == StatusReport("one", id, "queued")
        assert provider.settle()
        assert [report.status for report in heard] == ["queued", "delivered", "delivered", "sent"]
        assert provider.reports == heard
        provider.call_back("one", "failed", code="63024", times=2)
        assert heard[-2:] == [StatusReport("one", id, "failed", "63024")] * 2


def test_a_message_that_was_not_taken_has_no_status(
    provider: FakeProvider, channel: ProviderLookupChannel
) -> None:
    provider.next(Behaviour(take=False, cut=True, callbacks=(Callback("sent", early=True), Callback("read"))))
    with pytest.raises(SendUnknown):
        channel.send(THEIRS, OURS, HELLO, "one")
    assert provider.settle()
    assert provider.reports == []


def test_callbacks_that_have_not_been_made_are_dropped_at_the_end() -> None:
    with FakeProvider() as provider:
        provider.next(Behaviour(callbacks=(Callback("sent", after=600),)))
        ProviderChannel(provider.url).send(THEIRS, OURS, HELLO, "one")
        assert not provider.settle(timeout=0.0)
    assert provider.settle()
    assert provider.reports == []


def test_callbacks_go_to_the_url_that_the_message_carries(provider: FakeProvider) -> None:
    heard: list[tuple[str, str]] = []

    class Webhook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            heard.append((self.path, body))
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            return

    with HTTPServer(("127.0.0.1", 0), Webhook) as webhook:
        serving = Thread(target=webhook.handle_request)
        serving.start()
        channel = ProviderChannel(provider.url, callback=f"http://127.0.0.1:{webhook.server_port}/status")
        provider.next(Behaviour(callbacks=(Callback("delivered", early=True),)))
        channel.send(THEIRS, OURS, HELLO, "one")
        serving.join()
    assert heard == [
        (
            "/status?reference=one",
            '{"reference": "one", "provider_id": "provider-1", "status": "delivered", "code": ""}',
        )
    ]
