"""The reference pages, written from the code itself each time the site is built."""

import inspect
from collections.abc import Iterator

import typer
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from typer.core import TyperCommand, TyperGroup

from wabot import errors
from wabot.cli.app import app

EXAMPLES = "\b\n"


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Adds the generated pages to what the folder holds; mkdocs calls it by this name."""
    for name, page in (("errors", errors_page()), ("cli", cli_page())):
        files.append(File.generated(config, f"reference/{name}.md", content="\n\n".join(page)))
    return files


def errors_page() -> Iterator[str]:
    yield "# Errors"
    yield (
        "Everything that wabot raises on purpose is a `WabotError`. An error's `message` says what is wrong "
        "and its `hint`, where there is one, how to mend it."
    )
    yield from error_sections(errors.WabotError)


def error_sections(error: type[errors.WabotError]) -> Iterator[str]:
    yield f"## {error.__name__}"
    if error is not errors.WabotError:
        yield f"A kind of `{error.__bases__[0].__name__}`."
    yield inspect.cleandoc(error.__doc__ or "")
    for narrower in error.__subclasses__():
        if narrower.__module__ == errors.__name__:
            yield from error_sections(narrower)


def cli_page() -> Iterator[str]:
    yield "# The command line"
    group = typer.main.get_command(app)
    context = typer.Context(group, info_name="wabot")
    yield from command_sections(group, context)


def command_sections(command: object, context: typer.Context) -> Iterator[str]:
    if isinstance(command, TyperGroup):
        for name, inner in sorted(command.commands.items()):
            yield from command_sections(inner, typer.Context(inner, info_name=name, parent=context))
    elif isinstance(command, TyperCommand):
        text, _, examples = (command.help or "").partition(EXAMPLES)
        yield f"## {context.command_path}"
        yield text.strip()
        yield f"```text\n{' '.join([context.command_path, *command.collect_usage_pieces(context)])}\n```"
        yield parameter_table(command, context)
        if examples:
            yield f"```bash\n{examples.strip()}\n```"


def parameter_table(command: TyperCommand, context: typer.Context) -> str:
    records = [record for parameter in command.params if (record := parameter.get_help_record(context))]
    rows = [f"| `{name}` | {text} |" for name, text in records]
    return "\n".join(["| | |", "| --- | --- |", *rows]) if rows else ""
