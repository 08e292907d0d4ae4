"""Messages on their way out: claimed with a lease, sent, and settled where their fate isn't known.

    pending --claim--> claimed --taken by the provider--> sent
       ^                  |----refused before it left: pending, later and later (`runtime.fate`)
       |                  |----will never be accepted: failed
       |                  '----time-out, or the lease ran out: unknown, for a grace period
       '--once more------ unknown --found at the provider--> sent

A conversation's messages leave in their order: while one is open, those behind it wait.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import Any, TypeVar

from pydantic import ValidationError
from sqlalchemy import Update, bindparam, exists, false, literal, literal_column, or_, select, update
from sqlalchemy.orm import aliased

from wabot.core.circuits import Breaker, MemoryBreaker
from wabot.core.database import Database, UtcDateTime
from wabot.core.faults import crash_point
from wabot.core.log import describe, get_logger, hash_phone
from wabot.core.messages import Outbound
from wabot.core.metrics import SENDS, Metrics, NoMetrics
from wabot.core.ports import Channel, Clock, Lookup
from wabot.core.statements import Prepared
from wabot.core.tables import Category, ContactRow, ConversationRow, InboundRow, OutboxRow, SendStatus
from wabot.core.transaction import Transaction
from wabot.errors import CircuitOpen, NotSent, SendError, SendUnknown, Undeliverable
from wabot.runtime.due import any_due
from wabot.runtime.fate import Fate, SendOutcome, SendPolicy, refused, suppress, why
from wabot.runtime.policy import Form, Leaving, shaped
from wabot.runtime.rendering import fit

T = TypeVar("T")

CIRCUIT_OPEN = "circuit_open"
"""The code of a message that waits for its channel to work again."""
UNREADABLE = "unreadable"
"""The code of a message whose row holds none."""


Decide = Callable[[Leaving, datetime], SendError | Form]
"""Asked within the claim's transaction, right before a message leaves: a form lets it go, `NotSent` holds
it back for later, `Undeliverable` fails it. `runtime.policy.Policy` is the one that knows the platform's
rules."""


@dataclass(frozen=True, slots=True)
class _Claim(Leaving):
    """A message in hand. `status` is what it was before, and `until` when the lease ends."""

    id: int
    status: str
    attempts: int
    resent: bool
    conversation_id: int
    phone: str
    reference: str
    correlation: str | None
    created_at: datetime
    form: Form = Form.AS_IS
    until: datetime | None = None

    @property
    def settles(self) -> bool:
        return self.status == SendStatus.UNKNOWN

    @property
    def once_more(self) -> bool:
        return self.category == Category.TRANSACTIONAL and not self.resent


@dataclass(frozen=True, slots=True)
class _Sent:
    claim: _Claim
    fate: Fate


class Sender:
    """Sends what is due, one message after the other.

    `channels` are by name; messages for others are left alone. `decide` is asked before each leaves,
    `breaker` whether its channel, which is the circuit's name, works at all.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        channels: Mapping[str, Channel],
        policy: SendPolicy | None = None,
        log_key: bytes = b"",
        decide: Decide | None = None,
        breaker: Breaker | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._channels = channels
        self._policy = policy or SendPolicy()
        self._log_key = log_key
        self._decide = decide or _let_go
        self._breaker = breaker or MemoryBreaker(clock)
        self._metrics = metrics or NoMetrics()
        self._log = get_logger()
        self._heads = _heads(channels)

    def send_next(self) -> SendOutcome | None:
        """Bring the message that is due longest one step further; None where none is due."""
        return next(iter(self.send_due(1)), None)

    def send_due(self, limit: int, stop: Callable[[], bool] = lambda: False) -> list[SendOutcome]:
        """Bring up to `limit` messages, those due longest first, one step further; fewer if `stop()`.

        What came of one is committed together with the claim of the next.
        """
        outcomes: list[SendOutcome] = []
        sent: _Sent | None = None
        while True:
            more = len(outcomes) < limit and not stop()
            if sent is None and not more:
                return outcomes
            found, sent = self._mark_and_claim(sent, more), None
            if found is None:
                return outcomes
            if isinstance(found, _Claim):
                crash_point("send.after_claim")
                found = sent = self._bring(found)
                crash_point("send.before_mark")
            self._tell(found)
            outcomes.append(found.fate.outcome)

    def _bring(self, claim: _Claim) -> _Sent:
        return _Sent(claim, self._settle(claim) if claim.settles else self._send(claim))

    def _tell(self, sent: _Sent) -> None:
        claim, fate = sent.claim, sent.fate
        self._metrics.count(SENDS, channel=claim.channel, outcome=fate.outcome.value)
        self._log.info(
            "send",
            outcome=fate.outcome.value,
            outbox=claim.id,
            attempts=claim.attempts,
            conversation=claim.conversation_id,
            contact=hash_phone(claim.phone, self._log_key),
            correlation=claim.correlation or "",
            code=fate.changes.get("code", ""),
        )

    def _mark_and_claim(self, sent: _Sent | None, more: bool) -> _Claim | _Sent | None:
        # A look first (`runtime.due`).
        if sent is None and self._database.alone(_ANY_DUE, {"now": self._clock.now()}) is None:
            return None
        with self._database.turn() as transaction:
            if sent is not None:
                _mark(transaction, sent, self._clock.now())
            found = self._claim(transaction) if more else None
            transaction.commit()
            return found

    def _claim(self, transaction: Transaction) -> _Claim | _Sent | None:
        """The head of a line, held for us by its lease; or what became of one that isn't to be sent now."""
        now = self._clock.now()
        row = transaction.one(self._heads, {"now": now})
        if row is None:
            return None
        claim = _Claim(*row)
        if claim.status == SendStatus.CLAIMED:
            lost = SendUnknown("whoever sent it did not say what came of it")
            return _put_off(transaction, _Sent(claim, self._unknown(lost)))
        claim = replace(claim, attempts=claim.attempts + 1, until=now + self._policy.lease)
        decided = Form.AS_IS if claim.settles else self._decide(claim, now)
        if isinstance(decided, SendError):
            return _put_off(transaction, self._refused(claim, decided))
        held = {"attempts": claim.attempts, "due_at": claim.until}
        status = SendStatus.UNKNOWN if claim.settles else SendStatus.CLAIMED
        _change(transaction, claim, {"status": status, **held})
        return replace(claim, form=decided)

    def _refused(self, claim: _Claim, error: SendError) -> _Sent:
        fate = refused(claim, error, self._clock.now(), self._policy)
        return _Sent(claim, replace(fate, changes={**fate.changes, "attempts": claim.attempts}))

    def _send(self, claim: _Claim) -> Fate:
        now = self._clock.now()
        if claim.until is not None and now >= claim.until:
            # This process slept. Another may have sent it since; where none has, it is pending again.
            late = NotSent("its lease was over before it was sent")
            return refused(claim, late, now, self._policy)
        channel = self._channels[claim.channel]
        tried = claim
        try:
            message = fit(shaped(_read(claim), claim.form), channel.capabilities)
            tried = replace(claim, as_template=message.template is not None)
            provider_id = self._ask(
                claim, lambda: channel.send(claim.phone, claim.sender, message, claim.reference)
            )
        except (NotSent, Undeliverable) as error:
            return refused(tried, error, self._clock.now(), self._policy)
        except SendUnknown as error:
            return self._unknown(error)
        except Exception as error:  # noqa: BLE001 - an adapter's bug may come after the message left
            self._log.error("channel", channel=claim.channel, **describe(error))
            return self._unknown(SendUnknown(f"{type(error).__name__}: {error}"))
        return self._sent(provider_id, tried.as_template)

    def _ask(self, claim: _Claim, question: Callable[[], T]) -> T:
        """What the channel says, unless it failed too often lately: then NotSent."""
        try:
            return self._breaker.call(claim.channel, question, ignore=_answered)
        except CircuitOpen as error:
            raise NotSent(error.message, code=CIRCUIT_OPEN) from None

    def _settle(self, claim: _Claim) -> Fate:
        """Ask the provider, where it can tell; else a transactional message goes once more."""
        channel, now = self._channels[claim.channel], self._clock.now()
        again = {"status": SendStatus.PENDING, "due_at": now}
        if not isinstance(channel, Lookup):
            if claim.once_more:
                return Fate(SendOutcome.LATER, {**again, "resent": True})
            return Fate(SendOutcome.UNKNOWN, {"due_at": None})
        try:
            provider_id = self._ask(claim, lambda: channel.find(claim.phone, claim.reference))
        except SendError as error:
            if now - claim.created_at >= self._policy.give_up:
                return Fate(SendOutcome.UNKNOWN, {"due_at": None, **why(error)})
            return self._unknown(error)
        if provider_id is not None:
            return self._sent(provider_id, claim.as_template)
        return Fate(SendOutcome.LATER, again)

    def _sent(self, provider_id: str, as_template: bool) -> Fate:
        done = {"status": SendStatus.SENT, "provider_id": provider_id, "sent_at": self._clock.now()}
        known = {"due_at": None, "code": "", "reason": "", "as_template": as_template}
        return Fate(SendOutcome.SENT, done | known)

    def _unknown(self, error: SendError) -> Fate:
        due_at = self._clock.now() + self._policy.grace
        return Fate(SendOutcome.UNKNOWN, {"status": SendStatus.UNKNOWN, "due_at": due_at, **why(error)})


