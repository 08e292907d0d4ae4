"""The command line itself: names, arguments and helps. What a command does, it imports when it runs."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    name="wabot",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Conversations on WhatsApp: write one as YAML, check it, talk to it, test it.",
)
database = typer.Typer(
    no_args_is_help=True, help="The database: bring it up to date, or see where it stands."
)
app.add_typer(database, name="db", rich_help_panel="Run")
failures = typer.Typer()
app.add_typer(failures, name="failed", rich_help_panel="Run")

keys = typer.Typer(no_args_is_help=True, help="The keys of the HTTP API: make one, list them, revoke one.")
app.add_typer(keys, name="keys", rich_help_panel="Run")

AUTHOR = "Write and test"
RUN = "Run"

Json = Annotated[bool, typer.Option("--json", help="Print one JSON value for programs.")]
Out = Annotated[Path | None, typer.Option("--output", "-o", help="Write to this file.", metavar="FILE")]

ProjectOption = Annotated[
    Path | None,
    typer.Option(
        "--project", envvar="WABOT_PROJECT", help="The project; without it the one here.", show_default=False
    ),
]

Host = Annotated[
    str | None,
    typer.Option(help="The address to listen at; else `host` of web in the settings.", show_default=False),
]
Port = Annotated[
    int | None, typer.Option(help="The port; else `port` of web in the settings.", show_default=False)
]
MetricsOption = Annotated[
    str | None,
    typer.Option(
        "--metrics",
        metavar="[HOST:]PORT",
        help="Serve this process's numbers to Prometheus there; of several, each at the next port.",
        show_default=False,
    ),
]


def _version(wanted: bool) -> None:
    if wanted:
        import wabot

        print(f"wabot {wabot.__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Conversations on WhatsApp: write one as YAML, check it, talk to it, test it."""


@app.command(rich_help_panel=AUTHOR)
def new(
    name: Annotated[Path, typer.Argument(help="The directory to make.")],
    flow: Annotated[
        str, typer.Option(help="What to begin with: order (a whole shop), hello (almost nothing), menu.")
    ] = "order",
    as_json: Json = False,
) -> None:
    """Make a project with flows, texts and tests to begin with.

    \b
    wabot new shop
    wabot new first --flow hello
    """
    from wabot.cli.new import run

    run(name, flow, as_json=as_json)


@app.command(rich_help_panel=AUTHOR)
def check(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Flows, directories or projects; without one the project here.", show_default=False
        ),
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings fail too.")] = False,
    as_json: Json = False,
) -> None:
    """Find what would fail later: with file, line, column, and how to mend it. Exit 1 on errors.

    \b
    wabot check
    wabot check flows/order.yaml --strict
    """
    from wabot.cli.check import run

    run(paths or [], strict=strict, as_json=as_json)


@app.command(rich_help_panel=AUTHOR)
def actions(
    name: Annotated[
        str | None, typer.Argument(help="One action, or what it begins with: orders.", show_default=False)
    ] = None,
    as_json: Json = False,
) -> None:
    """List the actions that a flow may name, with their arguments.

    \b
    wabot actions
    wabot actions orders.quote
    """
    from wabot.cli.actions import run

    run(name, as_json=as_json)


@app.command(rich_help_panel=AUTHOR)
def schema(output: Out = None) -> None:
    """Print the JSON Schema of flows, for completion and checks in an editor.

    \b
    wabot schema -o wabot.schema.json
    """
    from wabot.cli.actions import run_schema

    run_schema(output)


