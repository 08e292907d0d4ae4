"""Any order of messages, work, faults, crashes and time: what is promised holds after each step.

A crash is an error at a crash point that nothing catches: what isn't committed is rolled back.
"""

from collections import Counter, deque
from collections.abc import Callable
from contextlib import ExitStack
from datetime import timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from pydantic import BaseModel, SecretStr

from tests.faults.bots import written
from wabot.app import App
from wabot.core.faults import at_crash_points
from wabot.core.module import Call, Module
from wabot.core.tables import ContactRow
from wabot.engine.loader import load_flow
from wabot.errors import NotSent, SendError, SendUnknown
from wabot.settings import Settings
from wabot.testing import FakeChannel, ManualClock
from wabot.testing.fakes import FakeLookupChannel

FLOW = """
flow: steps
datamodel: {n: {type: integer, default: 0}}
states:
  open:
    initial: true
    enter: {say: "0"}
    transitions:
      - event: message.text
        on:
          - assign: {n: "{{ n + 1 }}"}
          - tally.count: {}
          - send: {event: reminder, delay: 10m}
          - say: "{{ n }}"
          - say: "{{ n }}!"
      - {event: reminder, on: {say: Again}}
"""
PHONES = ["+919800000001", "+919800000002"]
POINTS = [
    "accept.before_insert",
    "accept.before_commit",
    "accept.after_commit",
    "accept.after_ring",
    "turn.before_commit",
    "turn.after_commit",
    "send.after_claim",
    "send.before_mark",
    "timer.before_commit",
    "timer.after_commit",
]
phones = st.sampled_from(PHONES)
crashes = st.one_of(st.none(), st.tuples(st.sampled_from(POINTS), st.integers(1, 3)))
"""Nowhere, or the first, second or third time that this place is passed."""


class Crash(BaseException):
    pass


class Nothing(BaseModel):
    pass


def make_tally() -> Module:
    tally = Module("tally")

    @tally.command("count")
    def count(arguments: Nothing, call: Call) -> None:
        assert call.contact
        call.session.get_one(ContactRow, call.contact.id).name += "|"

    return tally


