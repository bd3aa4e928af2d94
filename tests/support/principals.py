"""Files of principals that change in the middle of what a test draws."""

from __future__ import annotations

from datetime import UTC, datetime
from random import Random
from typing import Final

from monitor.principals.model import Principals
from monitor.principals.parse import parse_principals

ROLES: Final = ("finder", "writer", "auditor")
TEAMS: Final = ("a", "b")
SECOND_NS: Final = 10**9


def version_text(number: int, since_ns: int, entries: dict[str, str]) -> str:
    """One version of a file, from the text of each principal's entry."""
    since = datetime.fromtimestamp(since_ns // SECOND_NS, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    lines = [f"  - version: {number}", f"    since: {since}", "    principals:"]
    lines += [f"      {name}: {entry}" for name, entry in entries.items()]
    return "\n".join(lines) + "\n    approvals: {roles: [approver]}\n"


def draw_text(random: Random, names: tuple[str, ...], begin_ns: int, span_s: int) -> str:
    """Some versions from shortly before a time on; each names some of the principals, and `ana`,
    who may approve.
    """
    text, since_ns = "versions:\n", begin_ns - random.choice((0, 1)) * 10 * SECOND_NS
    for number in range(1, random.randint(2, 6)):
        entries = {"ana": "{roles: [approver]}"}
        for name in names:
            roles = ", ".join(role for role in ROLES if random.random() < 0.5)
            if random.random() < 0.85:
                entries[name] = (
                    f"{{roles: [{roles}], attributes: {{team: {random.choice(TEAMS)}}}}}"
                )
        text += version_text(number, since_ns, entries)
        since_ns += random.randint(1, span_s) * SECOND_NS
    return text


def draw_principals(
    random: Random, names: tuple[str, ...], begin_ns: int, span_s: int
) -> Principals:
    """The same, read."""
    return parse_principals(draw_text(random, names, begin_ns, span_s), "principals.yaml")
