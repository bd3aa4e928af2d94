"""OCSF 1.6, Detection Finding (2004), for a SIEM: one object a line.

Source: schema.ocsf.io, class `detection_finding`; tested with its types in Python.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from monitor.export import words
from monitor.findings.model import Finding

_CATEGORY: Final = 2
_CLASS: Final = 2004
_CREATE: Final = 1
_SEVERITIES: Final = {"info": 1, "warning": 3, "critical": 5}
_NEW: Final = 1
_DENIED, _OBSERVED = 2, 3
_BLOCKED, _DETECTED = 2, 15
_RULE: Final = 1
_NS_PER_MS: Final = 1_000_000


def write(findings: Sequence[Finding]) -> bytes:
    """One line for each finding."""
    return b"".join(msgspec.json.encode(_object(finding)) + b"\n" for finding in findings)


def _object(finding: Finding) -> dict[str, Any]:
    is_prevented = words.is_prevented(finding)
    return {
        "category_uid": _CATEGORY,
        "class_uid": _CLASS,
        "activity_id": _CREATE,
        "type_uid": _CLASS * 100 + _CREATE,
        "time": finding.anchor.time_ns // _NS_PER_MS,
        "severity_id": _SEVERITIES[finding.severity],
        "status_id": _NEW,
        "message": words.sentence_of(finding),
        "action_id": _DENIED if is_prevented else _OBSERVED,
        "disposition_id": _BLOCKED if is_prevented else _DETECTED,
        "metadata": {
            "version": "1.6.0",
            "product": {"name": words.PRODUCT, "vendor_name": words.PRODUCT},
        },
        "finding_info": {
            "uid": finding.id,
            "title": words.name_of(finding),
            "desc": finding.description or finding.summary or words.sentence_of(finding),
            "created_time": finding.decided_ns // _NS_PER_MS,
            "types": [finding.type],
            "analytic": {
                "type_id": _RULE,
                "name": words.name_of(finding),
                "uid": finding.invariant_digest or finding.type,
            },
            "related_events": [
                {"uid": f"{event.session or finding.session}/{event.id}"}
                for event in finding.witness
            ],
        },
        "unmapped": {
            "session": finding.session,
            "agent": finding.agent,
            "principal": finding.principal,
            "incident": words.incident(finding),
        },
    }
