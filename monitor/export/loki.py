"""Lines of JSON that Loki and other stores of logs take: flat, with the words they filter by."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from monitor.export import words
from monitor.findings.model import Finding
from monitor.presentation import time_text


def write(findings: Sequence[Finding]) -> bytes:
    """One line for each finding."""
    return b"".join(
        msgspec.json.encode(
            {
                "time": time_text(finding.anchor.time_ns),
                "level": finding.severity,
                "app": words.PRODUCT,
                "invariant": words.name_of(finding),
                "type": finding.type,
                "session": finding.session,
                "agent": finding.agent,
                "principal": finding.principal,
                "incident": words.incident(finding),
                "finding": finding.id,
                "prevention": finding.prevention,
                "message": words.sentence_of(finding),
            }
        )
        + b"\n"
        for finding in findings
    )
