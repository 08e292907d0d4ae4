"""The outcome of a run as the XML that CI servers read."""

import re
from collections.abc import Iterable
from pathlib import Path
from xml.etree import ElementTree as ET

from wabot.testing.outcome import Outcome

_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def junit(outcomes: Iterable[Outcome]) -> str:
    """One suite a file, one case a conversation; times in seconds."""
    files: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        files.setdefault(outcome.case.file, []).append(outcome)
    root = ET.Element("testsuites")
    for file, played in files.items():
        suite = ET.SubElement(root, "testsuite", name=file)
        suite.set("tests", str(len(played)))
        suite.set("failures", str(sum(outcome.status == "failed" for outcome in played)))
        suite.set("errors", str(sum(outcome.status == "error" for outcome in played)))
        suite.set("skipped", str(sum(outcome.status == "skipped" for outcome in played)))
        suite.set("time", f"{sum(outcome.seconds for outcome in played):.3f}")
        for outcome in played:
            _case(suite, outcome)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _case(suite: ET.Element, outcome: Outcome) -> None:
    case = ET.SubElement(suite, "testcase", name=outcome.case.name)
    case.set("classname", str(Path(outcome.case.file).with_suffix("")).replace("/", "."))
    case.set("file", outcome.case.file)
    case.set("line", str(outcome.case.start.line))
    case.set("time", f"{outcome.seconds:.3f}")
    if outcome.status == "skipped":
        ET.SubElement(case, "skipped", message=outcome.case.settings.skip)
    elif outcome.failures:
        word = "error" if outcome.status == "error" else "failure"
        found = ET.SubElement(case, word, message=_plain(outcome.failures[0].message))
        found.text = _plain("\n\n".join(map(str, outcome.failures)))


def _plain(text: str) -> str:
    """Without what XML 1.0 can't hold: a contact may write any character."""
    return "".join("\ufffd" if _FORBIDDEN.match(char) else char for char in text)