@app.command(rich_help_panel=AUTHOR)
def chat(
    source: Annotated[
        Path | None,
        typer.Argument(help="A project or one flow; without it the project here.", show_default=False),
    ] = None,
    trace: Annotated[bool, typer.Option("--trace", help="Show what happens in each turn.")] = False,
    contact: Annotated[str, typer.Option(help="The phone number you write from.")] = "+919800000001",
    name: Annotated[str, typer.Option(help="The name you write under.")] = "Asha",
    locale: Annotated[str | None, typer.Option(help="The language you write in.", show_default=False)] = None,
    database_url: Annotated[
        str | None,
        typer.Option(
            "--database", help="A file, or an SQLAlchemy URL; else the project's.", show_default=False
        ),
    ] = None,
) -> None:
    """Talk to a flow as a contact would. Leave and come back: the conversation goes on.

    Type /help for commands. From a pipe, each line is one message.

    \b
    wabot chat
    wabot chat flows/order.yaml --trace
    printf 'Hi\nCement x 100\n1\n' | wabot chat
    """
    from wabot.cli.chat import run

    run(source, trace=trace, phone=contact, name=name, locale=locale, database=database_url)


@app.command(rich_help_panel=AUTHOR)
def step(
    flow: Annotated[Path, typer.Argument(help="A flow, or a plain statechart in YAML.")],
    state: Annotated[
        Path | None,
        typer.Option(help="Go on from this state, the JSON of an earlier line.", show_default=False),
    ] = None,
    trace: Annotated[bool, typer.Option("--trace", help="Add what happened in each step.")] = False,
) -> None:
    """Run the bare engine: JSON events in, a JSON object out for the start and for each event.

    \b
    echo '{"name": "t1", "data": {}}' | wabot step chart.yaml
    """
    from wabot.cli.step import run

    run(flow, state, trace=trace)


@app.command(name="test", rich_help_panel=AUTHOR)
def play(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Test files or directories; without one the project's tests.", show_default=False
        ),
    ] = None,
    match: Annotated[
        str, typer.Option("-k", help="Only conversations whose file or name has this.", show_default=False)
    ] = "",
    update: Annotated[
        bool, typer.Option("--update", help="Write what the bot says now as what it should say.")
    ] = False,
    junit: Annotated[
        Path | None, typer.Option(help="Write the outcome as JUnit XML.", metavar="FILE", show_default=False)
    ] = None,
    coverage: Annotated[
        bool, typer.Option("--coverage/--no-coverage", help="Show which states and transitions were taken.")
    ] = True,
    fail_under: Annotated[
        float | None, typer.Option(help="Fail below this percentage of coverage.", show_default=False)
    ] = None,
    as_json: Json = False,
) -> None:
    """Play the conversations written under tests/ and compare what the bot says.

    \b
    wabot test
    wabot test tests/order.yaml -k cement
    wabot test --update
    wabot test --junit report.xml --fail-under 90
    """
    from wabot.cli.test import Options, run

    run(paths or [], Options(match, update, junit, coverage, fail_under, as_json))


@app.command(rich_help_panel=AUTHOR)
def graph(
    flow: Annotated[Path, typer.Argument(help="The flow to draw.")],
    format: Annotated[
        str | None,
        typer.Option(help="mermaid, dot or svg; else by the file's name, else mermaid.", show_default=False),
    ] = None,
    output: Out = None,
    state: Annotated[
        Path | None,
        typer.Option(
            help="Mark the active states of this state, as wabot step prints it.", show_default=False
        ),
    ] = None,
) -> None:
    """Draw a flow as a chart of states.

    \b
    wabot graph flows/order.yaml
    wabot graph flows/order.yaml -o order.svg
    """
    from wabot.cli.graph import run

    run(flow, format, output, state)


@app.command(name="run", rich_help_panel=RUN)
def run_(
    project: Annotated[
        Path | None,
        typer.Argument(
            envvar="WABOT_PROJECT", help="The project; without it the one here.", show_default=False
        ),
    ] = None,
    web: Annotated[
        bool | None,
        typer.Option(
            "--web/--no-web",
            help="Serve webhooks and the HTTP API; without a word, if a provider or a key is there.",
            show_default=False,
        ),
    ] = None,
    host: Host = None,
    port: Port = None,
    metrics: MetricsOption = None,
) -> None:
    """Run the project in this process until it is stopped: webhooks, turns, timers, effects and sending.

    \b
    wabot run
    wabot run --web --port 8080
    wabot run --metrics 9400
    """
    from wabot.cli.run import run

    run(project, web=web, host=host, port=port, metrics=metrics)


