"""What providers send: checked, accepted into the record, and answered. All else comes later.

A provider is told 200 once its message is committed, and 503 where it isn't, so that it sends it again.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NoReturn, Protocol, cast

from flask import Request, Response, g, request
from sqlalchemy.exc import SQLAlchemyError

from wabot.adapters.web.limits import form_fields, raw_body
from wabot.adapters.web.problems import Refused, unavailable
from wabot.core.doors import WebSettings
from wabot.core.limits import META_WEBHOOK_BYTES
from wabot.core.log import describe, get_logger
from wabot.core.messages import Inbound
from wabot.core.metrics import Metric
from wabot.errors import RecordError
from wabot.runtime.receipts import Receipt

if TYPE_CHECKING:
    from wabot.adapters.web.api import Api
    from wabot.app import App

WEBHOOKS = Metric(
    "wabot_webhooks_total",
    "counter",
    "Requests of providers, by what became of them.",
    ("channel", "outcome"),
)
TWILIO, META = "twilio", "meta"
NOTHING_TO_SAY = "<?xml version='1.0' encoding='UTF-8'?><Response/>"
"""TwiML: what we have to say goes out by itself."""


class FormWebhook(Protocol):
    """What reads the forms that Twilio posts."""

    def genuine(self, url: str, parameters: Sequence[tuple[str, str]], signature: str) -> bool: ...
    def read(self, parameters: Sequence[tuple[str, str]]) -> Inbound | Receipt | None: ...
    def read_status(
        self, parameters: Sequence[tuple[str, str]], query: Mapping[str, str]
    ) -> Receipt | None: ...


class BodyWebhook(Protocol):
    """What reads the JSON that Meta posts."""

    def challenge(self, query: Mapping[str, str]) -> str | None: ...
    def genuine(self, body: bytes, signature: str) -> bool: ...
    def read(self, body: bytes) -> Iterable[Inbound | Receipt]: ...


def register(api: "Api", app: "App", settings: WebSettings) -> None:
    """Add the providers' routes. They are no part of the documented API: nobody else may call them."""
    webhooks = Webhooks(app, settings.public_url)
    for rule, view, methods in (
        ("/webhook", webhooks.twilio, ["POST"]),
        ("/webhook/status", webhooks.twilio_status, ["POST"]),
        ("/webhook/meta", webhooks.meta, ["POST"]),
        ("/webhook/meta", webhooks.meta_challenge, ["GET"]),
    ):
        api.add_url_rule(rule, f"webhook_{view.__name__}", view, methods=methods)


class Webhooks:
    def __init__(self, app: "App", public_url: str) -> None:
        self._app, self._public_url = app, public_url
        self._log = get_logger()

    def twilio(self) -> Response:
        webhook, parameters = self._genuine_form()
        self._take(TWILIO, lambda: [webhook.read(parameters)])
        return Response(NOTHING_TO_SAY, mimetype="text/xml")

    def twilio_status(self) -> Response:
        webhook, parameters = self._genuine_form()
        query = request.args.to_dict()
        self._take(TWILIO, lambda: [webhook.read_status(parameters, query)])
        return Response(NOTHING_TO_SAY, mimetype="text/xml")

    def meta(self) -> Response:
        webhook = cast("BodyWebhook", self._webhook(META))
        body = raw_body(request, META_WEBHOOK_BYTES)
        if not webhook.genuine(body, request.headers.get("X-Hub-Signature-256", "")):
            self._refuse(META)
        self._take(META, lambda: webhook.read(body))
        return Response("", mimetype="text/plain")

    def meta_challenge(self) -> Response:
        """Meta asks once, when the address is set, whether we know the verify token."""
        answer = cast("BodyWebhook", self._webhook(META)).challenge(request.args)
        if answer is None:
            self._refuse(META)
        return Response(answer, mimetype="text/plain")

    def _genuine_form(self) -> tuple[FormWebhook, list[tuple[str, str]]]:
        webhook = cast("FormWebhook", self._webhook(TWILIO))
        parameters = form_fields(raw_body(request))
        url = signed_url(request, self._public_url)
        if not webhook.genuine(url, parameters, request.headers.get("X-Twilio-Signature", "")):
            self._refuse(TWILIO)
        return webhook, parameters

    def _webhook(self, name: str) -> object:
        webhook = self._app.webhooks.get(name)
        if webhook is None:
            raise Refused(404, f"[{name}] isn't in the settings here.")
        return webhook

    def _refuse(self, channel: str) -> NoReturn:
        self._app.metrics.count(WEBHOOKS, channel=channel, outcome="forged")
        self._log.warning("webhook", channel=channel, outcome="forged")
        raise Refused(403, "The signature isn't genuine.")

    def _take(self, channel: str, read: Callable[[], Iterable[Inbound | Receipt | None]]) -> None:
        """Commit all that this request tells. Raises Refused: 400 where it can't be read, 503 where a part
        of it isn't on record now; what is, stays, and its repetition has no effect."""
        try:
            found = list(read())
        except (ValueError, RecursionError) as error:
            self._tell(channel, "unread", error)
            raise Refused(400, "This can't be read.") from error
        missed = False
        for each in found or [None]:
            try:
                self._tell(channel, self._outcome(each))
            except (SQLAlchemyError, RecordError) as error:
                missed = True
                self._tell(channel, "failed", error)
        if missed:
            raise unavailable()

    def _outcome(self, each: Inbound | Receipt | None) -> str:
        match each:
            case None:
                return "ignored"
            case Receipt():
                return "receipt" if self._app.receipt(each) else "known"
        return "accepted" if self._app.accept(each, correlation=g.request_id) else "known"

    def _tell(self, channel: str, outcome: str, error: Exception | None = None) -> None:
        self._app.metrics.count(WEBHOOKS, channel=channel, outcome=outcome)
        if error is None:
            # Its turn has a line with the same correlation: a second one of each message says no more.
            self._log.debug("webhook", channel=channel, outcome=outcome)
        else:
            self._log.error("webhook", channel=channel, outcome=outcome, **describe(error))


def signed_url(request: Request, public_url: str) -> str:
    """The URL as the provider called it: over it, to the letter, its signature is made.

    Behind a proxy it isn't the one that reached us, so `public_url` comes before what the request says.
    """
    environ = request.environ
    path, query = f"{environ.get('SCRIPT_NAME', '')}{environ['PATH_INFO']}", environ.get("QUERY_STRING", "")
    begin = public_url or f"{request.scheme}://{request.host}"
    return f"{begin}{path}?{query}" if query else f"{begin}{path}"
