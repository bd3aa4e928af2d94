"""ArcSight's Common Event Format, for syslog: one line for each finding.

Source: the guide of CEF, version 26: `|` and `\\` are escaped in the header, `=`, `\\` and line
breaks in the extension.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from monitor.export import words
from monitor.findings.model import Finding

_SEVERITIES: Final = {"info": 3, "warning": 6, "critical": 10}
_NS_PER_MS: Final = 1_000_000


def write(findings: Sequence[Finding]) -> bytes:
    """The lines."""
    return "".join(_line(finding) + "\n" for finding in findings).encode()


def _line(finding: Finding) -> str:
    header = [
        "CEF:0",
        words.PRODUCT,
        words.PRODUCT,
        "1",
        _head(words.name_of(finding)),
        _head(words.sentence_of(finding)),
        str(_SEVERITIES[finding.severity]),
    ]
    extension = {
        "rt": str(finding.anchor.time_ns // _NS_PER_MS),
        "externalId": finding.id,
        "cat": finding.type,
        "act": finding.prevention,
        "suser": finding.principal,
        "sproc": finding.agent,
        "cs1Label": "session",
        "cs1": finding.session,
        "cs2Label": "incident",
        "cs2": words.incident(finding),
        "cn1Label": "position",
        "cn1": str(finding.anchor.position),
    }
    told = " ".join(f"{key}={_value(value)}" for key, value in extension.items() if value)
    return "|".join([*header, told])


def _head(text: str) -> str:
    return _printable(text).replace("\\", "\\\\").replace("|", "\\|")


def _value(text: str) -> str:
    return _printable(text).replace("\\", "\\\\").replace("=", "\\=")


def _printable(text: str) -> str:
    return "".join(sign if sign.isprintable() else " " for sign in text)