@app.command(rich_help_panel=RUN)
def web(
    project: ProjectOption = None,
    host: Host = None,
    port: Port = None,
    workers: Annotated[
        int | None, typer.Option(help="Processes; else `workers` of web in the settings.", show_default=False)
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option(help="Threads of each; else `threads` of web in the settings.", show_default=False),
    ] = None,
) -> None:
    """Serve webhooks and the HTTP API with gunicorn, beside workers that do the work.

    Without a key it doesn't start, unless it is on a loopback address in dev mode.

    \b
    wabot web
    wabot web --host 0.0.0.0 --port 8080 --workers 4
    """
    from wabot.cli.web import run

    run(project, host=host, port=port, workers=workers, threads=threads)


@app.command(rich_help_panel=RUN)
def doctor(project: ProjectOption = None, as_json: Json = False) -> None:
    """Look for what would keep a deployment from working, and say how to mend it. Exit 1 on errors.

    \b
    wabot doctor
    wabot doctor --json
    """
    from wabot.cli.doctor import run

    run(project, as_json=as_json)


@app.command(rich_help_panel=RUN)
def worker(
    project: ProjectOption = None,
    queues: Annotated[
        str, typer.Option(help="What it does, the most urgent first.")
    ] = "inbound,transactional,bulk",
    processes: Annotated[int, typer.Option(min=1, help="How many work side by side.")] = 1,
    burst: Annotated[bool, typer.Option("--burst", help="End when there is nothing left to do.")] = False,
    metrics: MetricsOption = None,
) -> None:
    """Work beside others on one database: turns, timers and sending, as jobs of RQ ask for them.

    SIGTERM or Ctrl-C stops it when the turn in hand is finished.

    \b
    wabot worker
    wabot worker --processes 4 --metrics 9400
    wabot worker --queues transactional,bulk
    """
    from wabot.cli.worker import run

    run(project, queues, processes, burst=burst, metrics=metrics)


@app.command(rich_help_panel=RUN)
def scheduler(project: ProjectOption = None, metrics: MetricsOption = None) -> None:
    """Call a worker when a timer or a delayed message comes due.

    Workers find them without it too, only a little later.

    \b
    wabot scheduler
    """
    from wabot.cli.worker import run_scheduler

    run_scheduler(project, metrics)


@app.command(rich_help_panel=RUN)
def status(project: ProjectOption = None, as_json: Json = False) -> None:
    """Show what waits, since when, what failed, and who works.

    \b
    wabot status
    wabot status --json
    """
    from wabot.cli.status import run

    run(project, as_json=as_json)


@app.command(rich_help_panel=RUN)
def outbox(
    status: Annotated[
        str | None,
        typer.Option(
            help="Only of this status: pending, claimed, unknown, failed or sent; else all but sent.",
            show_default=False,
        ),
    ] = None,
    contact: Annotated[
        str | None, typer.Option(help="Only to this phone number.", show_default=False)
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=200, help="How many at most.")] = 50,
    after: Annotated[
        int | None, typer.Option(min=1, help="Only older ones than this message.", show_default=False)
    ] = None,
    project: ProjectOption = None,
    as_json: Json = False,
) -> None:
    """List messages that wait, failed, or may be lost, the newest first, and say why.

    \b
    wabot outbox
    wabot outbox --status failed --limit 200
    wabot outbox --contact +919876543210 --json
    """
    from wabot.cli.outbox import run

    run(project, status=status, contact=contact, limit=limit, after=after, as_json=as_json)


@app.command(rich_help_panel=RUN)
def pipeline(project: ProjectOption = None, as_json: Json = False) -> None:
    """Show what a message goes through, in its order: wabot's middleware and your own.

    \b
    wabot pipeline
    wabot pipeline --json
    """
    from wabot.cli.pipeline import run

    run(project, as_json=as_json)


@database.command()
def upgrade(project: ProjectOption = None, as_json: Json = False) -> None:
    """Bring the database to the newest schema.

    \b
    wabot db upgrade
    """
    from wabot.cli.db import upgrade

    upgrade(project, as_json=as_json)


