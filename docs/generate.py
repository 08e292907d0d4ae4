"""The reference pages, written from the code itself each time the site is built."""

import inspect
from collections.abc import Iterator

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from wabot import errors


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Adds the generated pages to what the folder holds; mkdocs calls it by this name."""
    files.append(File.generated(config, "reference/errors.md", content="\n\n".join(errors_page())))
    return files


def errors_page() -> Iterator[str]:
    yield "# Errors"
    yield (
        "Everything that wabot raises on purpose is a `WabotError`. An error's `message` says what is wrong "
        "and its `hint`, where there is one, how to mend it."
    )
    yield from sections(errors.WabotError)


def sections(error: type[errors.WabotError]) -> Iterator[str]:
    yield f"## {error.__name__}"
    if error is not errors.WabotError:
        yield f"A kind of `{error.__bases__[0].__name__}`."
    yield inspect.cleandoc(error.__doc__ or "")
    for narrower in error.__subclasses__():
        if narrower.__module__ == errors.__name__:
            yield from sections(narrower)
