"""Findings without their principal, so that those of a file compare with those of a named topic."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from monitor.findings.model import Finding


def without_principal(finding: Finding) -> Finding:
    """The finding as of a sender without a name; its ID is made of all that it says otherwise.

    The principal is part of a finding's ID, and a finished file has none.
    """
    said = _plain({**msgspec.to_builtins(finding), "id": "", "group": ""})
    for member in said["undecided"]:
        member["verdict"] = ""
    text = msgspec.json.encode(said, order="sorted")
    named = {**said, "id": hashlib.blake2b(text, digest_size=12).hexdigest()}
    return msgspec.convert(named, Finding)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items() if key != "principal"}
    return [_plain(part) for part in value] if isinstance(value, list) else value
