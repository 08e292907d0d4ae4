"""A web server around a small app, what an operator's program sends it, and what providers do."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from itertools import count
from typing import Any
from urllib.parse import urlencode

from flask import Flask
from flask.testing import FlaskClient
from pydantic import BaseModel, ConfigDict, Field, SecretStr
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from wabot.adapters.channels.meta import MetaWebhook
from wabot.adapters.channels.twilio import TwilioWebhook
from wabot.adapters.web import blueprint, create_app
from wabot.adapters.web.security import require
from wabot.app import App
from wabot.core.database import Base
from wabot.core.doors import WebSettings
from wabot.core.tables import ContactRow
from wabot.engine.loader import load_flow
from wabot.engine.texts import Texts
from wabot.runtime.keys import new_key
from wabot.settings import Settings
from wabot.testing.fakes import FakeChannel, ManualClock, SequentialIds

PUBLIC = "https://bot.example.com"
TOKEN, SECRET, VERIFY = "0123456789abcdef0123456789abcdef", "meta-app-secret", "verify-me"
OURS, ASHA = "+14155238886", "+919876543210"
FLOW = """
flow: menu
states:
  open:
    initial: true
    enter: [{say: "Welcome"}]
    transitions:
      - {event: message.text, on: [{say: "You said {{ message.text }}"}]}
"""


@dataclass
class Site:
    """One app over HTTP; `key` opens everything."""

    app: App
    flask: Flask
    key: str
    client: FlaskClient = field(init=False)
    _number: Iterator[int] = field(init=False, default_factory=count)

    def __post_init__(self) -> None:
        self.client = self.flask.test_client()

    def get(self, path: str, key: str | None = None, **options: Any) -> TestResponse:
        return self.client.get(path, headers=self._headers(key, options), **options)

    def post(self, path: str, key: str | None = None, **options: Any) -> TestResponse:
        return self.client.post(path, headers=self._headers(key, options), **options)

    def _headers(self, key: str | None, options: dict[str, Any]) -> dict[str, str]:
        given = self.key if key is None else key
        return {"Authorization": f"Bearer {given}", **options.pop("headers", {})}

    def key_for(self, *scopes: str) -> str:
        name = f"test {next(self._number)}"
        return new_key(self.app.database, self.app.clock, name, scopes)[1]

    def twilio(
        self,
        parameters: Iterable[tuple[str, str]],
        path: str = "/whatsapp/webhook",
        *,
        signature: str | None = None,
        **options: Any,
    ) -> TestResponse:
        """As Twilio posts it, signed unless with a signature of one's own."""
        pairs = list(parameters)
        signed = twilio_signature(f"{PUBLIC}{path}", pairs) if signature is None else signature
        return self.client.post(
            path,
            data=urlencode(pairs),
            content_type="application/x-www-form-urlencoded",
            headers={"X-Twilio-Signature": signed},
            **options,
        )

    def meta(self, payload: Any, *, signature: str | None = None) -> TestResponse:
        """As Meta posts it; bytes are sent as they are."""
        body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        signed = meta_signature(body) if signature is None else signature
        return self.client.post(
            "/whatsapp/webhook/meta",
            data=body,
            content_type="application/json",
            headers={"X-Hub-Signature-256": signed},
        )

    def count(self, table: type[Base]) -> int:
        with self.app.database.reading() as session:
            return session.scalars(select(func.count()).select_from(table)).one()


def make_site(database: str = "sqlite://", *, web: Mapping[str, Any] | None = None, **parts: Any) -> Site:
    app = make_app(database, web=web, **parts).bind()
    try:
        key = new_key(app.database, app.clock, "boss", ["admin"])[1]
        return Site(app, create_app(app), key)
    except BaseException:
        app.close()
        raise


class Work(BaseModel):
    """The body of a POST that changes something: a contact of this name is made."""

    model_config = ConfigDict(extra="forbid")

    name: str = ""


class Which(BaseModel):
    """The path of a thing."""

    id: str = Field(max_length=20)


