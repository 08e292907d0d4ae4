"""A clock that stands still, ids that count, channels that only write down what they are given."""

import json
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from wabot.core.messages import Outbound
from wabot.core.ports import Capabilities
from wabot.errors import SendError, SendUnknown


class ManualClock:
    """Says the same time until it is moved. Begins at noon (UTC) of 2 January 2026, a Friday."""

    def __init__(self, now: datetime = datetime(2026, 1, 2, 12, tzinfo=UTC)) -> None:
        self._now = now.astimezone(UTC)

    def now(self) -> datetime:
        return self._now

    def advance(self, delay: timedelta) -> None:
        self._now += delay

    def set(self, moment: datetime) -> None:
        self._now = moment.astimezone(UTC)


class SequentialIds:
    """`id-1`, `id-2`, …"""

    def __init__(self, prefix: str = "id") -> None:
        self._prefix = prefix
        self._last = 0

    def new(self) -> str:
        self._last += 1
        return f"{self._prefix}-{self._last}"


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message that a fake channel took."""

    to: str
    sender: str
    message: Outbound
    reference: str
    provider_id: str


class FakeChannel:
    """Keeps in `sent` what it took. `fail_next` makes the next messages fail."""

    def __init__(self, name: str = "fake", capabilities: Capabilities | None = None) -> None:
        self.name = name
        self.capabilities = capabilities or Capabilities()
        self.sent: list[Delivery] = []
        self._failures: deque[tuple[SendError, bool]] = deque()

    def fail_next(self, *errors: SendError, taken: bool = False) -> None:
        """Raise these for the next messages, one each; with `taken` the contact got the message all the same,
        as when the provider's answer was lost."""
        self._failures.extend((error, taken) for error in errors)

    def send(self, to: str, sender: str, message: Outbound, reference: str) -> str:
        error, taken = self._failures.popleft() if self._failures else (None, True)
        provider_id = f"{self.name}-{len(self.sent) + 1}"
        if taken:
            self.sent.append(Delivery(to, sender, message, reference, provider_id))
        if error is not None:
            raise error
        return provider_id


class FakeLookupChannel(FakeChannel):
    """A fake channel that can tell what it took, like a provider's list of messages.

    With `list_is_down` it can't tell now.
    """

    list_is_down = False

    def find(self, to: str, reference: str) -> str | None:
        if self.list_is_down:
            raise SendUnknown("the list of messages is down")
        return next((taken.provider_id for taken in self.sent if taken.reference == reference), None)


class FileChannel:
    """Writes each message as a line of JSON to a file, and so outlives a process that is killed."""

    def __init__(self, path: Path, name: str = "file", capabilities: Capabilities | None = None) -> None:
        self.path = path
        self.name = name
        self.capabilities = capabilities or Capabilities()

    def send(self, to: str, sender: str, message: Outbound, reference: str) -> str:
        provider_id = f"{self.name}-{len(self.deliveries()) + 1}"
        line = {
            "to": to,
            "sender": sender,
            "message": message.model_dump(mode="json", exclude_defaults=True),
            "reference": reference,
            "provider_id": provider_id,
        }
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
        return provider_id

    def deliveries(self) -> list[Delivery]:
        """What was written, by this process and any before it."""
        if not self.path.exists():
            return []
        lines = [json.loads(line) for line in self.path.read_text(encoding="utf-8").splitlines()]
        return [Delivery(**{**line, "message": Outbound.model_validate(line["message"])}) for line in lines]


class FileLookupChannel(FileChannel):
    """A file channel that can tell what it took."""

    def find(self, to: str, reference: str) -> str | None:
        return next((taken.provider_id for taken in self.deliveries() if taken.reference == reference), None)
