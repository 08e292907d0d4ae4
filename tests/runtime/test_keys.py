import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing
from datetime import timedelta

import pytest
from sqlalchemy import select

from wabot.core.database import Database
from wabot.core.migrate import upgrade
from wabot.core.tables import ApiKeyRow
from wabot.errors import NotFound, UsageError
from wabot.runtime.keys import any_key, api_keys, find_key, known_scopes, new_key, revoke
from wabot.testing.fakes import ManualClock


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    made = Database(database_url)
    upgrade(made)
    yield made
    made.close()


def test_of_a_key_only_its_hash_is_kept(database: Database) -> None:
    made, secret = new_key(database, ManualClock(), " crm ", ["orders:read", "contacts:write", "orders:read"])
    with database.reading() as session:
        row = session.scalars(select(ApiKeyRow)).one()
    assert row.hash == hashlib.sha256(secret.encode()).hexdigest()
    assert secret.startswith(f"wabot_{row.prefix}_")
    assert len(secret.removeprefix(f"wabot_{row.prefix}_")) == 43
    assert (row.name, row.scopes) == ("crm", ["contacts:write", "orders:read"])
    assert find_key(database, secret) == made


def test_no_two_keys_are_alike(database: Database) -> None:
    made = [new_key(database, ManualClock(), f"crm {number}", ["admin"]) for number in range(5)]
    assert len({secret for _, secret in made}) == len({key.prefix for key, _ in made}) == 5


def test_another_secret_behind_the_same_prefix_is_no_key(database: Database) -> None:
    made, secret = new_key(database, ManualClock(), "crm", ["admin"])
    for wrong in (
        secret[:-1],
        secret[:-1] + ("A" if secret[-1] != "A" else "B"),
        secret.upper(),
        f"wabot_{made.prefix}_",
        f"wabot_{'0' * 12}_{'x' * 43}",
        made.prefix,
        f"{secret} ",
        f"{secret}\n",
        "",
        "' or 1=1 --",
    ):
        assert find_key(database, wrong) is None


def test_a_key_that_is_revoked_is_none_any_more(database: Database) -> None:
    clock = ManualClock()
    made, secret = new_key(database, clock, "crm", ["admin"])
    assert any_key(database)
    clock.advance(timedelta(days=1))
    assert revoke(database, clock, made.prefix)
    assert not revoke(database, clock, made.prefix)
    assert find_key(database, secret) is None
    assert not any_key(database)
    assert [key.revoked_at for key in api_keys(database)] == [clock.now()]


def test_a_key_is_revoked_by_its_prefix_or_as_a_whole(database: Database) -> None:
    clock = ManualClock()
    for form in ("{prefix}", "wabot_{prefix}", "wabot_{prefix}_", "{secret}"):
        made, secret = new_key(database, clock, "crm", ["admin"])
        assert revoke(database, clock, form.format(prefix=made.prefix, secret=secret))
    with pytest.raises(NotFound):
        revoke(database, clock, "000000000000")


def test_no_two_keys_that_work_have_one_name(database: Database) -> None:
    clock = ManualClock()
    first, _ = new_key(database, clock, "crm", ["admin"])
    with pytest.raises(UsageError, match=f'a key "crm" already, {first.prefix}') as refused:
        new_key(database, clock, " crm ", ["metrics:read"])
    assert f"wabot keys revoke {first.prefix}" in str(refused.value)
    new_key(database, clock, "shop", ["admin"])
    revoke(database, clock, first.prefix)
    new_key(database, clock, "crm", ["admin"])
    assert [key.name for key in api_keys(database)] == ["crm", "shop", "crm"]


def test_who_makes_a_key_waits_for_another_who_does(shared_url: str) -> None:
    with closing(Database(shared_url)) as database, ThreadPoolExecutor(1) as pool:
        upgrade(database)
        clock = ManualClock()
        with database.transaction() as session:
            session.add(ApiKeyRow(name="crm", prefix="1", hash="", scopes=["admin"], created_at=clock.now()))
            session.flush()
            made = pool.submit(new_key, database, clock, "crm", ["admin"])
            assert wait([made], 0.3).not_done
            session.commit()
        assert isinstance(made.exception(30), UsageError)
        assert [key.prefix for key in api_keys(database)] == ["1"]


@pytest.mark.parametrize(("name", "scopes"), [("", ["admin"]), ("  ", ["admin"]), ("crm", [])])
def test_a_key_needs_a_name_and_a_scope(database: Database, name: str, scopes: list[str]) -> None:
    with pytest.raises(UsageError, match="needs a name"):
        new_key(database, ManualClock(), name, scopes)
    assert not any_key(database)


def test_the_scopes_of_modules_are_known(database: Database) -> None:
    known = known_scopes(["loyalty"])
    assert {"loyalty:read", "loyalty:write", "admin", "metrics:read"} <= set(known)
    key, _ = new_key(database, ManualClock(), "crm", ["loyalty:write"])
    assert (key.may("loyalty:write"), key.may("loyalty:read"), key.may("orders:read")) == (True, True, False)
    assert not key.may("admin")
