"""`wabot new`: a project of one's own, from what wabot carries."""

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from wabot.cli.screen import counted, show, show_json
from wabot.errors import UsageError

IGNORED = "wabot.db*\n.wabot/\n.env\nmedia/\n__pycache__/\n"
SKELETON = "hello"
FIRST_TEST = """\
conversations:
  the first message:
    - contact: Hi
      bot: {rest: true}
"""
EXAMPLE = "order"
COMPOSE = "docker-compose.yml"
IN_THE_REPOSITORY = {
    "context: ../..": "context: .",
    "dockerfile: examples/merchant/Dockerfile": "dockerfile: Dockerfile",
    "PROJECT: examples/merchant": "PROJECT: .",
    'WABOT: ".[': 'WABOT: "wabot[',
}
"""What the example's docker-compose.yml says of where it is, and what a project of one's own says."""


@dataclass(frozen=True, slots=True)
class Carried:
    """The flows and the example shop that come with wabot: in the wheel, or beside the package."""

    flows: Path
    example: Path

    @property
    def names(self) -> list[str]:
        return [SKELETON, *sorted(path.stem for path in self.flows.glob("*.yaml"))]


def carried(package: Path | None = None) -> Carried:
    """Raises UsageError where an installation lacks them."""
    package = package or Path(__file__).parents[1]
    homes = (
        Carried(package / "_flows", package / "_examples" / "merchant"),
        Carried(package.parent / "flows", package.parent / "examples" / "merchant"),
    )
    for home in homes:
        if home.flows.is_dir() and (home.example / "wabot.toml").is_file():
            return home
    raise UsageError(
        "this installation of wabot has no flows in it", hint="install it again: pip install wabot"
    )


def create(target: Path, flow: str = EXAMPLE, *, source: Carried | None = None) -> list[Path]:
    """Write a project into `target`, which must not exist or be empty; the files, sorted.

    Raises UsageError for an unknown flow or a place that is taken.
    """
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UsageError(f"{target} is there already", hint="choose another name, or an empty directory")
    if flow == SKELETON:
        shutil.copytree(Path(__file__).parent / "skeleton", target, dirs_exist_ok=True, ignore=_NOT_COPIED)
    else:
        _copy_example(source or carried(), target, flow)
    (target / ".gitignore").write_text(IGNORED, encoding="utf-8")
    return sorted(path for path in target.rglob("*") if path.is_file())


_NOT_COPIED = shutil.ignore_patterns("*.db*", "__pycache__", ".wabot", "*.pyc", "README.md", ".env", "media")


def run(target: Path, flow: str, *, as_json: bool) -> None:
    files = create(target, flow)
    names = [str(path.relative_to(target)) for path in files]
    if as_json:
        show_json({"project": str(target), "flow": flow, "files": names})
        return
    show(f"{target} is made, with {counted(len(names), 'file')}:", *(f"  {name}" for name in names))
    show("", "Next:", f"  cd {target}", "  wabot check", "  wabot chat", "  wabot test")


def _copy_example(source: Carried, target: Path, flow: str) -> None:
    if flow not in source.names:
        from wabot.engine.problems import did_you_mean

        known = f"there are {', '.join(source.names)}"
        raise UsageError(f'no flow "{flow}" comes with wabot', hint=did_you_mean(flow, source.names) or known)
    shutil.copytree(source.example, target, dirs_exist_ok=True, ignore=_NOT_COPIED)
    shutil.copytree(source.flows, target / "flows", dirs_exist_ok=True, ignore=_NOT_COPIED)
    settings = target / "wabot.toml"
    text = settings.read_text(encoding="utf-8").replace('"../../flows', '"flows')
    if flow != EXAMPLE:
        _keep_only(target, flow)
        text = re.sub(r'^flow = ".*"$', f'flow = "{flow}"', text, flags=re.MULTILINE)
    settings.write_text(text, encoding="utf-8")
    _settle(target / COMPOSE)


def _settle(compose: Path) -> None:
    if compose.exists():
        text = compose.read_text(encoding="utf-8")
        for there, here in IN_THE_REPOSITORY.items():
            text = text.replace(there, here)
        compose.write_text(text, encoding="utf-8")


def _keep_only(target: Path, flow: str) -> None:
    """Take away the flows that this one doesn't need; the shop's tests go through all of them."""
    from wabot.testing.places import with_neighbours

    kept = with_neighbours(target / "flows" / f"{flow}.yaml")
    for path in [*(target / "flows").glob("*.yaml"), *(target / "tests").glob("*.yaml")]:
        if path not in kept:
            path.unlink()
    (target / "tests" / f"{flow}.yaml").write_text(FIRST_TEST, encoding="utf-8")
