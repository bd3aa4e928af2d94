"""Parts of a finding that every format has: its name, its sentence and its place."""

from __future__ import annotations

from typing import Final

from monitor.findings.incident import incident_of
from monitor.findings.model import UNJUDGED_TYPES, Finding, FindingType

PRODUCT: Final = "interlock"
RESULTS: Final[dict[FindingType, str]] = {
    "violated": "was violated",
    "inconclusive": "could not be decided",
}
"""Of an invariant; all other types are observations of the engine itself."""


def name_of(finding: Finding) -> str:
    """The invariant, or the type of an observation."""
    return finding.invariant or finding.type


def sentence_of(finding: Finding) -> str:
    """One sentence of text that the authors of invariants and we have written."""
    result = RESULTS.get(finding.type, "was observed")
    about = f": {finding.summary}" if finding.summary else ""
    prevented = "; the call was refused before it ran" if is_prevented(finding) else ""
    return f"{name_of(finding)} {result}{about}{prevented}"


def is_prevented(finding: Finding) -> bool:
    """True if a gate refused the call."""
    return finding.prevention == "prevented"


def is_undecided(finding: Finding) -> bool:
    """True if the finding says that something is not known; a bypass of a gate is known."""
    return finding.type in UNJUDGED_TYPES or finding.type == "unread"


def incident(finding: Finding) -> str:
    """The id of the incident, which agents and operators use."""
    return incident_of(finding.id)
