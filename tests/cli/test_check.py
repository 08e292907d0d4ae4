from pathlib import Path

import pytest

from tests.cli.terminal import wabot
from wabot.cli.new import create


def broken(project: Path) -> None:
    flow = project / "flows" / "inner.yaml"
    flow.write_text(
        flow.read_text().replace("event: answered, target: done", "event: answered, target: dune")
    )


def test_a_project_without_findings(project: Path) -> None:
    ran = wabot("check")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == "6 files checked: nothing found\n"


def test_a_project_is_found_from_within(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project / "flows")
    assert wabot("check").out == "6 files checked: nothing found\n"


def test_a_finding_with_its_line_and_its_mend(project: Path) -> None:
    broken(project)
    ran = wabot("check")
    assert ran.code == 1
    assert (
        'flows/inner.yaml:8:35: error: the target "dune" is no state  [unknown-state]\n'
        "    8 |       - {event: answered, target: dune}\n"
        "      |                                   ^\n"
        '   mend: did you mean "done"?\n'
    ) in ran.out
    assert ran.out.endswith("6 files checked: 1 error, 0 warnings\n")


def test_json(project: Path) -> None:
    broken(project)
    ran = wabot("check", "--json")
    assert ran.code == 1
    report = ran.json
    assert (report["errors"], report["warnings"], report["files"]) == (1, 0, 6)
    assert report["problems"] == [
        {
            "file": "flows/inner.yaml",
            "line": 8,
            "column": 35,
            "severity": "error",
            "code": "unknown-state",
            "message": 'the target "dune" is no state',
            "hint": 'did you mean "done"?',
        }
    ]


def test_warnings_fail_when_strict(project: Path) -> None:
    flow = project / "flows" / "inner.yaml"
    flow.write_text(flow.read_text() + "  alone: {final: true}\n")
    ran = wabot("check")
    assert ran.code == 0
    assert "[unreachable-state]" in ran.out
    assert ran.out.endswith("0 errors, 1 warning\n")
    assert wabot("check", "--strict").code == 1


def test_one_flow_is_checked_with_its_project_and_alone_reported(project: Path) -> None:
    broken(project)
    assert wabot("check", "flows/shop.yaml").out == "1 file checked: nothing found\n"
    assert wabot("check", project / "flows" / "inner.yaml").code == 1


def test_files_that_can_not_be_read_do_not_hide_others(project: Path) -> None:
    broken(project)
    (project / "flows" / "bad.yaml").write_text("{")
    (project / "flows" / "latin.yaml").write_bytes(b"flow: caf\xe9\n")
    (project / "tests" / "bad.yaml").write_text("conversation: [{contcat: Hi}]\n")
    (project / "tests" / "latin.yaml").write_bytes(b"conversation: caf\xe9\n")
    (project / "texts" / "en.yaml").write_text("a: '{{ name'\nwelcome: x\nsure: y\nbye: z\n")
    problems = wabot("check", "--json").json["problems"]
    assert [(problem["file"], problem["code"]) for problem in problems] == [
        ("flows/bad.yaml", "yaml"),
        ("flows/inner.yaml", "unknown-state"),
        ("flows/latin.yaml", "not-utf-8"),
        ("tests/bad.yaml", "test-file"),
        ("tests/latin.yaml", "not-utf-8"),
        ("texts/en.yaml", "bad-text"),
    ]


def test_a_test_file_alone(project: Path) -> None:
    (project / "tests" / "shop.yaml").write_text("conversation: [{contcat: Hi}]\n")
    ran = wabot("check", "tests/shop.yaml")
    assert ran.code == 1
    assert 'tests/shop.yaml:1:17: error: unknown key "contcat"' in ran.out