class Machine(RuleBasedStateMachine):
    """Of a provider that can be asked what it took: everything comes exactly once."""

    channel_type: type[FakeChannel] = FakeLookupChannel

    def __init__(self) -> None:
        super().__init__()
        self.clock = ManualClock()
        self.channel = self.channel_type("provider")
        self.app = App(
            Settings(database=SecretStr("sqlite://")),
            modules=[make_tally()],
            sources=[load_flow(FLOW, "steps.yaml")],
            channel=self.channel,
            clock=self.clock,
        ).bind()
        self.accepted = dict.fromkeys(PHONES, 0)
        self.unanswered: set[str] = set()
        self.doubts = 0
        self.stack = ExitStack()
        self.stack.callback(self.app.close)
        self.stack.enter_context(at_crash_points(self.passed))
        self.crash: tuple[str, int] | None = None

    def passed(self, name: str) -> None:
        if self.crash is None or self.crash[0] != name:
            return
        self.crash = (name, self.crash[1] - 1)
        if self.crash[1] == 0:
            self.doubts += name.startswith("send.")
            raise Crash

    def until(self, crash: tuple[str, int] | None, act: Callable[[], object]) -> bool:
        """Do it, and whether it came to its end."""
        self.crash = crash
        try:
            act()
        except Crash:
            return False
        finally:
            self.crash = None
        return True

    @rule(phone=phones, crash=crashes)
    def write(self, phone: str, crash: tuple[str, int] | None) -> None:
        """The contact's next message, or once more the one for which the provider got no answer."""
        number = self.accepted[phone]
        if self.until(crash, lambda: self.app.accept(written(f"m{number}", phone))):
            self.accepted[phone] += 1
            self.unanswered.discard(phone)
        else:
            self.unanswered.add(phone)

    @rule(phone=phones, back=st.integers(1, 5))
    def deliver_again(self, phone: str, back: int) -> None:
        number = self.accepted[phone] - back
        if number >= 0:
            assert not self.app.accept(written(f"m{number}", phone))

    @rule(crash=crashes)
    def work(self, crash: tuple[str, int] | None) -> None:
        self.until(crash, self.app.drain)

    @rule(pieces=st.integers(1, 4), crash=crashes)
    def work_a_little(self, pieces: int, crash: tuple[str, int] | None) -> None:
        left = deque([False] * pieces)
        self.until(crash, lambda: self.app.drain(lambda: not left or left.popleft()))

    @rule(seconds=st.sampled_from([1, 30, 61, 125, 601]))
    def wait(self, seconds: int) -> None:
        self.clock.advance(timedelta(seconds=seconds))

    @rule(error=st.sampled_from([NotSent, SendUnknown]), taken=st.booleans())
    def fail(self, error: type[SendError], taken: bool) -> None:
        self.channel.fail_next(error(), taken=taken and error is SendUnknown)
        self.doubts += error is SendUnknown

    @invariant()
    def each_answer_comes_in_its_place(self) -> None:
        for phone in PHONES:
            got = self.answers(phone)
            assert got == self.expected(phone)[: len(got)]

    @invariant()
    def nothing_comes_twice_without_a_doubt(self) -> None:
        counts = Counter(delivery.reference for delivery in self.channel.sent)
        assert counts.total() - len(counts) <= self.most_doubled()

    def most_doubled(self) -> int:
        return 0

    def teardown(self) -> None:
        try:
            self.come_to_rest()
            self.nothing_comes_twice_without_a_doubt()
            self.everything_is_done()
        finally:
            self.stack.close()

    def come_to_rest(self) -> None:
        for phone in sorted(self.unanswered):
            self.write(phone, None)
        for _ in range(60):
            self.app.drain()
            if self.app.next_due() is None:
                return
            self.clock.advance(timedelta(seconds=70))
        pytest.fail("it never comes to rest")

    def everything_is_done(self) -> None:
        for phone in PHONES:
            if not self.accepted[phone]:
                continue
            view = self.app.conversation(phone)
            assert view
            assert view.state
            turns = self.accepted[phone] - 1
            assert view.state.frames[0].variables == {"n": turns}
            assert view.contact.name == "|" * turns
            assert {event.status for event in self.app.events(view.id)} == {"done"}
            assert len(self.app.events(view.id)) == self.accepted[phone] + turns
            self.all_was_said(phone, turns)

    def all_was_said(self, phone: str, turns: int) -> None:
        assert self.answers(phone) == self.expected(phone)
        assert self.texts(phone).count("Again") == turns

    def texts(self, phone: str) -> list[str]:
        """What the contact read, without what came twice."""
        first = {each.reference: each for each in reversed(self.channel.sent) if each.to == phone}
        return [each.message.text for each in reversed(first.values())]

    def answers(self, phone: str) -> list[str]:
        return [text for text in self.texts(phone) if text != "Again"]

    def expected(self, phone: str) -> list[str]:
        later = [f"{n}{end}" for n in range(1, self.accepted[phone] + 1) for end in ("", "!")]
        whole = ["0", *later]
        return whole[: 2 * self.accepted[phone] - 1] if phone not in self.unanswered else whole


class MachineInTheDark(Machine):
    """Of a provider that can't be asked: an answer comes once more for a doubt, and may stay away for two."""

    channel_type = FakeChannel

    def most_doubled(self) -> int:
        return self.doubts

    @invariant()
    def each_answer_comes_in_its_place(self) -> None:
        for phone in PHONES:
            places = {text: place for place, text in enumerate(self.expected(phone))}
            got = [places[text] for text in self.answers(phone)]
            assert got == sorted(got)

    def all_was_said(self, phone: str, turns: int) -> None:
        missing = 3 * turns + 1 - len(self.texts(phone))
        assert 2 * missing <= self.doubts


TestMachine = Machine.TestCase
TestMachineInTheDark = MachineInTheDark.TestCase
TestMachine.settings = TestMachineInTheDark.settings = settings(
    max_examples=15, stateful_step_count=25, deadline=None
)
