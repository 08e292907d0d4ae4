"""A bot whose turns wait for a file, in a process of its own."""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from pydantic import SecretStr

from tests.queue.deployment import Process
from wabot.app import App
from wabot.bootstrap import build
from wabot.cli.run import stopped_by_signals
from wabot.core.messages import Inbound
from wabot.engine.loader import load_flow
from wabot.pipeline.turn import Turn
from wabot.settings import Settings

BEGUN, GO = "begun", "go"
HELLO = Inbound(channel="console", event_id="1", sender="+911", recipient="wabot", text="Hi")
ANOTHER = Inbound(channel="console", event_id="2", sender="+911", recipient="wabot", text="Hi again")
FLOW = """
flow: hello
states:
  open:
    initial: true
    enter: {say: Hello}
    transitions:
      - {event: message.text, on: {say: Again}}
"""


def make(folder: Path, redis_url: str) -> App:
    def slow(turn: Turn, call_next: Callable[[], None]) -> None:
        (folder / BEGUN).touch()
        while not (folder / GO).exists():
            time.sleep(0.01)
        call_next()

    settings = Settings(
        directory=folder, database=SecretStr("sqlite:///slow.db"), redis=SecretStr(redis_url), modules=[]
    )
    app = build(settings, sources=[load_flow(FLOW, "hello.yaml")])
    app.use(slow)
    return app


def start(folder: Path, redis_url: str, kind: str) -> Process:
    """A process that works (`worker`) or runs by itself (`run`), once it is up."""
    code = "import sys; from tests.queue.slow import main; main(*sys.argv[1:])"
    process = Process([sys.executable, "-c", code, str(folder), redis_url, kind], dict(os.environ))
    process.until(lambda: "up" in process.said)
    return process


def main(folder: str, redis_url: str, kind: str) -> None:
    with make(Path(folder), redis_url).bind() as app:
        sys.stderr.write("up\n")
        if kind == "worker":
            from wabot.adapters.queue import work

            work(redis_url, app)
        else:
            sweeper = app.sweeper()
            with stopped_by_signals(sweeper):
                sweeper.run()
