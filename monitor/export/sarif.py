"""SARIF 2.1.0, for code scanning.

A rule is an invariant. The place of a result is the judged event: its session, and its number from
1 as the line. Source: OASIS, SARIF 2.1.0; tested with its schema as Python types.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import quote

import msgspec

from monitor.export import words
from monitor.findings.model import Finding

_LEVELS: Final = {"critical": "error", "warning": "warning", "info": "note"}
_SCHEMA: Final = "https://json.schemastore.org/sarif-2.1.0.json"


def write(findings: Sequence[Finding]) -> bytes:
    """One report."""
    driver = {"name": words.PRODUCT, "rules": _rules(findings)}
    results = [_result(finding) for finding in findings]
    run = {"tool": {"driver": driver}, "results": results, "columnKind": "utf16CodeUnits"}
    return msgspec.json.encode({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]})


def _rules(findings: Sequence[Finding]) -> list[dict[str, Any]]:
    rules: dict[str, dict[str, Any]] = {}
    for finding in findings:
        name = words.name_of(finding)
        rule: dict[str, Any] = {"id": name, "properties": {"tags": list(finding.tags)}}
        if finding.summary:
            rule["shortDescription"] = {"text": finding.summary}
        if finding.description:
            rule["fullDescription"] = {"text": finding.description}
        if finding.references and finding.references[0].startswith("https://"):
            rule["helpUri"] = finding.references[0]
        rules.setdefault(name, rule)
    return list(rules.values())


def _result(finding: Finding) -> dict[str, Any]:
    events = finding.witness or [finding.anchor]
    is_open = words.is_undecided(finding)
    return {
        "ruleId": words.name_of(finding),
        # A result that is not a failure has no level, by the standard (3.27.10).
        "kind": "open" if is_open else "fail",
        "level": "none" if is_open else _LEVELS[finding.severity],
        "message": {"text": words.sentence_of(finding)},
        "locations": [_location(finding.session, finding.anchor.position)],
        "relatedLocations": [
            _location(event.session or finding.session, event.position) for event in events
        ],
        "fingerprints": {"interlock/v1": finding.id},
        "properties": {
            "session": finding.session,
            "agent": finding.agent,
            "principal": finding.principal,
            "incident": words.incident(finding),
            "severity": finding.severity,
            "prevention": finding.prevention,
        },
    }


def _location(session: str, position: int) -> dict[str, Any]:
    return {
        "physicalLocation": {
            "artifactLocation": {"uri": f"sessions/{quote(session, safe='')}"},
            "region": {"startLine": position + 1},
        }
    }