@database.command()
def current(project: ProjectOption = None, as_json: Json = False) -> None:
    """Show which schema the database has, and which is the newest.

    \b
    wabot db current
    """
    from wabot.cli.db import current

    current(project, as_json=as_json)


@app.command(rich_help_panel=RUN)
def demo(
    database_file: Annotated[
        Path | None,
        typer.Option("--database", help="The SQLite file to keep.", metavar="FILE", show_default=False),
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Begin a new conversation.")] = False,
    script: Annotated[bool, typer.Option("--script", help="Play the script, at a terminal too.")] = False,
) -> None:
    """Talk to the example shop; without a terminal, watch a customer order cement.

    \b
    wabot demo
    wabot demo </dev/null
    """
    from wabot.cli.demo import run

    run(database_file, fresh=fresh, script=script)


@failures.callback(invoke_without_command=True)
def failed(context: typer.Context) -> None:
    """What failed: list it, look at one, try it again, or drop it.

    Without a command it lists.

    \b
    wabot failed
    wabot failed show 17
    wabot failed retry --all
    """
    if context.invoked_subcommand is None:
        list_failed(None, as_json=False)


@failures.command(name="list")
def list_failed(project: ProjectOption = None, as_json: Json = False) -> None:
    """List events whose turns failed, and messages that did not go out, with the reasons.

    \b
    wabot failed list --json
    """
    from wabot.cli.failed import list_all

    list_all(project, as_json=as_json)


@failures.command(name="show")
def show_failed(
    id: Annotated[int, typer.Argument(help="A failed event.")],
    project: ProjectOption = None,
    as_json: Json = False,
) -> None:
    """Show one failed event: what came in, and the error with its traceback.

    \b
    wabot failed show 17
    """
    from wabot.cli.failed import show_one

    show_one(id, project, as_json=as_json)


@failures.command(name="retry")
def retry_failed(
    ids: Annotated[list[int] | None, typer.Argument(help="Failed events.", show_default=False)] = None,
    every: Annotated[bool, typer.Option("--all", help="All that failed.")] = False,
    project: ProjectOption = None,
    as_json: Json = False,
) -> None:
    """Let failed events have their turns again, once what made them fail is mended.

    \b
    wabot failed retry 17 18
    wabot failed retry --all
    """
    from wabot.cli.failed import retry

    retry(ids or [], project, every=every, as_json=as_json)


@failures.command(name="drop")
def drop_failed(
    id: Annotated[int, typer.Argument(help="A failed event.")],
    project: ProjectOption = None,
    as_json: Json = False,
) -> None:
    """Take one failed event off the list for good. It stays on record, with its error.

    \b
    wabot failed drop 17
    """
    from wabot.cli.failed import drop

    drop(id, project, as_json=as_json)


@keys.command(name="new")
def new_key(
    name: Annotated[str, typer.Argument(help="What it is for, to know it again.")],
    scope: Annotated[
        list[str] | None,
        typer.Option(help="What it opens: orders:read, messages:write, …, or admin.", show_default=False),
    ] = None,
    project: ProjectOption = None,
    as_json: Json = False,
) -> None:
    """Make a key and show it, once: only its hash is kept.

    \b
    wabot keys new crm --scope contacts:write --scope messages:write
    wabot keys new boss --scope admin
    """
    from wabot.cli.keys import new

    new(name, scope or [], project, as_json=as_json)


@keys.command(name="list")
def list_keys(project: ProjectOption = None, as_json: Json = False) -> None:
    """List the keys by their prefixes, with what they open.

    \b
    wabot keys list
    """
    from wabot.cli.keys import list_all

    list_all(project, as_json=as_json)


@keys.command(name="revoke")
def revoke_key(
    prefix: Annotated[str, typer.Argument(help="Its prefix, as wabot keys list shows it.")],
    project: ProjectOption = None,
    as_json: Json = False,
) -> None:
    """Let a key open nothing any more, from its next request on.

    \b
    wabot keys revoke 3f9a61c2d07b
    """
    from wabot.cli.keys import revoke

    revoke(prefix, project, as_json=as_json)
