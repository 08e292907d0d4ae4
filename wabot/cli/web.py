"""`wabot web`: the HTTP API and the webhooks, in processes of their own."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from wabot.bootstrap import build, configure_logging, import_web, import_wsgi
from wabot.cli.run import project_name, say, settings_here, who_needs_a_key, with_options

if TYPE_CHECKING:
    from wabot.app import App


def run(project: Path | None, **options: Any) -> None:
    """Serve until SIGTERM or Ctrl-C; requests that are being answered are finished first."""
    settings = with_options(settings_here(project), options)
    configure_logging(settings)
    web, servers = import_web(), import_wsgi()
    # What is wrong shows here and once, not in each process; none of them inherits a connection.
    with build(settings).bind() as app:
        web.create_app(app)
        say(who_needs_a_key(app))
    if settings.redis_url is None:
        say("No Redis in the settings: wabot run, beside this, has the turns and sends.")
    serving: list[App] = []

    def make() -> Any:
        serving.append(build(settings).bind())
        return web.create_app(serving[0])

    def ended() -> None:
        for each in serving:
            each.close()

    servers.serve_processes(
        make,
        host=settings.web.host,
        port=settings.web.port,
        workers=settings.web.workers,
        threads=settings.web.threads,
        ready=lambda url: say(f"{project_name(settings)}: the web server at {url}; Ctrl-C stops it."),
        ended=ended,
    )
