"""Contacts who write to bots that may die at any moment, and what came of it."""

import random
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPException

from sqlalchemy import select

from tests.faults.bots import written
from wabot.core.database import Database
from wabot.core.tables import ContactRow, ConversationRow, InboundRow, InboundStatus, Origin, OutboxRow
from wabot.testing.provider import FakeProvider
from wabot.testing.provider_channel import OK, post

Doors = Callable[[], Sequence[int]]
"""The ports of the bots that live now."""


@dataclass(frozen=True, slots=True)
class Count:
    """What should have come and didn't, what came again, and what came before an earlier one."""

    lost: int = 0
    doubled: int = 0
    disordered: int = 0

    def __add__(self, other: "Count") -> "Count":
        return Count(self.lost + other.lost, self.doubled + other.doubled, self.disordered + other.disordered)

    def __str__(self) -> str:
        return f"lost {self.lost}, doubled {self.doubled}, disordered {self.disordered}"


def compare(expected: Sequence[str], got: Iterable[str]) -> Count:
    """Of one contact. An answer that nobody expected tells of an effect that came twice or not at all:
    then the one expected in its place is missing."""
    places = {text: place for place, text in enumerate(expected)}
    seen: Counter[str] = Counter()
    highest, disordered = -1, 0
    for text in got:
        seen[text] += 1
        if seen[text] == 1 and text in places:
            disordered += places[text] < highest
            highest = max(highest, places[text])
    lost = sum(text not in seen for text in expected)
    return Count(lost, sum(seen.values()) - len(seen), disordered)


class Crowd:
    """Each contact writes its next message once the last was taken, as people do who wait for two ticks.

    What a bot doesn't take is delivered again, under the same id, to whichever bot lives. Every tenth message
    is delivered twice for no reason, as providers do.
    """

    THREADS = 4

    def __init__(self, contacts: int, messages: int, doors: Doors) -> None:
        self.phones = [f"+9198{number:08}" for number in range(contacts)]
        self.messages = messages
        self._lines = {
            phone: [f"m{turn}" for turn in range(messages // contacts + (place < messages % contacts))]
            for place, phone in enumerate(self.phones)
        }
        self._doors = doors
        self._stopped = threading.Event()
        self._threads = [
            threading.Thread(target=self._write, args=(self.phones[each :: self.THREADS],), daemon=True)
            for each in range(self.THREADS)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    @property
    def busy(self) -> bool:
        return any(thread.is_alive() for thread in self._threads)

    def stop(self) -> None:
        """Whatever was not taken yet is never written."""
        self._stopped.set()
        for thread in self._threads:
            thread.join()

    def count(self, provider: FakeProvider) -> Count:
        """What the contacts got, beside what they should have."""
        got: dict[str, list[str]] = {phone: [] for phone in self.phones}
        for delivery in provider.deliveries:
            got[delivery.to].append(delivery.message.text)
        return self._compare(lambda _, turn, line: f"{turn} {line}", got)

    def count_on_record(self, record: Database) -> Count:
        """What the record holds, row by row: of each message one event, which is done, and the one answer
        that this event gave."""
        events = (
            select(ContactRow.phone, InboundRow.event_id)
            .join(ConversationRow, ConversationRow.contact_id == ContactRow.id)
            .join(InboundRow, InboundRow.conversation_id == ConversationRow.id)
            .where(InboundRow.origin == Origin.MESSAGE, InboundRow.status == InboundStatus.DONE)
        )
        answers = events.add_columns(OutboxRow.message).join(OutboxRow, OutboxRow.inbound_id == InboundRow.id)
        done: dict[str, list[str]] = {phone: [] for phone in self.phones}
        said: dict[str, list[str]] = {phone: [] for phone in self.phones}
        with record.reading() as session:
            for phone, event_id in session.execute(events.order_by(InboundRow.id)):
                done[phone].append(event_id)
            for phone, event_id, message in session.execute(answers.order_by(OutboxRow.position)):
                said[phone].append(f"{event_id}: {message['text']}")
        return self._compare(lambda phone, _, line: written(line, phone).event_id, done) + self._compare(
            lambda phone, turn, line: f"{written(line, phone).event_id}: {turn} {line}", said
        )

    def _compare(self, expect: Callable[[str, int, str], str], got: Mapping[str, Sequence[str]]) -> Count:
        """`expect` is told the phone, the turn and what was written."""
        counts = (
            compare([expect(phone, turn, line) for turn, line in enumerate(lines)], got[phone])
            for phone, lines in self._lines.items()
        )
        return sum(counts, Count())

    def _write(self, phones: Sequence[str]) -> None:
        chance = random.Random(phones[0])
        for turn in range(max(map(len, self._lines.values()))):
            for phone in phones:
                if turn < len(self._lines[phone]):
                    line = self._lines[phone][turn]
                    for _ in range(2 if chance.random() < 0.1 else 1):
                        self._deliver(phone, line, chance)

    def _deliver(self, phone: str, line: str, chance: random.Random) -> None:
        body = written(line, phone).model_dump(mode="json", exclude_defaults=True)
        while not self._stopped.is_set():
            doors = self._doors()
            if doors and self._taken(chance.choice(doors), body):
                return
            self._stopped.wait(0.02)

    def _taken(self, port: int, body: dict[str, object]) -> bool:
        try:
            status, _ = post(f"http://127.0.0.1:{port}/", body, timeout=20.0)
        except (OSError, HTTPException):
            return False
        return status == OK
