"""An order by WhatsApp, through the example deployment: signed webhooks in, Twilio's API out."""

import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from redis import Redis

from tests.deploy.merchant import ASHA, PUBLIC, SHOP, UP, Merchant, procfile, request
from wabot.testing.meta import FakeMeta
from wabot.testing.provider import Behaviour, Callback

Deploy = Callable[..., Merchant]


@pytest.fixture
def deploy(tmp_path: Path) -> Iterator[Deploy]:
    made: list[Merchant] = []

    def make(database_url: str, **environment: str) -> Merchant:
        made.append(Merchant(database_url, tmp_path / "media", **environment))
        return made[-1]

    yield make
    for merchant in made:
        merchant.end()


@pytest.fixture
def merchant(deploy: Deploy, migrated_postgres: str, redis_url: str) -> Merchant:
    """The deployment on PostgreSQL and Redis, before any process is started."""
    with Redis.from_url(redis_url) as client:
        client.flushall()
    return deploy(migrated_postgres, REDIS_URL=redis_url)


def greet(merchant: Merchant) -> None:
    [welcome] = merchant.write("Hi")
    assert "Asha Building Materials" in welcome.text
    assert [button.title for button in welcome.buttons] == ["See products", "Help", "Talk to a person"]


def order(merchant: Merchant, meanwhile: Callable[[], None] = lambda: None) -> None:
    """From what is wanted to the invoice; `meanwhile` is called once the first message of it is accepted."""
    [summary] = merchant.write("Cement x 100", meanwhile=meanwhile)
    assert "Total: ₹43,070.00" in summary.text
    invoice, confirmed = merchant.tap(summary, "Confirm")
    assert "INV/" in invoice.text
    assert "SO-1" in confirmed.text


def once(merchant: Merchant) -> bool:
    """Whether no message came twice."""
    counts = merchant.twilio.counts
    return "" not in counts and set(counts.values()) == {1}


def recorded(merchant: Merchant) -> None:
    """What the order left behind, as an operator's programs read it."""
    [placed] = merchant.get("orders")["items"]
    assert (placed["number"], placed["status"]) == ("SO-1", "confirmed")
    assert placed["total"] == {"amount": "43070.00", "currency": "INR"}
    [invoice] = merchant.get("invoices")["items"]
    assert invoice["order_number"] == "SO-1"
    [conversation] = merchant.get("conversations")["items"]
    said = merchant.get(f"conversations/{conversation['id']}/messages")["items"]
    assert len([each for each in said if each["direction"] == "in"]) >= 3
    assert {each["receipt"] for each in said if each["direction"] == "out"} == {"delivered"}


@pytest.mark.postgres
@pytest.mark.redis
def test_an_order_in_the_example_deployment(merchant: Merchant) -> None:
    commands = procfile()
    web, worker, scheduler = map(merchant.start, (commands["web"], commands["worker"], commands["scheduler"]))
    merchant.reach(web)
    worker.until(lambda: worker.said.count("a worker for") == 2)
    scheduler.until(lambda: UP in scheduler.said)
    greet(merchant)
    order(merchant)
    assert once(merchant)
    recorded(merchant)
    health = merchant.get("health")
    assert (health["ready"], health["redis"]) == (True, "ok")
    assert "Traceback" not in "".join(process.said for process in merchant.processes)
    assert ASHA not in "".join(process.said for process in merchant.processes)
    assert (web.stop(), worker.stop()) == (0, 0)


@pytest.mark.postgres
@pytest.mark.redis
@pytest.mark.parametrize("place", ["turn.before_commit", "send.before_mark"])
def test_an_order_while_a_worker_is_killed(merchant: Merchant, place: str) -> None:
    web, _ = map(merchant.start, (procfile()["web"], "wabot scheduler"))
    other = merchant.start("wabot worker")
    merchant.reach(web)
    other.until(lambda: UP in other.said)
    greet(merchant)
    killed = merchant.start("wabot worker", WABOT_CRASH_AT=place)
    killed.until(lambda: UP in killed.said)

    def die() -> None:
        assert killed.wait() == -signal.SIGKILL
        other.tell(signal.SIGCONT)

    # Stopped, it can't take the message before the one that is to die with it.
    other.tell(signal.SIGSTOP)
    order(merchant, die)
    assert once(merchant)
    recorded(merchant)
    assert other.alive


def test_an_order_in_one_process_on_sqlite(deploy: Deploy, tmp_path: Path) -> None:
    merchant = deploy(f"sqlite:///{tmp_path / 'shop.db'}")
    process = merchant.start("wabot run --port 0")
    merchant.reach(process)
    nobody_else_is_heard(merchant)
    greet(merchant)
    order(merchant)
    assert once(merchant)
    recorded(merchant)
    assert process.stop() == 0


def nobody_else_is_heard(merchant: Merchant) -> None:
    form = {"MessageSid": "SM1", "From": f"whatsapp:{ASHA}", "To": f"whatsapp:{SHOP}", "Body": "Hi"}
    assert merchant.twilio.post_signed(f"{PUBLIC}/whatsapp/webhook", form, "Zm9yZ2Vk") == 403
    assert request(merchant.twilio.port, "GET", "/whatsapp/orders", None, {})[0] == 401
    assert merchant.get("conversations")["items"] == []


def test_an_order_through_meta(deploy: Deploy, tmp_path: Path) -> None:
    callbacks = (Callback("sent"), Callback("read"))
    with FakeMeta(Behaviour(callbacks=callbacks)) as meta:
        merchant = deploy(
            f"sqlite:///{tmp_path / 'shop.db'}",
            TWILIO_SID="",
            TWILIO_AUTH_TOKEN="",
            TWILIO_WHATSAPP_NUMBER="",
            WHATSAPP_ACCESS_TOKEN=meta.access_token,
            WHATSAPP_APP_SECRET=meta.app_secret,
            WHATSAPP_VERIFY_TOKEN=meta.verify_token,
            WABOT_META__PHONE_NUMBERS=json.dumps(meta.phone_numbers),
            WABOT_META__API_BASE=meta.url,
            WABOT_META__TIMEOUT="2s",
        )
        merchant.reach(merchant.start("wabot run --port 0"))
        url = meta.webhook_url = f"http://127.0.0.1:{merchant.twilio.port}/whatsapp/webhook/meta"
        assert meta.verify(url) == 200
        assert meta.write(url, ASHA, meta.number, "Cement x 100") == 200
        merchant.settle("read")
        summary = meta.deliveries[-1].message
        [button] = [each for each in summary.buttons if each.title == "Confirm"]
        reply = {"type": "button_reply", "button_reply": {"id": button.id, "title": button.title}}
        assert meta.write(url, ASHA, meta.number, type="interactive", interactive=reply) == 200
        merchant.settle("read")
        assert "SO-1" in meta.deliveries[-1].message.text
        picture = {"id": meta.add_media(b"a picture of cement", "image/jpeg"), "mime_type": "image/jpeg"}
        assert meta.write(url, ASHA, meta.number, type="image", image=picture) == 200
        merchant.settle("read")
        files = [file for file in (tmp_path / "media").rglob("*") if file.is_file()]
        assert b"a picture of cement" in [file.read_bytes() for file in files]
