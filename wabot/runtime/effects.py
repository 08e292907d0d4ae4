"""What is done outside the turn comes back as an event of its conversation.

An `agent` effect is finished by a person, through `finish`; any other by a worker, which claims it with
a lease, runs it, and writes result and event in one transaction.

    pending --claim--> its due time is the lease's end --done--> done, and `done.invoke.<id>`
       ^                  |----failed for good------------------> failed, and `error.invoke.<id>`
       '------later-------'----failed for now, or the lease ran out

While an effect is being run, `result` is null; between two tries it says why the last one failed. So one
whose lease ran out is told apart: whoever ran it may have done it or not. It is run again where its
runner says that this is safe, else the flow is told so (`unknown`).
"""

import hashlib
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any, Protocol

from sqlalchemy import Select, bindparam, select, update

from wabot.core.database import Database, UtcDateTime, lock
from wabot.core.faults import crash_point
from wabot.core.log import describe, get_logger
from wabot.core.metrics import EFFECTS
from wabot.core.module import Contact, Outside
from wabot.core.ports import Clock, Ids
from wabot.core.tables import ContactRow, ConversationRow, EffectRow, EffectStatus, InboundRow, Origin
from wabot.errors import EffectError, Rejected, TryAgain, TurnError, UnknownName
from wabot.pipeline.world import World
from wabot.runtime.accept import insert_event
from wabot.runtime.due import any_due

UNKNOWN = "unknown"


def finish(
    database: Database,
    clock: Clock,
    ids: Ids,
    effect_id: int,
    data: Any,
    *,
    failed: bool = False,
    attempt: int | None = None,
) -> int | None:
    """Hand `data` (plain data) to the flow as `done.invoke.<id>`, or as `error.invoke.<id>` if `failed`.

    Gives the conversation's id; None where the effect was finished or cancelled before, or, with
    `attempt`, claimed once more since. Raises UnknownName for an id that isn't there.
    """
    now = clock.now()
    with database.transaction() as session:
        row = lock(session, EffectRow, effect_id)
        if row is None:
            raise UnknownName(f"there is no effect {effect_id}")
        if row.status != EffectStatus.PENDING or attempt not in (None, row.attempts):
            return None
        row.status = EffectStatus.FAILED if failed else EffectStatus.DONE
        row.result, row.due_at, row.done_at = data, None, now
        payload = {"name": f"{'error' if failed else 'done'}.invoke.{row.name}", "key": row.key, "data": data}
        insert_event(session, Origin.RESULT, str(row.id), row.conversation_id, payload, ids.new(), now)
        crash_point("effect.before_commit")
        session.commit()
        crash_point("effect.after_commit")
        return row.conversation_id


class Runner(Protocol):
    """Does the effects of one kind. `core.module.Invoke` is one, `adapters.http.Http` another.

    `lease` is longer than `run` ever takes; `tries` bounds how often it is called for one effect.
    """

    @property
    def lease(self) -> timedelta: ...
    @property
    def tries(self) -> int: ...

    def run(self, arguments: Mapping[str, Any], outside: Outside) -> Any:
        """The result, plain data. Raises EffectError, Rejected or another TurnError where it failed for
        good, TryAgain or OSError where it may work later; anything else counts as failed for good."""
        ...

    def repeats(self, arguments: Mapping[str, Any]) -> bool:
        """Whether it may be run again although it may have been done."""
        ...


@dataclass(frozen=True, slots=True)
class EffectPolicy:
    """Pauses between two tries double from `first_pause` to `longest_pause`."""

    first_pause: timedelta = timedelta(seconds=1)
    longest_pause: timedelta = timedelta(minutes=5)

    def pause(self, effect_id: int, attempts: int, at_least: float | None = None) -> timedelta:
        """The pause after this many tries, its second half spread by the effect's id. `at_least`, in
        seconds, is what the other side asked for: granted up to `longest_pause`."""
        whole = min(self.first_pause * float(2 ** min(attempts - 1, 30)), self.longest_pause)
        spread = zlib.crc32(f"effect:{effect_id}:{attempts}".encode()) / 2**32
        asked = timedelta(seconds=min(max(at_least or 0.0, 0.0), self.longest_pause.total_seconds()))
        return max(whole / 2 + whole / 2 * spread, asked)


class EffectOutcome(StrEnum):
    """`dropped`: it was cancelled, or claimed by another, while it ran: its result means nothing."""

    DONE = "done"
    LATER = "later"
    FAILED = "failed"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True)
class Ran:
    """An effect was brought one step further. After `done` and `failed` its conversation has an event."""

    outcome: EffectOutcome
    conversation_id: int


@dataclass(frozen=True, slots=True)
class _Claim:
    id: int
    kind: str
    arguments: Any
    correlation: str
    lost: bool
    outside: Outside

    @property
    def attempt(self) -> int:
        return self.outside.attempt


@dataclass(frozen=True, slots=True)
class _Failure:
    data: dict[str, Any]
    again: bool = False
    after: float | None = None