def test_flows_without_a_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "flows").mkdir()
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "en.yaml").write_text("hello: Hello\n")
    one = "flow: one\nstates: {a: {initial: true, enter: {say: hello}, invoke: {flow: two}}}\n"
    (tmp_path / "flows" / "one.yaml").write_text(one)
    (tmp_path / "flows" / "two.yaml").write_text("flow: two\nstates: {a: {initial: true, final: true}}\n")
    (tmp_path / "flows" / "talk.yaml").write_text("conversation: [{contact: Hi}]\n")
    assert wabot("check", "flows/one.yaml").code == 0
    assert "3 files checked" in wabot("check", "flows").out


def test_a_directory_of_projects(project: Path) -> None:
    broken(project)
    ran = wabot("check", project.parent, "--json")
    assert (ran.code, ran.json["files"]) == (1, 6)


@pytest.mark.parametrize(
    ("path", "message"),
    [("nowhere", "there is no nowhere"), ("empty", "there is no flow and no project in empty")],
)
def test_nothing_to_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, message: str) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    ran = wabot("check", path)
    assert (ran.code, ran.out) == (2, "")
    assert message in ran.err


def test_no_project_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    ran = wabot("check")
    assert ran.code == 2
    assert ran.err.startswith("error: there is no project here\n  mend: ")


def test_settings_that_are_wrong(project: Path) -> None:
    (project / "wabot.toml").write_text('flow = "shop"\n\n[runtime]\ntreis = 3\n')
    ran = wabot("check")
    assert (ran.code, ran.err) == (1, "")
    assert (
        "wabot.toml:4:1: error: runtime.treis: there is no such setting  [settings]\n"
        "    4 | treis = 3\n"
        "      | ^\n"
        '   mend: did you mean "tries"?\n'
    ) in ran.out


@pytest.mark.parametrize(
    ("settings", "message", "hint"),
    [
        ('flow = "shpo"\nmodules = []', 'flow: there is no flow "shpo"', 'did you mean "shop"?'),
        (
            'flow = "shop"\nmodules = []\n[catalog]\nfile = "x.csv"',
            "catalog: there is no such setting, and no module of this app has this name",
            "the modules are none",
        ),
    ],
)
def test_settings_that_do_not_go_together(project: Path, settings: str, message: str, hint: str) -> None:
    (project / "wabot.toml").write_text(settings)
    [problem] = wabot("check", "--json").json["problems"]
    assert (problem["file"], problem["code"]) == ("wabot.toml", "settings")
    assert (problem["message"], problem["hint"]) == (message, hint)
    assert not (project / "wabot.db").exists()


EVERYTHING = """
flow = "shpo"
modules = ["catalgo"]
middleware = [
    "shop.audit:log_turn",
]
business.name = 7
runtime = {tries = 0, lease = "1s"}

[senders]
"+911000000000" = "shop"

[catalog]
file = "none.csv"
cutoff = "low"

[xyzzy]
a = 1
"""


