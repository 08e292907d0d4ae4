from pathlib import Path

import pytest

from tests.cli.terminal import wabot
from wabot.cli.new import Carried, carried, create
from wabot.errors import UsageError


@pytest.fixture
def shop(tmp_path: Path) -> Carried:
    """A small installation: two flows and the example beside them."""
    package = tmp_path / "site" / "wabot"
    flows, example = package / "_flows", package / "_examples" / "merchant"
    (flows / "texts").mkdir(parents=True)
    (example / "tests").mkdir(parents=True)
    for name in ("order", "menu"):
        (flows / f"{name}.yaml").write_text(f"flow: {name}\nstates: {{a: {{initial: true}}}}\n")
    (flows / "texts" / "en.yaml").write_text("hello: Hello\n")
    (example / "wabot.toml").write_text(
        'flow = "order"\nflows = ["../../flows"]\ntexts = ["../../flows/texts"]\n'
    )
    (example / "tests" / "order.yaml").write_text("conversation: [{contact: Hi}]\n")
    (example / "wabot.db").write_text("a database of somebody")
    return carried(package)


def test_a_new_project_has_the_flows_in_it(shop: Carried, tmp_path: Path) -> None:
    files = create(tmp_path / "mine", "order", source=shop)
    assert [str(path.relative_to(tmp_path / "mine")) for path in files] == [
        ".gitignore",
        "flows/menu.yaml",
        "flows/order.yaml",
        "flows/texts/en.yaml",
        "tests/order.yaml",
        "wabot.toml",
    ]
    settings = (tmp_path / "mine" / "wabot.toml").read_text()
    assert settings == 'flow = "order"\nflows = ["flows"]\ntexts = ["flows/texts"]\n'


def test_another_flow_comes_alone(shop: Carried, tmp_path: Path) -> None:
    files = create(tmp_path / "mine", "menu", source=shop)
    assert [str(path.relative_to(tmp_path / "mine")) for path in files] == [
        ".gitignore",
        "flows/menu.yaml",
        "flows/texts/en.yaml",
        "tests/menu.yaml",
        "wabot.toml",
    ]
    assert 'flow = "menu"' in (tmp_path / "mine" / "wabot.toml").read_text()


@pytest.mark.parametrize("flow", carried().names)
def test_every_new_project_checks_and_passes_its_tests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flow: str
) -> None:
    create(tmp_path / "mine", flow)
    monkeypatch.chdir(tmp_path / "mine")
    check = wabot("check", "--strict")
    assert (check.code, check.err) == (0, ""), check.out
    ran = wabot("test", "--json")
    assert ran.code == 0, ran.out
    assert ran.json["passed"] > 0
    if flow in ("hello", "order"):
        assert ran.json["coverage"]["percent"] == 100


def test_an_unknown_flow(shop: Carried, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match='no flow "mneu" comes with wabot') as caught:
        create(tmp_path / "mine", "mneu", source=shop)
    assert caught.value.hint == 'did you mean "menu"?'
    with pytest.raises(UsageError) as caught:
        create(tmp_path / "mine", "xyz", source=shop)
    assert caught.value.hint == "there are hello, menu, order"
    assert not (tmp_path / "mine").exists()


def test_an_installation_without_flows(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has no flows in it"):
        carried(tmp_path / "wabot")


def test_what_is_there_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "notes.txt").write_text("mine")
    ran = wabot("new", tmp_path / "taken", "--flow", "hello")
    assert ran.code == 2
    assert (
        ran.err
        == f"error: {tmp_path}/taken is there already\n  mend: choose another name, or an empty directory\n"
    )
    (tmp_path / "file").write_text("mine")
    assert wabot("new", tmp_path / "file", "--flow", "hello").code == 2


def test_an_empty_directory_will_do(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    ran = wabot("new", tmp_path / "empty", "--flow", "hello")
    assert (ran.code, ran.err) == (0, "")
    assert f"  cd {tmp_path}/empty\n  wabot check\n" in ran.out


def test_json(tmp_path: Path) -> None:
    ran = wabot("new", tmp_path / "first", "--flow", "hello", "--json")
    assert ran.json == {
        "project": str(tmp_path / "first"),
        "flow": "hello",
        "files": [".gitignore", "flows/hello.yaml", "tests/hello.yaml", "texts/en.yaml", "wabot.toml"],
    }


def test_the_example_is_carried_by_this_installation(tmp_path: Path) -> None:
    create(tmp_path / "shop")
    assert (tmp_path / "shop" / "flows" / "order.yaml").is_file()
    assert "../" not in (tmp_path / "shop" / "wabot.toml").read_text()