class Asked(BaseModel):
    """The query of a thing."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(default=50, ge=1, le=200)
    kinds: list[str] = Field(default_factory=list)
    after: datetime | None = None


def mounted(app: App, work: Callable[[str], Any] | None = None) -> Flask:
    """A Flask app of somebody's own, with the blueprint and three routes more."""
    api = blueprint(app)

    @api.get("/things/<id>")
    @require("orders:read")
    def thing(path: Which, query: Asked) -> dict[str, Any]:
        """Tells what it was asked."""
        return {**path.model_dump(), **query.model_dump(mode="json", exclude_defaults=True)}

    @api.get("/secret")
    @require("orders:read")
    def secret() -> dict[str, str]:
        """Tells a secret."""
        return {"secret": "42"}

    @api.post("/work")
    @require("orders:write")
    def do(body: Work) -> Any:
        """Does `work`."""
        return (work or partial(make_contact, app))(body.name)

    flask = Flask("own")
    flask.register_blueprint(api)
    flask.add_url_rule("/", "home", lambda: "home")
    return flask


def make_contact(app: App, name: str) -> tuple[dict[str, Any], int]:
    """Make a contact, in a transaction, and give its id as an answer to its POST."""
    with app.database.transaction() as session:
        row = ContactRow(phone=f"+91{app.ids.new()}", name=name, created_at=app.clock.now())
        session.add(row)
        session.commit()
        return {"id": row.id, "name": name}, 201


def make_app(
    database: str = "sqlite://",
    *,
    web: Mapping[str, Any] | None = None,
    settings: Mapping[str, Any] | None = None,
    webhooks: bool = True,
    **parts: Any,
) -> App:
    given = {"web": WebSettings(**{"public_url": PUBLIC, **(web or {})}), **(settings or {})}
    defaults: dict[str, Any] = {
        "channel": FakeChannel("twilio"),
        "clock": ManualClock(),
        "ids": SequentialIds(),
        "sources": [load_flow(FLOW, "menu.yaml")],
        "texts": Texts(),
    }
    app = App(Settings(database=SecretStr(database), **given), **{**defaults, **parts})
    if webhooks:
        app.webhook("twilio", TwilioWebhook(TOKEN))
        app.webhook("meta", MetaWebhook(SECRET, VERIFY))
    return app


def message(text: str = "Hello", sid: str = "SM1", **more: str) -> list[tuple[str, str]]:
    """What Twilio posts of a contact's message."""
    fields = {
        "MessageSid": sid,
        "AccountSid": "AC" + "0" * 32,
        "From": f"whatsapp:{ASHA}",
        "To": f"whatsapp:{OURS}",
        "Body": text,
        "NumMedia": "0",
        "ProfileName": "Asha",
        "WaId": ASHA[1:],
        **more,
    }
    return list(fields.items())


def envelope(*messages: Mapping[str, Any], statuses: Iterable[Mapping[str, Any]] = ()) -> dict[str, Any]:
    """What Meta posts of messages and statuses."""
    value = {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": OURS[1:], "phone_number_id": "106540352242922"},
        "contacts": [{"profile": {"name": "Asha"}, "wa_id": ASHA[1:]}],
        "messages": list(messages),
        "statuses": list(statuses),
    }
    return {
        "object": "whatsapp_business_account",
        "entry": [{"id": "1", "changes": [{"field": "messages", "value": value}]}],
    }


def meta_text(text: str = "Hello", id: str = "wamid.1") -> dict[str, Any]:
    return {"from": ASHA[1:], "id": id, "timestamp": "1767355200", "type": "text", "text": {"body": text}}


def twilio_signature(url: str, pairs: Iterable[tuple[str, str]], token: str = TOKEN) -> str:
    """As Twilio documents it: HMAC-SHA1 over the URL and the sorted names with their values."""
    text = url + "".join(f"{name}{value}" for name, value in sorted(set(pairs)))
    return base64.b64encode(hmac.new(token.encode(), text.encode(), hashlib.sha1).digest()).decode()


def meta_signature(body: bytes, secret: str = SECRET) -> str:
    return f"sha256={hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}"
