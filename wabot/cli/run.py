"""`wabot run`: the whole runtime in this process, until it is told to stop."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from wabot.adapters.metrics import metrics_at, read_address
from wabot.bootstrap import build, configure_logging, load_settings
from wabot.errors import UsageError
from wabot.runtime import Sweeper
from wabot.settings import FILE, Settings
from wabot.testing.places import display, project_of


def run(project: Path | None, metrics: str | None = None) -> None:
    """Sweep until SIGTERM or Ctrl-C; the piece of work in hand is finished first."""
    settings = settings_here(project)
    address = read_address(metrics) if metrics else None
    configure_logging(settings)
    with build(settings).bind() as app, metrics_at(address, app.metrics_text):
        sweeper = app.sweeper()
        with stopped_by_signals(sweeper):
            print(f"{display(settings.directory)} runs; Ctrl-C stops it.", file=sys.stderr, flush=True)
            sweeper.run()
    print("Stopped.", file=sys.stderr)


def settings_here(project: Path | None) -> Settings:
    """The settings of this project, or of the one here. Raises UsageError where there is none."""
    folder = project or project_of(Path())
    if folder is None:
        raise UsageError("there is no project here", hint="make one with wabot new")
    if not (folder / FILE).is_file():
        raise UsageError(f"{folder} is no project", hint=f"a project has a {FILE}")
    return load_settings(folder)


@contextmanager
def stopped_by_signals(sweeper: Sweeper) -> Iterator[None]:
    """Let SIGTERM and SIGINT stop the sweeper while the block runs."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        sweeper.stop()

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
