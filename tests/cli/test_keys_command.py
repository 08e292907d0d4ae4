from pathlib import Path

from tests.cli.terminal import wabot
from wabot.bootstrap import load_settings
from wabot.core.database import Database
from wabot.runtime.keys import find_key


def test_a_key_is_shown_once_and_listed_by_its_prefix(project: Path) -> None:
    assert "no key yet" in wabot("keys", "list").out
    made = wabot("keys", "new", "crm", "--scope", "messages:read", "--scope", "contacts:write")
    assert made.code == 0
    secret = made.out.splitlines()[0]
    assert "contacts:write, messages:read" in made.out
    listed = wabot("keys", "list").out
    assert secret.split("_")[1] in listed
    assert "crm" in listed
    assert secret.split("_", 2)[2] not in listed


def test_a_key_works_until_it_is_revoked(project: Path) -> None:
    made = wabot("keys", "new", "boss", "--scope", "admin", "--json").json
    assert made["scopes"] == ["admin"]
    database = Database(load_settings(project).database_url)
    assert find_key(database, made["key"])
    assert "opens nothing" in wabot("keys", "revoke", made["prefix"]).out
    assert find_key(database, made["key"]) is None
    database.close()
    assert "revoked before" in wabot("keys", "revoke", made["prefix"]).out
    assert wabot("keys", "revoke", made["prefix"], "--json").json == {"revoked": False}
    (listed,) = wabot("keys", "list", "--json").json
    assert listed["revoked_at"]
    assert "key" not in listed
    assert "revoked" in wabot("keys", "list").out


def test_what_can_t_be_made_or_revoked_is_explained(project: Path) -> None:
    wrong = wabot("keys", "new", "crm", "--scope", "message:read")
    assert (wrong.code, "did you mean" in wrong.err) == (2, True)
    strange = wabot("keys", "new", "crm", "--scope", "zzz")
    assert (strange.code, "messages:read" in strange.err) == (2, True)
    none = wabot("keys", "new", "crm")
    assert (none.code, "at least one scope" in none.err) == (2, True)
    gone = wabot("keys", "revoke", "000000000000")
    assert (gone.code, "no such key" in gone.err) == (1, True)


def test_a_name_is_taken_until_its_key_is_revoked(project: Path) -> None:
    first = wabot("keys", "new", "crm", "--scope", "admin", "--json").json["prefix"]
    again = wabot("keys", "new", "crm", "--scope", "metrics:read")
    assert (again.code, again.out) == (2, "")
    assert again.err == (
        f'error: there is a key "crm" already, {first}\n'
        f"  mend: take another name, or revoke it first: wabot keys revoke {first}\n"
    )
    wabot("keys", "revoke", first)
    assert wabot("keys", "new", "crm", "--scope", "admin").code == 0
