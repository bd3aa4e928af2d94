"""Markdown, for an issue or a chat: a table, and a section for each finding.

Names and ids come from agents, so everything is escaped: nothing of theirs is a link, a picture or
a mention.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from monitor.export import words
from monitor.findings.model import Finding
from monitor.presentation import time_text

_MARKUP: Final = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~@&:/])")


def write(findings: Sequence[Finding]) -> bytes:
    """One text."""
    lines = [f"# Findings of Interlock: {len(findings)}", ""]
    lines += ["| severity | invariant | session | time |", "|---|---|---|---|"]
    lines += [
        f"| {one.severity} | {_shown(words.name_of(one))} | {_shown(one.session)} | "
        f"{time_text(one.anchor.time_ns)} |"
        for one in findings
    ]
    for finding in findings:
        lines += ["", *_section(finding)]
    return ("\n".join(lines) + "\n").encode()


def _section(finding: Finding) -> list[str]:
    lines = [
        f"## {_shown(words.name_of(finding))}",
        "",
        f"{_shown(words.sentence_of(finding))}",
        "",
        f"- finding {finding.id}, incident {words.incident(finding)}",
        f"- session {_shown(finding.session)}, agent {_shown(finding.agent or 'unknown')}",
    ]
    for event in finding.witness:
        roles = f": {_shown(', '.join(event.roles))}" if event.roles else ""
        lines.append(f"- event {event.position} at {time_text(event.time_ns)}{roles}")
    return lines


def _shown(text: str) -> str:
    plain = "".join(sign if sign.isprintable() else " " for sign in text)
    return _MARKUP.sub(r"\\\1", plain)
