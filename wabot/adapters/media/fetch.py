"""Fetches contacts' files, from the providers' own servers and from nowhere else."""

import hashlib
import mimetypes
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from wabot.adapters.http.addresses import Resolver, system_resolver
from wabot.adapters.http.exchange import Deadline, Exchange, Incoming, Message, Trouble, reach
from wabot.adapters.http.target import parse
from wabot.adapters.media.sources import Sought, Source
from wabot.core.database import Database
from wabot.core.media import MediaStore, Stored
from wabot.core.module import Outside
from wabot.core.tables import MediaRow
from wabot.errors import EffectError, TryAgain

MAX_BYTES = 16 * 1024 * 1024
REDIRECTS = 3
MARGIN = timedelta(seconds=15)
"""What a lease is longer than the longest fetch."""
ABOUT_BYTES = 64 * 1024
"""The most that a provider may say about a file."""

_MOVED = (301, 302, 303, 307, 308)
_OK = 200
# What may be otherwise soon: a login that is mended, a file that isn't there yet, too many requests.
_PASSING = (401, 403, 404, 408, 425, 429)
_SERVER_ERROR = 500
_NAMELESS = ("", "application/octet-stream", "binary/octet-stream")
_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,126}/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}")
# Before a file's name on a contact's machine, whichever system that was; and what no line has.
_FOLDERS = re.compile(r".*[/\\]", re.DOTALL)
_UNSEEN = re.compile(r"[\x00-\x1f\x7f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_FILENAME = 255


class _Wanted(BaseModel):
    """What the media middleware asks for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    channel: str
    inbound_id: int
    kind: Literal["image", "audio", "video", "document", "sticker"]
    url: str
    mime_type: str = ""
    filename: str = ""


class MediaFetch:
    """A `runtime.effects.Runner` for `media` effects; any thread may use it.

    `database` gives the app's, once it is bound. `timeout` is for all of one file, `tries` how often it is
    begun; what has more than `max_bytes` is not kept. `resolver` and `exchange` are the network.
    """

    def __init__(
        self,
        database: Callable[[], Database],
        store: MediaStore,
        sources: Iterable[Source],
        *,
        max_bytes: int = MAX_BYTES,
        timeout: timedelta = timedelta(seconds=60),
        tries: int = 8,
        resolver: Resolver = system_resolver,
        exchange: Exchange | None = None,
    ) -> None:
        self._database = database
        self._store = store
        self._sources = {source.channel: source for source in sources}
        self._max_bytes = max_bytes
        self._timeout = timeout
        self._tries = tries
        self._resolver = resolver
        self._exchange = exchange or Exchange(max_bytes)

    @property
    def channels(self) -> frozenset[str]:
        """Those whose files it can fetch: `App` asks for files of these alone."""
        return frozenset(self._sources)

    @property
    def lease(self) -> timedelta:
        return self._timeout + MARGIN

    @property
    def tries(self) -> int:
        return self._tries

    def repeats(self, arguments: Mapping[str, Any]) -> bool:
        return True

    def run(self, arguments: Mapping[str, Any], outside: Outside) -> dict[str, Any]:
        """`{id, inbound_id, kind, mime_type, filename, size, sha256}` of the file, which is kept by then."""
        wanted = _read(arguments)
        known = self._known(wanted.inbound_id)
        if known is not None:
            return known
        source = self._sources.get(wanted.channel)
        if source is None:
            raise EffectError(f"files of {wanted.channel} can't be fetched here", code="channel")
        try:
            with Deadline(self._timeout.total_seconds()) as deadline:
                stored, mime_type = self._fetch(source, wanted, outside.key, deadline)
        except Trouble as trouble:
            raise TryAgain(trouble.message, code=trouble.code) from trouble
        return self._record(wanted, stored, mime_type, outside)

    def _fetch(self, source: Source, wanted: _Wanted, key: str, deadline: Deadline) -> tuple[Stored, str]:
        def ask(url: str) -> bytes:
            with self._open(source, url, deadline) as about:
                return b"".join(about.chunks(ABOUT_BYTES))

        sought = source.seek(wanted.url, ask)
        self._hold_size(sought.size)
        with self._open(source, sought.url, deadline) as incoming:
            self._hold_size(incoming.length)
            mime_type = _mime_type(wanted, sought, incoming)
            chunks = _whole(incoming.chunks(self._max_bytes), sought)
            try:
                return self._store.put(f"{key}{_ending(mime_type)}", chunks), mime_type
            except OSError as error:
                raise TryAgain(f"it can't be stored: {type(error).__name__}", code="store") from error

    @contextmanager
    def _open(self, source: Source, url: str, deadline: Deadline) -> Iterator[Incoming]:
        """The answer at the end of the redirects, each of which is held against the rules anew."""
        target = parse(url)
        for _ in range(REDIRECTS + 1):
            anywhere = source.admits(target)
            addresses = reach(target, self._resolver, deadline, anywhere=anywhere)
            headers = {"User-Agent": "wabot", "Accept": "*/*", **source.headers(target)}
            with self._exchange.open(target, addresses, Message("GET", headers, None), deadline) as incoming:
                if incoming.status not in _MOVED or "location" not in incoming.headers:
                    _hold_status(incoming.status)
                    yield incoming
                    return
                target = target.join(incoming.headers["location"])
        raise EffectError(f"more than {REDIRECTS} redirects", code="redirects")

    def _hold_size(self, size: int | None) -> None:
        if size is not None and size > self._max_bytes:
            raise EffectError(
                f"the file has {size} bytes, more than {self._max_bytes}",
                code="too_large",
                details={"size": size, "max_bytes": self._max_bytes},
            )

    def _known(self, inbound_id: int) -> dict[str, Any] | None:
        with self._database().reading() as session:
            row = session.scalars(select(MediaRow).where(MediaRow.inbound_id == inbound_id)).one_or_none()
            return None if row is None else _told(row)

    def _record(self, wanted: _Wanted, stored: Stored, mime_type: str, outside: Outside) -> dict[str, Any]:
        """Written once a message, whoever else was at it."""
        row = MediaRow(
            inbound_id=wanted.inbound_id,
            conversation_id=outside.conversation_id,
            kind=wanted.kind,
            mime_type=mime_type,
            filename=_filename(wanted.filename),
            size=stored.size,
            sha256=stored.sha256,
            path=stored.path,
            created_at=outside.clock.now(),
        )
        try:
            with self._database().transaction() as session:
                session.add(row)
                session.commit()
                return _told(row)
        except IntegrityError as error:
            known = self._known(wanted.inbound_id)
            if known is None:
                raise EffectError("its message is not on record", code="arguments") from error
            return known


def _read(arguments: Mapping[str, Any]) -> _Wanted:
    try:
        return _Wanted.model_validate(arguments)
    except ValidationError as error:
        reasons = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise EffectError(f"media: {reasons}", code="arguments") from error


def _told(row: MediaRow) -> dict[str, Any]:
    names = ("id", "inbound_id", "kind", "mime_type", "filename", "size", "sha256")
    return {name: getattr(row, name) for name in names}


def _hold_status(status: int) -> None:
    if status == _OK:
        return
    message, details = f"the answer is {status}", {"status": status}
    if status in _PASSING or status >= _SERVER_ERROR:
        raise TryAgain(message, code="status", details=details)
    raise EffectError(message, code="status", details=details)


def _mime_type(wanted: _Wanted, sought: Sought, incoming: Incoming) -> str:
    """What the server says it is, else what the webhook said. Raises EffectError where that isn't of the
    message's kind: a page in a picture's place."""
    said = _bare(incoming.headers.get("content-type", ""))
    if said in _NAMELESS:
        said = _bare(sought.mime_type) or _bare(wanted.mime_type) or "application/octet-stream"
    group = {"sticker": "image", "document": ""}.get(wanted.kind, wanted.kind)
    if group and said not in (*_NAMELESS, "application/ogg") and not said.startswith(f"{group}/"):
        raise EffectError(f"it is {said}, and no {wanted.kind}", code="content_type")
    return said


def _bare(mime_type: str) -> str:
    """Without its parameters; empty where it isn't one."""
    bare = mime_type.partition(";")[0].strip().lower()
    return bare if _TYPE.fullmatch(bare) else ""


def _ending(mime_type: str) -> str:
    """For people who look into the folder; the type is on record."""
    found = mimetypes.guess_extension(mime_type, strict=True) or ""
    return found if re.fullmatch(r"\.[a-z0-9]{1,8}", found) else ""


def _whole(chunks: Iterator[bytes], sought: Sought) -> Iterator[bytes]:
    """`chunks`, to the end only where they are what the provider had said."""
    digest, size = hashlib.sha256(), 0
    for chunk in chunks:
        digest.update(chunk)
        size += len(chunk)
        yield chunk
    if size == 0 or (sought.sha256 and digest.hexdigest() != sought.sha256):
        raise TryAgain("the file is not what the provider said", code="checksum")


def _filename(name: str) -> str:
    """The name that a contact gave it, to show: without folders, and without what turns a line around."""
    return _UNSEEN.sub("", _FOLDERS.sub("", name)).strip(" .")[-_FILENAME:]