def _let_go(_message: Leaving, _now: datetime) -> Form:
    return Form.AS_IS


def _answered(error: Exception) -> bool:
    """Whether the provider answered, with a code of its own, and only did not want this message."""
    return isinstance(error, Undeliverable) or (isinstance(error, NotSent) and bool(error.code))


def _read(claim: _Claim) -> Outbound:
    """The claimed message. Raises Undeliverable where its row holds none."""
    try:
        return Outbound.model_validate(claim.message)
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        told = f"{where}: {first['msg']}" if where else first["msg"]
        raise Undeliverable(f"its row holds no message that can be read ({told})", code=UNREADABLE) from error


def _put_off(transaction: Transaction, sent: _Sent) -> _Sent:
    _change(transaction, sent.claim, sent.fate.changes)
    return sent


def _change(transaction: Transaction, claim: _Claim, changes: Mapping[str, Any]) -> None:
    transaction.run(_changing(tuple(changes)), {"key": claim.id, **changes})


def _mark(transaction: Transaction, sent: _Sent, now: datetime) -> None:
    """Write what came of it, unless a receipt told more, or the row was claimed by another since.

    A receipt that came before the answer may have put the message back in line already.
    """
    claim, fate = sent.claim, sent.fate
    mine = {"key": claim.id, "claimed": claim.attempts}
    marked = transaction.one(_marking(tuple(fate.changes)), {**mine, **fate.changes})
    if marked is None and fate.outcome is SendOutcome.SENT:
        transaction.run(_NAME, {**mine, "provider_id": fate.changes["provider_id"]})
    if fate.suppress:
        suppress(transaction.session, claim.conversation_id, now)


