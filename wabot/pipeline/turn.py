"""One inbound event of one conversation, on its way through the pipeline."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy.orm import Session

from wabot.core.messages import Inbound, Outbound
from wabot.core.module import Contact
from wabot.core.tables import Category, ConversationRow, Origin, OutboxRow
from wabot.core.transaction import Transaction
from wabot.engine.state import State
from wabot.engine.step import Event, Step
from wabot.errors import ConfigurationError
from wabot.pipeline.record import INSERT_MESSAGE, Taken, message_row, save_contact


class Outcome(StrEnum):
    """What became of a turn.

    `idle`: there was nothing to do. `done`: committed. `retry`: rolled back, to be tried again.
    `failed`: rolled back and parked. `dropped`: rolled back, and another process had it meanwhile.
    """

    IDLE = "idle"
    DONE = "done"
    RETRY = "retry"
    FAILED = "failed"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True)
class Received:
    """The event that a turn is about; it outlives a rollback. `attempts` counts the failed turns before."""

    id: int
    origin: Origin
    correlation: str
    attempts: int
    received_at: datetime
    event: Event

    @property
    def message(self) -> Inbound | None:
        return self.event.message


@dataclass(slots=True)
class Work:
    """What a turn has in hand between the begin and the end of its transaction.

    `taken` is the conversation's row and its contact's: a change there is written at the end.
    """

    transaction: Transaction
    conversation_id: int
    taken: Taken
    state: State | None
    now: datetime
    queued: int = 0

    @property
    def session(self) -> Session:
        """The transaction's, for whatever else it is to read or write. What the turn has changed in the
        contact is there to read, and what is changed there now stays; what it changes in the conversation is
        written at its end."""
        save_contact(self.transaction, self.taken)
        return self.transaction.session

    def enqueue(
        self, message: Outbound, reference: str, inbound_id: int, category: Category = Category.TRANSACTIONAL
    ) -> None:
        """Put a message at the end of the conversation's outbox."""
        self.queued += 1
        self.taken.positions += 1
        position = self.taken.positions
        row = message_row(self.conversation_id, position, message, reference, self.now, inbound_id, category)
        self.transaction.run(INSERT_MESSAGE, row)


def enqueue(
    session: Session,
    conversation: ConversationRow,
    message: Outbound,
    reference: str,
    now: datetime,
    inbound_id: int | None,
    category: Category = Category.TRANSACTIONAL,
) -> None:
    """As `Work.enqueue`, outside of a turn. The conversation's row must be locked: it numbers messages."""
    conversation.positions += 1
    position = conversation.positions
    session.add(
        OutboxRow(**message_row(conversation.id, position, message, reference, now, inbound_id, category))
    )


class Turn:
    """What middleware sees.

    `received` and `contact` are there from the session middleware inwards, and stay after it. `step`
    is the engine's, once the flow has run; set `trace` before that to have its trace filled.
    `locale` is the contact's. A turn that doesn't `wait` is idle where another process has the
    conversation in hand.
    """

    __slots__ = (
        "_work", "contact", "conversation_id", "error", "locale", "outcome", "received", "step", "trace",
        "wait",
    )  # fmt: skip

    def __init__(self, conversation_id: int, *, wait: bool = True, trace: bool = False) -> None:
        self.conversation_id = conversation_id
        self.wait = wait
        self.trace = trace
        self.outcome = Outcome.IDLE
        self.received: Received | None = None
        self.contact: Contact | None = None
        self.locale = ""
        self.step: Step | None = None
        self.error: Exception | None = None
        self._work: Work | None = None

    @property
    def message(self) -> Inbound | None:
        """The contact's message; None where a timer or an effect caused the turn."""
        return self.received.message if self.received else None

    @property
    def work(self) -> Work:
        """Raises ConfigurationError outside of the session middleware."""
        if self._work is None:
            raise ConfigurationError("the turn has no transaction here: stand inside the session middleware")
        return self._work

    def begin(self, work: Work, received: Received, contact: Contact) -> None:
        self._work, self.received, self.contact = work, received, contact
        self.locale = contact.locale

    def end(self) -> None:
        self._work = None