def test_everything_at_once(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken(project)
    (project / "wabot.toml").write_text(EVERYTHING)
    monkeypatch.setenv("WABOT_LOCALES", "en,hi")
    monkeypatch.setenv("WABOT_ORDERS__PREFX", "x")
    for variable, value in TWILIO.items():
        monkeypatch.setenv(variable, value)
    problems = wabot("check", "--json").json["problems"]
    found = [(each["file"], each["line"], each["column"], each["message"]) for each in problems]
    assert found == [
        ("flows/inner.yaml", 8, 35, 'the target "dune" is no state'),
        ("the environment's WABOT_LOCALES", None, None, "this is to be a list"),
        ("the environment's WABOT_ORDERS__PREFX", None, None, "there is no such setting"),
        ("wabot.toml", 2, 1, 'flow: there is no flow "shpo"'),
        ("wabot.toml", 3, 1, 'modules: no module "catalgo" is installed'),
        ("wabot.toml", 4, 1, MIDDLEWARE),
        ("wabot.toml", 7, 10, "business.name: this is to be text, in quotes"),
        ("wabot.toml", 8, 12, "runtime.tries: Input should be greater than or equal to 1"),
        ("wabot.toml", 8, 23, LEASE),
        ("wabot.toml", 15, 1, CUTOFF),
        ("wabot.toml", 17, 2, "xyzzy: there is no such setting, and no module of this app has this name"),
    ]


TWILIO = {
    "TWILIO_SID": "AC" + "0" * 32,
    "TWILIO_AUTH_TOKEN": "12345",
    "TWILIO_WHATSAPP_NUMBER": "+14155238886",
}
MIDDLEWARE = "middleware: \"shop.audit:log_turn\" can't be imported: No module named 'shop'"
LEASE = (
    "runtime.lease: 1s is too short: a message to twilio may be on its way for 20s, "
    "and could be sent a second time meanwhile"
)
CUTOFF = "catalog.cutoff: this is to be a number"


def test_a_variable_has_no_line(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WABOT_FLOW", "shpo")
    ran = wabot("check")
    assert ran.code == 1
    assert ran.out.startswith(
        """the environment's WABOT_FLOW: error: there is no flow "shpo"  [settings]\n"""
        """   mend: did you mean "shop"?\n"""
    )


@pytest.mark.parametrize(
    ("settings", "place", "message"),
    [
        ('flow = "shop"\nlocale = \n', "wabot.toml:2:10", "Invalid value"),
        ('flow = "shop"\nlocale = "en', "wabot.toml", "at end of document"),
    ],
)
def test_a_file_that_is_no_toml(project: Path, settings: str, place: str, message: str) -> None:
    (project / "wabot.toml").write_text(settings)
    for path in (".", "wabot.toml", "flows/inner.yaml", "flows"):
        ran = wabot("check", path)
        assert (ran.code, ran.err) == (1, "")
        assert ran.out.startswith(f"{place}: error: ")
        assert message in ran.out
        assert "mend: the file is TOML: key = value" in ran.out


def test_a_flow_alone_in_a_project_with_wrong_settings(project: Path) -> None:
    broken(project)
    with (project / "wabot.toml").open("a") as settings:
        settings.write('\n[runtime]\ntries = "many"\n')
    found = wabot("check", "flows/inner.yaml", "--json").json["problems"]
    assert [each["file"] for each in found] == ["flows/inner.yaml", "wabot.toml"]


def test_a_flows_directory_that_is_not_there(project: Path) -> None:
    (project / "wabot.toml").write_text('flow = "shop"\nflows = [\n  "flws"\n]\n')
    [problem] = wabot("check", "--json").json["problems"]
    assert (problem["line"], problem["hint"]) == (2, "name a directory or a file")


def test_flows_are_not_checked_without_their_files(project: Path) -> None:
    broken(project)
    (project / "wabot.toml").write_text('flow = "shop"\ntexts = "texts"\nredis = "carrier://x"\n')
    found = wabot("check", "--json").json["problems"]
    assert [(each["line"], each["message"][:24]) for each in found] == [
        (2, "texts: this is to be a l"),
        (3, "redis: the URL of Redis "),
    ]


def test_a_catalog_with_mistakes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    create(tmp_path / "shop")
    monkeypatch.chdir(tmp_path / "shop")
    catalog = tmp_path / "shop" / "catalog.csv"
    rows = catalog.read_text().splitlines()
    assert "tax_rate" in rows[0]
    catalog.write_text("\n".join([rows[0], *("a," for _ in range(2))]) + "\n")
    flow = tmp_path / "shop" / "flows" / "menu.yaml"
    flow.write_text(flow.read_text() + "xyzzy: 1\n")
    problems = wabot("check", "--json").json["problems"]
    places = {(each["file"], each["line"], each["message"][:20]) for each in problems}
    assert {("catalog.csv", 2, "column name: empty; "), ("catalog.csv", 3, "column name: empty; ")} < places
    assert "flows/menu.yaml" in {file for file, _, _ in places}
    catalog.write_text("nothing,of,ours\n1,2,3\n")
    assert "catalog.csv:1:1: error: there is no column" in wabot("check").out
    catalog.unlink()
    told = wabot("check").out
    assert "wabot.toml:19:1: error: catalog.file: the catalog catalog.csv " in told
    assert "isn't there" in told
    monkeypatch.setenv("WABOT_CATALOG__FILE", "none.csv")
    assert "the environment's WABOT_CATALOG__FILE: error: the catalog none.csv isn't" in wabot("check").out


def test_a_file_of_texts(project: Path) -> None:
    (project / "texts" / "hi.yaml").write_text("welcome: '{{ x'\nsure: y\nbye: z\n")
    assert wabot("check", "texts/en.yaml").out == "1 file checked: nothing found\n"
    ran = wabot("check", "texts/hi.yaml", "--json")
    assert (ran.code, ran.json["files"]) == (1, 1)
    assert {problem["file"] for problem in ran.json["problems"]} == {"texts/hi.yaml"}


def test_the_settings_stand_for_the_project(project: Path) -> None:
    assert wabot("check", "wabot.toml").out == "6 files checked: nothing found\n"


def test_a_directory_within_a_project(project: Path) -> None:
    broken(project)
    (project / "more").mkdir()
    (project / "more" / "one.yaml").write_text(
        "flow: one\nstates: {a: {initial: true, final: true, enter: {say: bye}}}\n"
    )
    assert wabot("check", "more").out == "1 file checked: nothing found\n"
    assert wabot("check", "flows", "--json").json["errors"] == 1
    assert wabot("check", "tests").out == "1 file checked: nothing found\n"


def test_a_secret_that_the_settings_do_not_have(project: Path) -> None:
    flow = project / "flows" / "shop.yaml"
    wrong = flow.read_text().replace(
        '{url: "https://example.com"}', '{url: "https://example.com", headers: {A: {secret: tokn}}}'
    )
    flow.write_text(wrong)
    assert "add [http.secrets.tokn] to wabot.toml" in wabot("check").out
    assert wabot("check", "flows/shop.yaml").code == 1
    with (project / "wabot.toml").open("a") as settings:
        settings.write('\n[http.secrets.token]\nvalue = "Bearer x"\nhosts = ["example.com"]\n')
    ran = wabot("check", "--json")
    assert [(each["code"], each["hint"]) for each in ran.json["problems"]] == [
        ("unknown-secret", 'did you mean "token"?')
    ]
    flow.write_text(wrong.replace("tokn", "token"))
    assert wabot("check").code == 0


def test_a_flow_in_no_project_may_name_any_secret(tmp_path: Path) -> None:
    flow = tmp_path / "loose.yaml"
    flow.write_text(
        "flow: loose\nstates:\n  a:\n    invoke: {id: x, http: {url: https://example.com, "
        "headers: {A: {secret: any}}}}\n    transitions: {event: done.invoke.x, target: b}\n"
        "  b: {final: true}\n"
    )
    assert wabot("check", flow).out == "1 file checked: nothing found\n"


def test_a_variable_that_nothing_sets_in_the_flow_that_starts(project: Path) -> None:
    flow = project / "flows" / "never.yaml"
    flow.write_text(
        "flow: never\ndatamodel: {t: {type: text}}\n"
        'states: {a: {enter: [{say: "{{ t|upper }}"}], final: true}}\n'
    )
    assert wabot("check", "flows/never.yaml").code == 0, "others may run it, and give it a value"

    settings = project / "wabot.toml"
    settings.write_text(settings.read_text() + '\n[senders]\n"+14155550100" = "never"\n')
    ran = wabot("check", "flows/never.yaml")
    assert ran.code == 1
    assert 'flows/never.yaml:3:28: error: "t" is used here, and nothing ever sets it' in ran.out
