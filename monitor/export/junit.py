"""JUnit XML, for the reports of CI: a suite for each session, a case for each finding.

An undecided one is an error: the check could not be made, and a build must not pass for clean.
"""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree

from monitor.export import words
from monitor.findings.model import Finding


def write(findings: Sequence[Finding]) -> bytes:
    """One document."""
    root = ElementTree.Element("testsuites", name=words.PRODUCT)
    suites: dict[str, list[Finding]] = {}
    for finding in findings:
        suites.setdefault(finding.session, []).append(finding)
    for session, found in suites.items():
        errors = sum(words.is_undecided(one) for one in found)
        suite = ElementTree.SubElement(
            root,
            "testsuite",
            name=_shown(session),
            tests=str(len(found)),
            failures=str(len(found) - errors),
            errors=str(errors),
        )
        for finding in found:
            _case(suite, finding)
    text: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return text + b"\n"


def _case(suite: ElementTree.Element, finding: Finding) -> None:
    case = ElementTree.SubElement(
        suite, "testcase", name=words.name_of(finding), classname=_shown(finding.session)
    )
    sort = "error" if words.is_undecided(finding) else "failure"
    told = ElementTree.SubElement(
        case, sort, type=finding.severity, message=_shown(words.sentence_of(finding))
    )
    events = [f"event {event.position}: {event.id}" for event in finding.witness]
    told.text = _shown("\n".join([f"finding {finding.id}", *events]))


def _shown(text: str) -> str:
    """Characters that XML 1.0 has; others are replaced."""
    return "".join(
        sign
        if sign in "\t\n"
        or " " <= sign <= "\ud7ff"
        or "\ue000" <= sign <= "\ufffd"
        or sign > "\uffff"
        else "\N{REPLACEMENT CHARACTER}"
        for sign in text
    )
