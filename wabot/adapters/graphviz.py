"""Pictures by Graphviz's `dot` program, where it is installed."""

import shutil
import subprocess

from wabot.errors import UsageError

TIMEOUT = 60
"""Seconds; a chart that takes longer is too large to look at."""


def svg(source: str) -> bytes:
    """The picture of a DOT source. Raises UsageError where Graphviz is missing or fails."""
    program = shutil.which("dot")
    if program is None:
        raise UsageError(
            "SVG needs Graphviz, and there is no dot program here",
            hint="install it (apt install graphviz, brew install graphviz), or take mermaid or dot",
        )
    try:
        done = subprocess.run(  # noqa: S603  # the program is Graphviz's own, the source goes in as data
            [program, "-Tsvg"], input=source.encode(), capture_output=True, check=True, timeout=TIMEOUT
        )
    except subprocess.CalledProcessError as error:
        reason = error.stderr.decode("utf-8", "replace").strip()
        raise UsageError(f"Graphviz can't draw this: {reason}") from error
    except subprocess.TimeoutExpired as error:
        raise UsageError(f"Graphviz took more than {TIMEOUT} seconds", hint="take mermaid or dot") from error
    return done.stdout
