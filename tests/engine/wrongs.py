"""The wrong flows under `wrong/`: one for each finding, with the messages expected of it.

`<code>.yaml` begins with a line `# expect: …` for each message, without the file's name. Beside it
may lie `<code>.texts.yaml`, texts by locale, and `<code>.other.yaml`, another flow of the project.
"""

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from wabot.core.module import Call, Module, Outside
from wabot.engine.check import CheckOptions, check
from wabot.engine.loader import load_flow, read_yaml
from wabot.engine.texts import Texts
from wabot.errors import FlowError

FOLDER = Path(__file__).parent / "wrong"
EXPECT = "# expect: "
SECRETS = ["stock_token"]

demo = Module("demo")


class Line(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str
    quantity: int = Field(ge=1)


class Quote(BaseModel):
    model_config = ConfigDict(extra="forbid")

    lines: list[Line]
    discount: Decimal | None = None
    note: str = ""


class Find(BaseModel):
    text: str
    limit: int = 5


class Total(BaseModel):
    total: Decimal


@demo.command("quote")
def quote(arguments: Quote, call: Call) -> Total:
    """Say what these lines cost."""
    return Total(total=Decimal(len(arguments.lines)))


@demo.command("find")
def find(arguments: Find, call: Call) -> list[str]:
    """Find products by their names."""
    return [arguments.text][: arguments.limit]


@demo.invoke("price")
def price(arguments: Find, outside: Outside) -> Total:
    """Ask another server what it costs."""
    return Total(total=Decimal(arguments.limit))


def wrong_flows() -> list[Path]:
    return sorted(path for path in FOLDER.glob("*.yaml") if path.name.count(".") == 1)


def expected(path: Path) -> list[str]:
    lines = path.read_text("utf-8").splitlines()
    return [line.removeprefix(EXPECT) for line in lines if line.startswith(EXPECT)]


def findings(path: Path, options: CheckOptions | None = None) -> list[str]:
    """What the checker says of a flow, each without the file's name."""
    others = [path, path.with_suffix(".other.yaml")]
    texts = path.with_suffix(".texts.yaml")
    spoken: Mapping[str, Any] = read_yaml(texts.read_text("utf-8"), texts.name)[0] if texts.exists() else {}
    try:
        sources = [load_flow(p.read_text("utf-8"), p.name) for p in reversed(others) if p.exists()]
        around = options or CheckOptions(secrets=SECRETS)
        found = check(sources, Texts(spoken), demo.commands, demo.invokes, options=around)
    except FlowError as error:
        found = list(error.problems)
    return [str(problem).removeprefix(f"{path.name}:") for problem in found]
