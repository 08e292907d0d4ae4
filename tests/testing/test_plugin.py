from pathlib import Path

import pytest

from tests.testing import shop
from wabot.testing import Project
from wabot.testing.files import read_cases
from wabot.testing.places import display, project_of
from wabot.testing.player import play

pytest_plugins = ["pytester"]

BROKEN = """
conversations:
  too short: [{contact: Hi, bot: Hello}]
  left out: {skip: not yet, steps: [{contact: Hi}]}
  fine: [{contact: Hi, bot: "Welcome, Asha!"}]
"""


@pytest.fixture(scope="module", autouse=True)
def _everything_is_imported(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A run in this process forgets what it was the first to import; SQLAlchemy doesn't bear that."""
    folder = shop.make(tmp_path_factory.mktemp("warm"))
    [case] = read_cases(folder / "tests" / "shop.yaml")
    assert play(case, Project.open(folder)).status == "passed"


@pytest.fixture
def inner(pytester: pytest.Pytester) -> pytest.Pytester:
    shop.make(pytester.path)
    return pytester


def run(inner: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    return inner.runpytest_inprocess("-p", "no:cacheprovider", "-p", "no:randomly", *arguments)


def test_conversations_are_collected_with_their_places(inner: pytest.Pytester) -> None:
    (inner.path / "tests" / "broken.yaml").write_text(BROKEN)
    result = run(inner, "-v")
    result.assert_outcomes(passed=2, failed=1, skipped=1)
    result.stdout.fnmatch_lines(
        [
            "*tests/broken.yaml::too short FAILED*",
            "*tests/broken.yaml::left out SKIPPED (not yet)*",
            "*tests/shop.yaml::the whole way PASSED*",
            "*conversation: too short*",
            "tests/broken.yaml:3:34: the bot answered otherwise",
            "*- Hello",
            "*+ Welcome, Asha!",
        ]
    )
    assert "Traceback" not in result.stdout.str()


def test_names_select_conversations(inner: pytest.Pytester) -> None:
    (inner.path / "tests" / "broken.yaml").write_text(BROKEN)
    run(inner, "-k", "fine").assert_outcomes(passed=1, deselected=3)
    run(inner, "tests/shop.yaml").assert_outcomes(passed=1)


def test_a_file_that_is_wrong_is_an_error_of_collection(inner: pytest.Pytester) -> None:
    (inner.path / "tests" / "wrong.yaml").write_text("conversation: [{contcat: Hi}]\n")
    result = run(inner)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        ['tests/wrong.yaml:1:17: error: unknown key "contcat" — did you mean "contact"?*']
    )


def test_a_flow_that_is_wrong_is_told_without_a_traceback(inner: pytest.Pytester) -> None:
    (inner.path / "flows" / "shop.yaml").write_text("flow: shop\nstates: {a: {intial: true}}\n")
    result = run(inner)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(['*flows/shop.yaml:2:14: error: unknown key "intial"*'])
    assert "Traceback" not in result.stdout.str()


def test_other_yaml_is_left_alone(inner: pytest.Pytester) -> None:
    folder = inner.path / "tests"
    (folder / "data.yaml").write_text("- a list\n")
    (folder / "deep.yaml").write_text("chat:\n  conversation: []\n")
    (folder / "broken.yaml").write_text("{")
    (folder / "latin.yaml").write_bytes(b"caf\xe9: 1\n")
    run(inner).assert_outcomes(passed=1)


def test_outside_a_project_nothing_is_collected(pytester: pytest.Pytester) -> None:
    (pytester.path / "talk.yaml").write_text("conversations:\n  - role: user\n")
    run(pytester).assert_outcomes()


def test_the_fixtures(inner: pytest.Pytester) -> None:
    (inner.path / "tests" / "test_shop.py").write_text(
        """
def test_ready_made(conversation):
    conversation.say("Hi")
    assert conversation.last == "Welcome, Asha!"


def test_several(new_conversation):
    ravi, meera = new_conversation(name="Ravi"), new_conversation(name="Meera", locale="hi")
    assert ravi.say("Hi")[0].text == "Welcome, Ravi!"
    assert meera.say("Hi")[0].text == "नमस्ते Meera!"


def test_a_flow_of_its_own(new_conversation):
    asha = new_conversation("states:\\n  a: {initial: true, enter: {say: Hello}}\\n")
    assert asha.say("Hi")[0].text == "Hello"


def test_the_project(wabot_project):
    assert wabot_project.settings.flow == "shop"
    assert [source.flow for source in wabot_project.sources] == ["inner", "shop"]
""",
        encoding="utf-8",
    )
    run(inner, "tests/test_shop.py").assert_outcomes(passed=4)


def test_a_fixture_outside_a_project(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_it(conversation): pass")
    result = run(pytester)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*is in no project (put a wabot.toml above it: wabot new makes one)*"])


def test_pytest_without_conversations_imports_nothing_of_them(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import sys

        def test_it():
            assert "wabot.testing.plugin" in sys.modules
            assert "sqlalchemy" not in sys.modules
            assert "wabot.engine" not in sys.modules
        """
    )
    pytester.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(passed=1)


def test_names_of_the_package() -> None:
    import wabot.testing

    for name in wabot.testing.__all__:
        assert getattr(wabot.testing, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = wabot.testing.Nothing


def test_where_projects_are(tmp_path: Path) -> None:
    folder = shop.make(tmp_path / "shop")
    assert project_of(folder / "flows" / "shop.yaml") == folder
    assert project_of(tmp_path) is None
    assert display(tmp_path / "x.yaml") == str(tmp_path / "x.yaml")
    assert display(Path("x.yaml")) == "x.yaml"
