"""A real gunicorn of a site, in processes of its own: `python -m tests.web.serving URL` says where it is."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from flask import Flask

from tests.web.sites import make_app, mounted
from wabot.adapters.wsgi import serve_processes
from wabot.core.faults import CRASH_AT
from wabot.core.ports import RandomIds, SystemClock


@contextmanager
def served(url: str, crash_at: str = "") -> Iterator[str]:
    """Yields the server's URL; its workers die at `crash_at`, each time they come there."""
    environment = {**os.environ, CRASH_AT: crash_at}
    command = [sys.executable, "-m", "tests.web.serving", url]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            assert process.stdout
            said = process.stdout.readline().strip()
            if not said:
                raise RuntimeError("the server did not start")
            yield said
        finally:
            process.terminate()


def say(address: str) -> None:
    sys.stdout.write(f"{address}\n")
    sys.stdout.flush()


def serve(url: str) -> None:
    def make() -> Flask:
        return mounted(make_app(url, clock=SystemClock(), ids=RandomIds()).bind())

    serve_processes(
        make,
        host="127.0.0.1",
        port=0,
        workers=1,
        threads=4,
        ready=say,
        ended=lambda: None,
    )


if __name__ == "__main__":
    serve(sys.argv[1])
