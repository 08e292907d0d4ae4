"""The example deployment in real processes: what its Procfile starts, and a Twilio that signs."""

import json
import os
import re
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urldefrag, urlencode, urlsplit

from tests.queue.deployment import PATIENCE, Process
from wabot.bootstrap import find_modules
from wabot.core.database import Database
from wabot.core.messages import Outbound
from wabot.core.migrate import upgrade
from wabot.core.ports import SystemClock
from wabot.runtime.keys import new_key
from wabot.testing.provider import Behaviour, Callback
from wabot.testing.twilio import FakeTwilio, sign

MERCHANT = Path(__file__).parents[2] / "examples" / "merchant"
PUBLIC = "https://bot.example.com"
SHOP, ASHA = "+14155238886", "+919800000001"
UP = "Ctrl-C stops it."
LISTENING = re.compile(r"(?:Listening at:|the web server at) http://[^:]+:(\d+)")


def procfile() -> dict[str, str]:
    """The commands of the example's Procfile, by the names of their processes."""
    lines = (MERCHANT / "Procfile").read_text(encoding="utf-8").splitlines()
    return dict(line.split(": ", 1) for line in lines)


class TwilioOutside(FakeTwilio):
    """Signs for our public URL, and reaches us by the proxy that stands behind it: `port` on this machine."""

    port = 0

    def post(self, url: str, form: Mapping[str, str]) -> int:
        url = urldefrag(url).url
        return self.post_signed(url, form, sign(self.auth_token, url, form.items()))

    def post_signed(self, url: str, form: Mapping[str, str], signature: str) -> int:
        parts = urlsplit(url)
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Host": parts.netloc,
            "X-Forwarded-For": "54.172.60.0",
            "X-Forwarded-Proto": parts.scheme,
            "X-Twilio-Signature": signature,
        }
        target = f"{parts.path}?{parts.query}" if parts.query else parts.path
        return request(self.port, "POST", target, urlencode(form), headers)[0]


class Merchant:
    """The example's processes on this database; Asha writes to them through Twilio."""

    def __init__(self, database_url: str, media: Path, **environment: str) -> None:
        callbacks = (Callback("sent"), Callback("delivered", after=0.05))
        self.twilio = TwilioOutside(Behaviour(callbacks=callbacks)).start()
        self.processes: list[Process] = []
        self.environment = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "WABOT_PROJECT": str(MERCHANT),
            "DATABASE_URL": database_url,
            "TWILIO_SID": self.twilio.account_sid,
            "TWILIO_AUTH_TOKEN": self.twilio.auth_token,
            "TWILIO_WHATSAPP_NUMBER": SHOP,
            "WHATSAPP_VERIFY_TOKEN": "",
            "WABOT_TWILIO__API_BASE": self.twilio.url,
            "WABOT_TWILIO__TIMEOUT": "2s",
            "WABOT_WEB__PUBLIC_URL": PUBLIC,
            "WABOT_WEB__TRUST_PROXY": "1",
            "WABOT_MEDIA__FOLDER": str(media),
            "WABOT_LOG_KEY": "the same everywhere",
            "WABOT_RUNTIME__SWEEP": "0.2s",
            "WABOT_RUNTIME__PATIENCE": "0.3s",
            "WABOT_RUNTIME__LEASE": "5s",
            "WABOT_RUNTIME__GRACE": "1s",
            **environment,
        }
        self._database = Database(database_url)
        upgrade(self._database, find_modules())
        _, self.key = new_key(self._database, SystemClock(), "operator", ["admin"])

    def start(self, command: str, **environment: str) -> Process:
        """A command in the example's directory, as a Procfile's runner starts it."""
        shell = ["sh", "-c", f"cd {MERCHANT} && exec {command}"]
        self.processes.append(Process(shell, {**self.environment, "PORT": "0", **environment}))
        return self.processes[-1]

    def reach(self, process: Process) -> None:
        """Wait until this one serves HTTP; Twilio and `get` find it from then on."""
        process.until(lambda: LISTENING.search(process.said) is not None)
        found = LISTENING.search(process.said)
        assert found is not None
        self.twilio.port = int(found[1])

    def write(
        self, text: str, *, meanwhile: Callable[[], None] = lambda: None, **parameters: str
    ) -> list[Outbound]:
        """Asha writes; gives what she is answered, once all of it is delivered and reported.

        `meanwhile` is called once her message is accepted.
        """
        before = len(self.twilio.deliveries)
        assert self.twilio.write(f"{PUBLIC}/whatsapp/webhook", ASHA, SHOP, text, **parameters) == 200
        meanwhile()
        self.settle()
        return [each.message for each in self.twilio.deliveries[before:]]

    def tap(self, message: Outbound, title: str) -> list[Outbound]:
        """Asha taps a button of this message."""
        [button] = [each for each in message.buttons if each.title == title]
        return self.write(title, ButtonPayload=button.id, ButtonText=title)

    def settle(self, receipt: str = "delivered") -> None:
        """Wait until all that was written had its turn, what it asked for is done, and of every answer this
        receipt is in."""
        end = time.monotonic() + PATIENCE
        while (left := self._unsettled(receipt)) and time.monotonic() < end:
            time.sleep(0.02)
        assert not left, "\n".join([str(left), *(process.said for process in self.processes)])

    def _unsettled(self, receipt: str) -> Sequence[Any]:
        with self._database.engine.connect() as connection:
            return connection.exec_driver_sql(
                "select 'inbound', status from inbound where status <> 'done' union all"
                " select 'effect', status from effect where status <> 'done' union all"
                f" select 'outbox', status from outbox where receipt <> '{receipt}'"
            ).all()

    def get(self, path: str) -> Any:
        """What the HTTP API answers an operator's program."""
        headers = {"Authorization": f"Bearer {self.key}", "Host": "bot.example.com"}
        status, body = request(self.twilio.port, "GET", f"/whatsapp/{path}", None, headers)
        assert status == 200, body
        return json.loads(body)

    def end(self) -> None:
        for process in self.processes:
            if process.alive:
                process.tell(signal.SIGTERM)
                process.tell(signal.SIGCONT)
        for process in self.processes:
            process.close()
        self.twilio.close()
        self._database.close()


def request(
    port: int, method: str, target: str, body: str | None, headers: Mapping[str, str]
) -> tuple[int, str]:
    connection = HTTPConnection("127.0.0.1", port, timeout=30.0)
    try:
        connection.request(method, target, body, dict(headers))
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()
