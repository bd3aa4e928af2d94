"""The roles of a session's principal as they changed: a verdict may come long after its anchor.

noted(history, position, standing)   with one more event
known_at(history, position)          version and roles at an earlier one
"""

from __future__ import annotations

from typing import Final

import msgspec

from invariants.model.standing import Standing
from monitor.findings.model import KnownRoles

CHANGES_MAX: Final = 32
"""Chosen: changes of roles in one session that are remembered; those before are not known."""


class RolesSince(msgspec.Struct, frozen=True, array_like=True):
    """The roles from an event on; None if they were not known."""

    position: int
    known: KnownRoles | None


History = tuple[RolesSince, ...]


def noted(history: History, position: int, standing: Standing | None) -> History:
    """The history with the event at `position`; itself if nothing has changed."""
    last = history[-1].known if history else None
    if standing is None:
        return history if last is None else _with(history, RolesSince(position, None))
    if last is not None and (last.version, last.roles) == (standing.version, standing.roles):
        return history
    return _with(history, RolesSince(position, KnownRoles(standing.version, standing.roles)))


def _with(history: History, since: RolesSince) -> History:
    return (*history, since)[-CHANGES_MAX:]


def known_at(history: History, position: int) -> KnownRoles | None:
    """Version and roles at an event of the session; None if they were not known."""
    for since in reversed(history):
        if since.position <= position:
            return since.known
    return None
