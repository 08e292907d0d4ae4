"""The channel: messages to Twilio's Programmable Messaging."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from twilio.rest import Client

from wabot.adapters.channels.twilio.codes import NO_SUCH_CONTENT, WRONG_VARIABLES
from wabot.adapters.channels.twilio.contents import Contents
from wabot.adapters.channels.twilio.errors import asked
from wabot.adapters.channels.twilio.line import CONNECT, Line
from wabot.adapters.channels.twilio.lookup import Found, Search
from wabot.adapters.channels.twilio.rendering import Rich, as_plain, as_rich, variables_json
from wabot.core.database import Database
from wabot.core.limits import SERVICE_WINDOW
from wabot.core.messages import Outbound, Template
from wabot.core.ports import Capabilities, Clock
from wabot.errors import NotSent, SendUnknown, Undeliverable

WHATSAPP = "whatsapp:"
REFERENCE = "reference"
"""The parameter of the status callback's URL in which our name for the message comes back."""

AGAIN = "#rc=3&rp=5xx,ct,rt"
"""Twilio's webhook connection overrides, for a URL's end: what was answered with 5xx, or not at all, is
posted up to three times more within its 15 seconds. By itself it tries again only where no connection was
made."""

_CONTENT = re.compile("HX[0-9a-fA-F]{32}")
_NOT_AS_CONTENT = (NO_SUCH_CONTENT, WRONG_VARIABLES, "21657", "21658")


class TwilioChannel:
    """WhatsApp by Twilio, for `account_sid`.

    `database` gives the app's once it is open: contents are remembered there, and what a message said that
    Twilio may or may not have taken. `messaging_service` is sent by beside our number, where it is given.
    `status_url` is where Twilio shall report to; without it the sender's own setting holds. `timeout` is in
    seconds, for one answer. `api_base` is a server in place of Twilio's, such as `testing.twilio`.
    """

    capabilities = Capabilities(window=SERVICE_WINDOW, paced=True)

    def __init__(
        self,
        account_sid: str,
        auth_token: str,
        *,
        database: Callable[[], Database],
        clock: Clock,
        name: str = "twilio",
        messaging_service: str = "",
        status_url: str = "",
        api_base: str = "",
        timeout: float = 15.0,
    ) -> None:
        self.name = name
        self.answers_within = timedelta(seconds=min(CONNECT, timeout) + timeout)
        self._service = messaging_service
        self._status_url = status_url
        self._line = Line(api_base, timeout)
        self._client = Client(account_sid, auth_token, http_client=self._line)
        self._contents = Contents(self._client, name, account_sid, database, clock)
        self._search = Search(database, name)

    def send(self, to: str, sender: str, message: Outbound, reference: str) -> str:
        """See `core.ports.Channel`.

        Twilio's 429 and what can't be reached are NotSent, other 4xx what `codes.refusal_of` says; 5xx,
        a time-out and a line that is cut are SendUnknown, since Twilio has no key that would make a second
        try harmless.
        """
        envelope = self._envelope(to, sender, reference)
        if message.template is not None:
            return self._send_template(envelope, message.template)
        rich = as_rich(message)
        return self._send_rich(envelope, message, rich) if rich else self._send_plain(envelope, message)

    def find(self, to: str, reference: str) -> str | None:
        """See `core.ports.Lookup`.

        A message at Twilio doesn't carry our reference. So it is known by what is left when those are
        taken away that we know: sent by us, to this contact, since ours was written, and not one that
        another row of the outbox has; and by its words. Raises SendUnknown where that doesn't tell.
        """
        wanted = self._search.wanted(to, reference)
        if wanted.provider_id:
            return wanted.provider_id
        pages = self._pages(to, wanted.sender)
        return self._search.choose(wanted, pages)

    def close(self) -> None:
        """Let go of the connections."""
        self._line.close()

    def _envelope(self, to: str, sender: str, reference: str) -> dict[str, str]:
        envelope = {"to": WHATSAPP + to, "from_": WHATSAPP + sender}
        if self._service:
            envelope["messaging_service_sid"] = self._service
        if self._status_url:
            mark = "&" if "?" in self._status_url else "?"
            envelope["status_callback"] = (
                f"{self._status_url}{mark}{urlencode({REFERENCE: reference})}{AGAIN}"
            )
        return envelope

    def _send_plain(self, envelope: dict[str, str], message: Outbound) -> str:
        plain = as_plain(message)
        arguments: dict[str, Any] = {"body": plain.body} if plain.body else {}
        if plain.media:
            arguments["media_url"] = [plain.media]
        if plain.place:
            arguments["persistent_action"] = [plain.place]
        return self._create(envelope, arguments)

    def _send_rich(self, envelope: dict[str, str], message: Outbound, rich: Rich) -> str:
        sid = self._contents.of(rich)
        if sid is None:
            return self._send_plain(envelope, message)
        try:
            return self._create(envelope, _content(sid, rich.variables))
        except Undeliverable as error:
            if error.code not in _NOT_AS_CONTENT:
                raise
            # Not taken, for the content's sake alone: the contact gets it in words.
            if error.code == NO_SUCH_CONTENT:
                self._contents.forget(sid)
            return self._send_plain(envelope, message)

    def _send_template(self, envelope: dict[str, str], template: Template) -> str:
        # Meta takes no line breaks, tabs and rows of spaces in what fills a template.
        variables = {name: " ".join(value.split()) for name, value in template.variables.items()}
        if _CONTENT.fullmatch(template.name):
            return self._create(envelope, _content(template.name, variables))
        sid = self._contents.named(template.name, template.language)
        try:
            return self._create(envelope, _content(sid, variables))
        except Undeliverable as error:
            if error.code != NO_SUCH_CONTENT:
                raise
            self._contents.forget(sid)
            raise NotSent(
                f'the content "{template.name}" is at Twilio no longer', code=NO_SUCH_CONTENT
            ) from error

    def _create(self, envelope: dict[str, str], arguments: dict[str, Any]) -> str:
        created = asked(lambda: self._client.messages.create(**envelope, **arguments))
        if not created.sid:
            raise SendUnknown("Twilio took it and did not name it")
        return str(created.sid)

    def _pages(self, to: str, sender: str) -> Callable[[], list[Found] | None]:
        """Gives the list's pages, the newest messages first; None after the last."""
        page: Any = None

        def following() -> list[Found] | None:
            nonlocal page
            messages = self._client.messages
            if page is None:
                page = asked(
                    lambda: messages.page(to=WHATSAPP + to, from_=WHATSAPP + sender, page_size=Search.PAGE)
                )
            else:
                page = asked(page.next_page)
            return None if page is None else asked(lambda: [Found.of(each) for each in page])

        return following


def _content(sid: str, variables: dict[str, str]) -> dict[str, Any]:
    return {"content_sid": sid, **({"content_variables": variables_json(variables)} if variables else {})}
