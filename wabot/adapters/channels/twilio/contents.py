"""Contents: made at Twilio once for each shape, and remembered for all processes and restarts.

A content is made while its first message is being sent: outside of any turn, and outside of any
transaction. Its name at Twilio is that of its shape, so one that was made and not written down, because
its maker was killed, is found there again.
"""

import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

from sqlalchemy import Table, delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError
from twilio.base.exceptions import TwilioException
from twilio.rest import Client
from twilio.rest.content.v1.content import ContentList

from wabot.adapters.channels.twilio.errors import asked
from wabot.adapters.channels.twilio.line import AnswerLost, NotReached
from wabot.adapters.channels.twilio.rendering import Rich
from wabot.core.database import Database
from wabot.core.log import get_logger
from wabot.core.ports import Clock
from wabot.core.refusals import Refusal, refused
from wabot.core.tables import ContentRow
from wabot.errors import NotSent, RecordError, SendUnknown, Undeliverable

LANGUAGE = "en"
"""A content must have one. The words are all variables, so it says nothing."""
_PAGE = 50


class Contents:
    """`database` gives the app's, once it is open."""

    def __init__(
        self, client: Client, channel: str, account: str, database: Callable[[], Database], clock: Clock
    ) -> None:
        self._client = client
        self._channel = channel
        self._account = account
        self._database = database
        self._clock = clock
        self._known: dict[str, str] = {}
        self._refused: set[str] = set()
        self._one_at_a_time = threading.Lock()

    def of(self, rich: Rich) -> str | None:
        """The SID of this shape's content; None where Twilio doesn't want such a one.

        Raises NotSent where it can't be had now.
        """
        shape = _hash({"types": rich.types})
        if shape in self._refused:
            return None
        try:
            return self._sid(shape, lambda: self._found_or_made(rich, shape))
        except Undeliverable as error:
            self._refused.add(shape)
            get_logger().warning(
                "content_refused", channel=self._channel, kind=rich.kind, code=error.code or ""
            )
            return None

    def named(self, name: str, language: str) -> str:
        """The SID of the content that has this name at Twilio, and this language where one is given.

        Raises Undeliverable where there is none, NotSent where that can't be told now.
        """
        return self._sid(
            _hash({"name": name, "language": language}), lambda: (self._template(name, language), False)
        )

    def forget(self, sid: str) -> None:
        """Twilio knows this content no longer."""
        with self._one_at_a_time:
            self._known = {shape: known for shape, known in self._known.items() if known != sid}
        with _on_record(), self._database().transaction() as session:
            session.execute(delete(ContentRow).where(*self._ours(), ContentRow.provider_id == sid))
            session.commit()

    def _sid(self, shape: str, make: Callable[[], tuple[str, bool]]) -> str:
        known = self._known.get(shape)
        if known is not None:
            return known
        with self._one_at_a_time:
            known = self._known.get(shape) or self._written(shape)
            if known is None:
                sid, mine = _before_sending(make)
                known = self._write(shape, sid)
                if mine and known != sid:
                    self._drop(sid)
            self._known[shape] = known
            return known

    def _written(self, shape: str) -> str | None:
        with _on_record(), self._database().reading() as session:
            query = select(ContentRow.provider_id).where(*self._ours(), ContentRow.shape == shape)
            return session.scalar(query)

    def _write(self, shape: str, sid: str) -> str:
        """What is remembered for this shape: this one, or that of a process that was faster."""
        values = {
            "channel": self._channel,
            "account": self._account,
            "shape": shape,
            "provider_id": sid,
            "created_at": self._clock.now(),
        }
        table = cast("Table", ContentRow.__table__)
        with _on_record(), self._database().transaction() as session:
            insert = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
            session.execute(insert(table).values(values).on_conflict_do_nothing())
            session.commit()
        return self._written(shape) or sid

    def _found_or_made(self, rich: Rich, shape: str) -> tuple[str, bool]:
        name = f"wabot-{rich.kind}-{shape[:16]}"
        found = self._by_name(name)
        if found:
            return str(found[0].sid), False
        request = ContentList.ContentCreateRequest(
            {"friendly_name": name, "language": LANGUAGE, "variables": rich.samples, "types": rich.types}
        )
        made = asked(lambda: self._client.content.v1.contents.create(request))
        if not made.sid:
            raise SendUnknown("Twilio made a content and did not name it")
        return str(made.sid), True

    def _template(self, name: str, language: str) -> str:
        wanted = _plain(language)
        found = [each for each in self._by_name(name) if _plain(each.language or "").startswith(wanted)]
        exact = [each for each in found if _plain(each.language or "") == wanted]
        for each in exact or found:
            return str(each.sid)
        there = f'no content called "{name}"' + (f' in "{language}"' if language else "")
        raise refused(Refusal.NEVER, f"Twilio has {there}", "no_content")

    def _by_name(self, name: str) -> list[Any]:
        """The newest first. `ContentName` is a pattern, so more come than are meant."""
        contents = self._client.content.v2.contents
        found = asked(
            lambda: contents.list(content_name=name, sort_by_date="desc", page_size=_PAGE, limit=4 * _PAGE)
        )
        return [each for each in found if each.friendly_name == name]

    def _drop(self, sid: str) -> None:
        try:
            self._client.content.v1.contents(sid).delete()
        except (TwilioException, NotReached, AnswerLost):
            get_logger().warning("content_left_over", channel=self._channel, content=sid)

    def _ours(self) -> tuple[Any, ...]:
        return ContentRow.channel == self._channel, ContentRow.account == self._account


@contextmanager
def _on_record() -> Iterator[None]:
    """Where the database can't be used now, the message has not been sent."""
    try:
        yield
    except (SQLAlchemyError, RecordError) as error:
        raise NotSent(f"contents can't be remembered now: {type(error).__name__}") from error


def _before_sending(make: Callable[[], tuple[str, bool]]) -> tuple[str, bool]:
    """Whatever became of the content, the message has not been sent."""
    try:
        return make()
    except SendUnknown as error:
        raise NotSent(error.message) from error


def _plain(language: str) -> str:
    return language.replace("-", "_").casefold()


def _hash(value: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
