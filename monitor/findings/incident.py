"""The name of an incident: what agents, control records and people call a finding that stopped one.

It is made of the finding's id, and says nothing else about the finding.
"""

from __future__ import annotations

import hashlib


def incident_of(finding_id: str) -> str:
    """The name under which agents see that they were stopped; it tells them nothing else."""
    name = hashlib.blake2b(finding_id.encode(), digest_size=12, person=b"incident")
    return "i-" + name.hexdigest()
