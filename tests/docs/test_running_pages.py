"""The pages name commands, options and variables that there are, and show files as they are."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer
from pydantic import BaseModel

from tests.docs.blocks import Block, blocks_of
from wabot.cli.app import app
from wabot.settings import USUAL_NAMES, Settings

ROOT = Path(__file__).parents[2]
MERCHANT = ROOT / "examples" / "merchant"
PAGES = [ROOT / "README.md", MERCHANT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
SHELL = ("bash", "sh", "console")
THEIRS = {"TWILIO_REGION", "TWILIO_EDGE"}
NO_SETTINGS = {"WABOT_PROJECT", "WABOT_CRASH_AT"}


def commands() -> list[tuple[Block, list[str]]]:
    """What stands behind wabot in each line for the shell: `runuser -u wabot -- wabot db upgrade`."""
    found = []
    for block in [block for page in PAGES for block in blocks_of(page) if block.language in SHELL]:
        for line in re.findall(r"^.*\bwabot +\w.*$", block.source, re.MULTILINE):
            words = shlex.split(line, comments=True)
            places = [place for place, word in enumerate(words) if Path(word).name == "wabot"]
            if places:
                found.append((block, words[places[-1] + 1 :]))
    return found


@pytest.mark.parametrize(("block", "words"), commands(), ids=[" ".join(words) for _, words in commands()])
def test_every_command_is_one_of_wabots(block: Block, words: list[str]) -> None:
    """Nothing is run."""
    found: Any = typer.main.get_command(app)
    while words and words[0] in getattr(found, "commands", {}):
        found = found.commands[words[0]]
        words = words[1:]
    with found.make_context("wabot", list(words)):
        assert not getattr(found, "commands", {}) or found.invoke_without_command, block.place


def is_known(name: str) -> bool:
    """Whether it is a variable that wabot reads."""
    if name in USUAL_NAMES or name in NO_SETTINGS:
        return True
    first, *rest = name.removeprefix("WABOT_").lower().split("__")
    field = Settings.model_fields.get(first)
    if field is None:
        # The last is the module that docs/modules.md writes.
        return first in ("catalog", "orders", "invoices", "loyalty")
    model = field.annotation
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        return not rest
    return not rest or rest[0] in model.model_fields or first == "business"


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])
def test_every_variable_is_one_that_is_read(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    names = set(re.findall(r"\b(?:WABOT|TWILIO|WHATSAPP)_[A-Z][A-Z_]*[A-Z]\b", text)) - THEIRS
    assert sorted(name for name in names if not is_known(name)) == []


@pytest.mark.parametrize("file", ["Procfile", "wsgi.py", "systemd/wabot-web.service"])
def test_a_file_is_shown_as_it_is(file: str) -> None:
    shown = [block.source for block in blocks_of(ROOT / "docs" / "deployment.md")]
    assert (MERCHANT / file).read_text(encoding="utf-8") in shown
