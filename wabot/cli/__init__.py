"""The terminal: check, chat, step, test, graph, run and the rest of the author's loop."""

import errno
import io
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wabot.errors import WabotError

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line, and leave by SystemExit.

    0 is success, 1 a finding or an error of wabot's, 2 a command line that can't be followed,
    130 Ctrl-C.
    """
    from wabot.cli.app import app
    from wabot.cli.screen import show_error
    from wabot.errors import UsageError, WabotError

    _forgive_characters()
    code: object = 0
    try:
        app(args=None if arguments is None else list(arguments), prog_name="wabot")
    except SystemExit as leaving:
        code = leaving.code
    except UsageError as error:
        show_error(error)
        code = 2
    except WabotError as error:
        show_error(error)
        code = 1
    except OSError as error:
        # A file that isn't there or can't be written is the user's to mend; anything else is not.
        if error.filename is None and error.errno != errno.ENOSPC:
            raise
        show_error(WabotError(f"{error.filename or 'the output'}: {error.strerror}"))
        code = 1
    except Exception as error:
        if (told := _of_the_database(error)) is None:
            raise
        show_error(told)
        code = 1
    _flush()
    sys.exit(code)  # type: ignore[arg-type]


def _of_the_database(error: Exception) -> "WabotError | None":
    """What the database itself says: it isn't there, can't be written, or is none."""
    # Only what was imported can have raised.
    if "sqlalchemy" not in sys.modules:
        return None
    from sqlalchemy.exc import DatabaseError, OperationalError

    from wabot.errors import RecordError

    if isinstance(error, OperationalError) or type(error) is DatabaseError:
        reason = str(error.orig).strip().split("\n")[0]
        return RecordError(f"the database can't be used: {reason}", hint="look at the database in wabot.toml")
    return None


def _forgive_characters() -> None:
    """Write a question mark where the terminal's encoding lacks a character; an answer half shown is no
    answer."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _flush() -> None:
    """Flush standard output now: at interpreter exit a closed pipe would be complained about."""
    try:
        sys.stdout.flush()
    except OSError as error:
        if error.errno not in (errno.EPIPE, errno.ENOSPC):
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
