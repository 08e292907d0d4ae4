"""Looks at a project's settings, at what they name, and at the machine."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from pydantic import SecretStr

from wabot.bootstrap import build
from wabot.cli.doctor import doors, record, templates
from wabot.cli.doctor.finding import Finding, error, of_error, well
from wabot.cli.run import folder_here
from wabot.cli.screen import counted, show, show_json
from wabot.core.buckets import NoBuckets
from wabot.core.ports import NoDoorbell
from wabot.errors import FlowError, WabotError
from wabot.settings import FILE, Settings, load_settings
from wabot.testing.places import display

IN_MEMORY = SecretStr("sqlite://")
COLOURS = {"ok": "green", "warning": "bold yellow", "error": "bold red"}


def run(project: Path | None, *, as_json: bool) -> None:
    """Print what is found, and leave with 1 where something is an error. Nothing is changed."""
    findings = list(examine(folder_here(project)))
    errors = sum(finding.verdict == "error" for finding in findings)
    warnings = sum(finding.verdict == "warning" for finding in findings)
    if as_json:
        found = [finding.as_json() for finding in findings]
        show_json({"errors": errors, "warnings": warnings, "findings": found})
    else:
        _show(findings)
        show("", f"{counted(errors, 'error')}, {counted(warnings, 'warning')}")
    if errors:
        raise SystemExit(1)


def examine(folder: Path) -> Iterator[Finding]:
    """Everything, the settings first: without them there is nothing else to look at."""
    try:
        settings = load_settings(folder)
    except WabotError as raised:
        yield of_error("settings", raised)
        return
    yield well("settings", f"{display(folder / FILE)} and the environment")
    yield from _project(settings)
    yield from record.examine(settings)
    yield from doors.examine(settings)


def _project(settings: Settings) -> Iterator[Finding]:
    """Whether an app can be made: of its modules and their files, flows and texts, and what is installed."""
    parts = {"redis": None, "database": IN_MEMORY}
    try:
        app = build(settings.model_copy(update=parts), doorbell=NoDoorbell(), buckets=NoBuckets()).bind()
    except FlowError as raised:
        wrong = counted(max(len(raised.problems), 1), "mistake")
        yield error("project", f"{wrong} in the flows and texts", "wabot check shows each with its place")
        return
    except WabotError as raised:
        yield of_error("project", raised)
        return
    with app:
        flows, modules = len(app.library.flows), ", ".join(app.registry.modules) or "none"
        yield well("project", f"{counted(flows, 'flow')}; modules: {modules}")
        yield from templates.examine(settings, app)


def _show(findings: Iterable[Finding]) -> None:
    from rich.text import Text

    for finding in findings:
        verdict = (f"{finding.verdict:<8} ", COLOURS[finding.verdict])
        show(Text.assemble(verdict, (f"{finding.about:<10} ", "bold"), finding.message))
        if finding.mend:
            show(Text.assemble(" " * 20, ("mend: ", "bold"), finding.mend))
