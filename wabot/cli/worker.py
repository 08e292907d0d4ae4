"""`wabot worker` and `wabot scheduler`: the processes of a deployment with Redis."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from wabot.adapters.metrics import Address, metrics_at, read_address
from wabot.bootstrap import build, configure_logging, import_queue
from wabot.cli.run import project_name, say, settings_here
from wabot.cli.supervisor import PARENT, Supervisor, follow_parent
from wabot.engine.problems import did_you_mean
from wabot.errors import UsageError
from wabot.settings import Settings


def run(
    project: Path | None, queues: str, processes: int, *, burst: bool, metrics: str | None = None
) -> None:
    """Work in this process, or keep `processes` children that do, each with its numbers at the next port."""
    settings = settings_here(project)
    url = _redis_url(settings, "start wabot run, which needs none and does all work in one process")
    names = _queues(queues)
    addresses = [read_address(metrics, place=place) if metrics else None for place in range(processes)]
    if processes > 1:
        raise SystemExit(_children(settings, names, addresses, burst=burst))
    follow_parent()
    configure_logging(settings)
    with build(settings).bind() as app, metrics_at(addresses[0], app.metrics_text):
        say(f"{project_name(settings)}: a worker for {', '.join(names)}; Ctrl-C stops it.")
        import_queue().work(
            url,
            app,
            names,
            burst=burst,
            sweep=settings.runtime.sweep,
            patience=settings.runtime.patience,
            effects=settings.runtime.effects,
        )
    say("Stopped.")


def run_scheduler(project: Path | None, metrics: str | None = None) -> None:
    """Ring in time until SIGTERM or Ctrl-C."""
    settings = settings_here(project)
    address = read_address(metrics) if metrics else None
    url = _redis_url(settings, "start wabot run, which finds by itself what is due")
    configure_logging(settings)
    with build(settings).bind() as app, metrics_at(address, app.metrics_text):
        say(f"{project_name(settings)}: the scheduler; Ctrl-C stops it.")
        import_queue().schedule(url, app, app.clock)
    say("Stopped.")


def _children(
    settings: Settings, queues: Sequence[str], addresses: Sequence[Address | None], *, burst: bool
) -> int:
    command = [sys.executable, "-m", "wabot", "worker", "--queues", ",".join(queues)]
    command += ["--project", str(settings.directory.absolute())]
    if burst:
        command.append("--burst")

    def start(place: int) -> subprocess.Popen[bytes]:
        address = addresses[place]
        metrics = ["--metrics", "{}:{}".format(*address)] if address else []
        environment = {**os.environ, PARENT: str(os.getpid())}
        return subprocess.Popen([*command, *metrics], env=environment)  # noqa: S603 - our own

    return Supervisor(start, len(addresses), once=burst, say=say).run()


def _redis_url(settings: Settings, instead: str) -> str:
    if settings.redis_url is None:
        raise UsageError(
            "there is no Redis in the settings", hint=f'set redis = "redis://…" in wabot.toml; or {instead}'
        )
    return settings.redis_url


def _queues(queues: str) -> list[str]:
    known = import_queue().QUEUES
    names = [name.strip() for name in queues.split(",") if name.strip()]
    for name in names:
        if name not in known:
            hint = did_you_mean(name, known) or f"there are {', '.join(known)}"
            raise UsageError(f'there is no queue "{name}"', hint=hint)
    if not names:
        raise UsageError("which queues?", hint=f"--queues {','.join(known)}")
    return list(dict.fromkeys(names))
