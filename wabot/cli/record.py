"""The project's database, for whoever looks into it beside the processes that work."""

from collections.abc import Iterator
from contextlib import closing, contextmanager

from wabot.bootstrap import modules_of
from wabot.core.database import Database
from wabot.core.migrate import pending
from wabot.errors import RecordError
from wabot.settings import Settings


@contextmanager
def record_of(settings: Settings) -> Iterator[Database]:
    """Raises RecordError where its tables are not up to date."""
    with closing(Database(settings.database_url)) as database:
        if behind := pending(database, modules_of(settings)):
            raise RecordError(
                f"the database's tables of {', '.join(behind)} are not up to date", hint="wabot db upgrade"
            )
        yield database