def _update(names: Iterable[str]) -> Update:
    changes: dict[str, Any] = {name: bindparam(name) for name in names}
    return update(OutboxRow).where(OutboxRow.id == bindparam("key")).values(changes)


@lru_cache
def _changing(names: tuple[str, ...]) -> Prepared:
    return Prepared(lambda _dialect: _update(names))


def _mine(names: tuple[str, ...]) -> Update:
    still = (OutboxRow.attempts == bindparam("claimed"), OutboxRow.status != SendStatus.PENDING)
    return _update(names).where(*still)


@lru_cache
def _marking(names: tuple[str, ...]) -> Prepared:
    return Prepared(
        lambda _dialect: _mine(names).where(OutboxRow.due_at.is_not(None)).returning(OutboxRow.id)
    )


_NAME = Prepared(lambda _dialect: _mine(("provider_id",)).where(OutboxRow.provider_id.is_(None)))

_ANY_DUE = any_due(OutboxRow)


def _heads(channels: Iterable[str]) -> Prepared:
    """The message due longest (by `:now`) that has no open one before it in its conversation, in the order of
    `_Claim`."""
    earlier = aliased(OutboxRow)
    waits = exists().where(
        earlier.conversation_id == OutboxRow.conversation_id,
        earlier.due_at.is_not(None),
        earlier.position < OutboxRow.position,
    )
    now = bindparam("now", type_=UtcDateTime)
    ours = or_(false(), *(ConversationRow.channel == literal(name) for name in channels))
    columns = (
        ConversationRow.channel,
        ConversationRow.sender,
        OutboxRow.category,
        OutboxRow.message,
        OutboxRow.as_template,
        ConversationRow.last_message_at,
        ContactRow.opted_out_at,
        OutboxRow.id,
        OutboxRow.status,
        OutboxRow.attempts,
        OutboxRow.resent,
        OutboxRow.conversation_id,
        ContactRow.phone,
        OutboxRow.reference,
        InboundRow.correlation,
        OutboxRow.created_at,
    )
    query = (
        select(*columns)
        .join(ConversationRow, ConversationRow.id == OutboxRow.conversation_id)
        .join(ContactRow, ContactRow.id == ConversationRow.contact_id)
        .outerjoin(InboundRow, InboundRow.id == OutboxRow.inbound_id)
        .where(OutboxRow.due_at <= now, ~waits, ours)
        .order_by(OutboxRow.due_at, OutboxRow.id)
        .limit(literal_column("1"))
        .with_for_update(of=OutboxRow, skip_locked=True, key_share=True)
    )
    return Prepared(lambda _dialect: query)
