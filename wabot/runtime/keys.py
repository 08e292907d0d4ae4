"""Keys of the HTTP API: made once, shown once, and kept as a hash alone."""

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, text, update
from sqlalchemy.orm import Session

from wabot.core.database import Database
from wabot.core.ports import Clock
from wabot.core.tables import ApiKeyRow
from wabot.errors import NotFound, UsageError

ADMIN = "admin"
"""The scope that has all others in it."""
SCOPES = (
    "conversations:read",
    "conversations:write",
    "contacts:read",
    "contacts:write",
    "messages:read",
    "messages:write",
    "metrics:read",
    ADMIN,
)
"""What a key may be for, besides `<module>:read` and `<module>:write` of each module."""

_TOKEN = re.compile(r"wabot_([0-9a-f]{12})_[A-Za-z0-9_-]{43}")
# Compared with where there is no such key, so that both cases take the same time.
_NOBODY = hashlib.sha256(b"").hexdigest()


@dataclass(frozen=True, slots=True)
class ApiKey:
    """What may be shown of a key. `prefix` names it."""

    name: str
    prefix: str
    scopes: frozenset[str]
    created_at: datetime
    revoked_at: datetime | None

    def may(self, scope: str) -> bool:
        """Whether it is for this. Who may write may read too."""
        resource, _, verb = scope.partition(":")
        wanted = {ADMIN, scope} | ({f"{resource}:write"} if verb == "read" else set())
        return not wanted.isdisjoint(self.scopes)


def known_scopes(modules: Iterable[str]) -> list[str]:
    """Every scope of an app with these modules."""
    return sorted({*SCOPES, *(f"{name}:{verb}" for name in modules for verb in ("read", "write"))})


def new_key(database: Database, clock: Clock, name: str, scopes: Iterable[str]) -> tuple[ApiKey, str]:
    """A new key, and the secret that nobody will be shown again: 256 random bits behind its prefix.

    Raises UsageError for a key without a name or a scope, and where a key that works has this name already.
    """
    name, wanted = name.strip()[:255], sorted(set(scopes))
    if not name or not wanted:
        raise UsageError(
            "a key needs a name, and at least one scope", hint="wabot keys new crm --scope admin"
        )
    prefix = secrets.token_hex(6)
    secret = f"wabot_{prefix}_{secrets.token_urlsafe(32)}"
    row = ApiKeyRow(name=name, prefix=prefix, hash=_hash(secret), scopes=wanted, created_at=clock.now())
    with database.transaction() as session:
        _is_free(session, name)
        session.add(row)
        session.commit()
    return _shown(row), secret


def api_keys(database: Database) -> Sequence[ApiKey]:
    """All keys in the order they were made, those that were revoked too."""
    with database.reading() as session:
        return [_shown(row) for row in session.scalars(select(ApiKeyRow).order_by(ApiKeyRow.id))]


def any_key(database: Database) -> bool:
    """Whether there is a key that opens anything."""
    with database.reading() as session:
        query = select(ApiKeyRow.id).where(ApiKeyRow.revoked_at.is_(None)).limit(1)
        return session.scalar(query) is not None


def revoke(database: Database, clock: Clock, prefix: str) -> bool:
    """From now on the key opens nothing; False where that was so before. Raises NotFound.

    The whole secret will do for the prefix.
    """
    whole = _TOKEN.fullmatch(prefix)
    named = ApiKeyRow.prefix == (whole[1] if whole else prefix.removeprefix("wabot_").rstrip("_"))
    with database.transaction() as session:
        if session.scalar(select(ApiKeyRow.id).where(named)) is None:
            raise NotFound("there is no such key", hint="wabot keys list shows them by their prefixes")
        statement = update(ApiKeyRow).where(named, ApiKeyRow.revoked_at.is_(None))
        changed = session.execute(statement.values(revoked_at=clock.now()).returning(ApiKeyRow.id)).first()
        session.commit()
    return changed is not None


def find_key(database: Database, secret: str) -> ApiKey | None:
    """The key with this secret, unless it was revoked."""
    key = known_key(database, secret)
    return key if key is not None and key.revoked_at is None else None


def known_key(database: Database, secret: str) -> ApiKey | None:
    """The key with this secret, be it revoked; compared in constant time."""
    told = _TOKEN.fullmatch(secret)
    if told is None:
        return None
    with database.reading() as session:
        row = session.scalars(select(ApiKeyRow).where(ApiKeyRow.prefix == told[1])).one_or_none()
    genuine = hmac.compare_digest(_hash(secret), row.hash if row else _NOBODY)
    return _shown(row) if row is not None and genuine else None


def _is_free(session: Session, name: str) -> None:
    """Raises UsageError where a key that works has this name. Until the transaction ends none gets it."""
    # SQLite's transaction holds the only write lock by itself.
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("LOCK TABLE api_key IN SHARE ROW EXCLUSIVE MODE"))
    query = select(ApiKeyRow.prefix).where(ApiKeyRow.name == name, ApiKeyRow.revoked_at.is_(None))
    if prefix := session.scalar(query.limit(1)):
        raise UsageError(
            f'there is a key "{name}" already, {prefix}',
            hint=f"take another name, or revoke it first: wabot keys revoke {prefix}",
        )


def _hash(secret: str) -> str:
    """One round is enough: a secret of 256 random bits can't be guessed, however fast."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _shown(row: ApiKeyRow) -> ApiKey:
    return ApiKey(row.name, row.prefix, frozenset(row.scopes), row.created_at, row.revoked_at)
