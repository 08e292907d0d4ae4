"""The project's database, for whoever looks into it beside the processes that work."""

from collections.abc import Iterator
from contextlib import closing, contextmanager

from wabot.bootstrap import modules_of
from wabot.core.database import Database
from wabot.core.migrate import require_newest
from wabot.settings import Settings


@contextmanager
def record_of(settings: Settings) -> Iterator[Database]:
    """Raises RecordError where its tables are not up to date."""
    with closing(Database(settings.database_url)) as database:
        require_newest(database, modules_of(settings))
        yield database
