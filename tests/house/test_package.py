import subprocess
import sys
import zipfile
from importlib.metadata import entry_points
from pathlib import Path

import pytest

import wabot

ROOT = Path(__file__).parents[2]

IMPORT_ALL = """
import pkgutil, sys

def refuse(event, arguments):
    if event in {"socket.connect", "sqlite3.connect", "subprocess.Popen", "os.mkdir"}:
        raise AssertionError(f"{event} {arguments} while a module is imported")

sys.addaudithook(refuse)
import wabot
for found in pkgutil.walk_packages(wabot.__path__, "wabot."):
    if ".migrations" not in found.name:
        __import__(found.name)
"""

EXTRAS = "flask flask_openapi3 gunicorn hiredis psycopg purgatory redis rq rq_scheduler twilio waitress"
IMPORT_CORE = f"""
import sys
for name in "{EXTRAS} pytest".split():
    sys.modules[name] = None
import wabot.cli
"""


def python(code: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> frozenset[str]:
    """The names of the files in the wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    [built] = folder.glob("*.whl")
    with zipfile.ZipFile(built) as archive:
        return frozenset(archive.namelist())


def test_the_wheel_carries_the_flows_and_the_example(wheel: frozenset[str]) -> None:
    for source, home in (("flows", "wabot/_flows"), ("examples/merchant", "wabot/_examples/merchant")):
        wanted = {
            f"{home}/{path.relative_to(ROOT / source)}"
            for path in (ROOT / source).rglob("*")
            if path.is_file() and path.suffix in {".yaml", ".toml", ".csv", ".md"}
        }
        assert wanted
        assert wanted <= wheel


def test_the_wheel_carries_the_types_and_nothing_of_the_house(wheel: frozenset[str]) -> None:
    assert "wabot/py.typed" in wheel
    assert {name.split("/")[0] for name in wheel} == {"wabot", f"wabot-{wabot.__version__}.dist-info"}


def test_importing_does_no_work() -> None:
    python(IMPORT_ALL)


def test_the_core_needs_no_extra() -> None:
    python(IMPORT_CORE)


@pytest.mark.parametrize("group", ["console_scripts", "wabot.modules"])
def test_what_the_package_announces_is_there(group: str) -> None:
    announced = [point for point in entry_points(group=group) if point.value.startswith("wabot.")]
    assert announced
    for point in announced:
        point.load()
