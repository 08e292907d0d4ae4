"""What the outside gives: time, ids, a channel, a bell. Each can be replaced: nothing else asks for them."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol, runtime_checkable
from uuid import uuid4

from wabot.core.messages import Outbound


class Clock(Protocol):
    def now(self) -> datetime:
        """The time, aware, in UTC."""
        ...


class Ids(Protocol):
    def new(self) -> str:
        """A new id: letters, digits and dashes, never the same twice."""
        ...


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)


class RandomIds:
    def new(self) -> str:
        return uuid4().hex


class GivenId:
    """One that was made before."""

    def __init__(self, id: str) -> None:
        self._id = id

    def new(self) -> str:
        return self._id


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a channel can show; without it the sender writes the options as numbered text.

    `window` is how long after the contact's last message free-form ones are taken (`core.limits`); None
    for always. Within it a message goes in its own words, beyond it as its template or not at all.
    `paced`: the provider takes only so many messages a second of one sender of ours (`[sending]`).
    """

    buttons: bool = True
    lists: bool = True
    window: timedelta | None = None
    paced: bool = False


class Channel(Protocol):
    """A way to the contact: Twilio, Meta, a terminal. `name` is also `Inbound.channel`."""

    @property
    def name(self) -> str: ...
    @property
    def capabilities(self) -> Capabilities: ...

    def send(self, to: str, sender: str, message: Outbound, reference: str) -> str:
        """The provider's id of the message, once the provider has taken it.

        `reference` is ours, the same whenever this message is tried again; give it to the provider.
        Raises NotSent, Undeliverable or SendUnknown; anything else counts as SendUnknown.
        """
        ...


@runtime_checkable
class Lookup(Protocol):
    """What a channel has beside that can tell whether a message of unknown fate was taken."""

    def find(self, to: str, reference: str) -> str | None:
        """The provider's id of the message with this reference; None if there surely is none.

        Raises SendError where it can't be told now.
        """
        ...


@runtime_checkable
class Bounded(Protocol):
    """What a channel has beside that knows when the provider has answered, or never will."""

    @property
    def answers_within(self) -> timedelta:
        """The longest that the call which hands over a message takes: `[runtime] lease` is more."""
        ...


class Doorbell(Protocol):
    def ring(self, conversation_id: int) -> None:
        """There is work for this conversation. A ring may get lost: the sweeper finds the work too."""
        ...


class NoDoorbell:
    """Where nothing sleeps, nothing has to be woken."""

    def ring(self, conversation_id: int) -> None:
        return None