class Effects:
    """Runs what is due, one effect a call. `runners` are by kind; effects of others are left alone.

    Any number of workers may do so at once. A call may be made more than once, where its worker was
    killed or the answer got lost; its result has its effect once.
    """

    def __init__(
        self, world: World, runners: Mapping[str, Runner], policy: EffectPolicy | None = None
    ) -> None:
        self._world = world
        self._runners = runners
        self._policy = policy or EffectPolicy()
        self._log = get_logger()
        self._next = _due(list(runners))

    @property
    def kinds(self) -> tuple[str, ...]:
        return tuple(self._runners)

    def run_next(self) -> Ran | None:
        """Run the effect that is due longest; None where none is due."""
        claim = self._claim()
        if claim is None:
            return None
        crash_point("effect.after_claim")
        runner = self._runners[claim.kind]
        if claim.lost and not self._may_repeat(claim, runner):
            found: Any = _Failure({"code": UNKNOWN, "message": "whether it was done is not known"})
        else:
            found = self._run(claim, runner)
        crash_point("effect.after_call")
        return Ran(self._record(claim, runner, found), claim.outside.conversation_id or 0)

    def _claim(self) -> _Claim | None:
        world = self._world
        now = world.clock.now()
        # A look first (`runtime.due`).
        if world.database.alone(_ANY_DUE, {"now": now}) is None:
            return None
        with world.database.transaction() as session:
            found = session.execute(self._next, {"now": now}).first()
            if found is None:
                return None
            row, contact, correlation = found
            lost = row.attempts > 0 and row.result is None
            row.attempts, row.result = row.attempts + 1, None
            row.due_at = now + self._runners[row.kind].lease
            claim = _Claim(
                row.id, row.kind, row.arguments, correlation or "", lost, self._outside(row, contact)
            )
            session.commit()
            return claim

    def _outside(self, row: EffectRow, contact: ContactRow) -> Outside:
        world = self._world
        return Outside(
            key=_key(row),
            clock=world.clock,
            attempt=row.attempts,
            contact=Contact(contact.id, contact.phone, contact.name, contact.locale or world.business.locale),
            conversation_id=row.conversation_id,
            sections=world.settings,
        )

    @staticmethod
    def _may_repeat(claim: _Claim, runner: Runner) -> bool:
        """An effect that kills whoever runs it is not run for ever."""
        return claim.attempt <= runner.tries and runner.repeats(claim.arguments)

    def _run(self, claim: _Claim, runner: Runner) -> Any:
        try:
            return runner.run(claim.arguments, claim.outside)
        except TryAgain as error:
            return _Failure(_told(error), again=True, after=error.after)
        except (EffectError, Rejected) as error:
            return _Failure(_told(error))
        except TurnError as error:
            return _Failure({"code": "arguments", "message": error.message})
        except OSError as error:
            return _Failure({"code": "connection", "message": type(error).__name__}, again=True)
        except Exception as error:  # noqa: BLE001 - a module's bug: the flow is told, the others go on
            self._log.error("effect", kind=claim.kind, effect=claim.id, **describe(error))
            return _Failure({"code": "failed", "message": type(error).__name__})

    def _record(self, claim: _Claim, runner: Runner, found: Any) -> EffectOutcome:
        failure = found if isinstance(found, _Failure) else None
        if failure and failure.again and claim.attempt < runner.tries:
            outcome = self._postpone(claim, failure)
        else:
            outcome = self._finish(claim, failure.data if failure else found, failed=failure is not None)
        self._world.metrics.count(EFFECTS, kind=claim.kind, outcome=outcome.value)
        self._log.info(
            "effect",
            outcome=outcome.value,
            kind=claim.kind,
            effect=claim.id,
            attempts=claim.attempt,
            conversation=claim.outside.conversation_id,
            correlation=claim.correlation,
            code=failure.data["code"] if failure else "",
        )
        return outcome

    def _finish(self, claim: _Claim, data: Any, *, failed: bool) -> EffectOutcome:
        world = self._world
        conversation_id = finish(
            world.database, world.clock, world.ids, claim.id, data, failed=failed, attempt=claim.attempt
        )
        if conversation_id is None:
            return EffectOutcome.DROPPED
        return EffectOutcome.FAILED if failed else EffectOutcome.DONE

    def _postpone(self, claim: _Claim, failure: _Failure) -> EffectOutcome:
        world = self._world
        due_at = world.clock.now() + self._policy.pause(claim.id, claim.attempt, failure.after)
        mine = (
            EffectRow.id == claim.id,
            EffectRow.attempts == claim.attempt,
            EffectRow.status == EffectStatus.PENDING,
        )
        with world.database.transaction() as session:
            changed = session.scalar(
                update(EffectRow)
                .where(*mine)
                .values(result=failure.data, due_at=due_at)
                .returning(EffectRow.id),
                execution_options={"synchronize_session": False},
            )
            session.commit()
        return EffectOutcome.DROPPED if changed is None else EffectOutcome.LATER


_ANY_DUE = any_due(EffectRow)


def _due(kinds: list[str]) -> Select[EffectRow, ContactRow, str]:
    """The effect due longest (by `:now`), its contact, and the correlation of what asked for it."""
    now = bindparam("now", type_=UtcDateTime)
    return (
        select(EffectRow, ContactRow, InboundRow.correlation)
        .join(ConversationRow, ConversationRow.id == EffectRow.conversation_id)
        .join(ContactRow, ContactRow.id == ConversationRow.contact_id)
        .outerjoin(InboundRow, InboundRow.id == EffectRow.inbound_id)
        .where(EffectRow.due_at <= now, EffectRow.status == EffectStatus.PENDING, EffectRow.kind.in_(kinds))
        .order_by(EffectRow.due_at, EffectRow.id)
        .limit(1)
        .with_for_update(of=EffectRow, skip_locked=True, key_share=True)
    )


def _key(row: EffectRow) -> str:
    """Ids may come again in another database; with the time they don't."""
    words = f"{row.id} {row.conversation_id} {row.key} {row.created_at.isoformat()}"
    return hashlib.sha256(words.encode()).hexdigest()[:32]


def _told(error: EffectError | Rejected) -> dict[str, Any]:
    return {**error.details, "code": error.code, "message": error.message}
