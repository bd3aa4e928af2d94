"""Decides which source may assert which kind: other events do not count.

Otherwise a hijacked agent could grant itself an approval. Source of the table: docs/events.md.
Kinds that the table does not name are allowed from every source.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from interlock.kinds import (
    ENFORCEMENT_KINDS,
    KNOWN_KINDS,
    OPERATOR_KINDS,
    RUNTIME_KINDS,
    SHARED_KINDS,
)
from monitor.topics import APPROVALS, ENFORCEMENT, EVENTS, GATE

DEFAULT_ASSERTS: Final[Mapping[str, frozenset[str]]] = {
    EVENTS: RUNTIME_KINDS | SHARED_KINDS,
    APPROVALS: OPERATOR_KINDS,
    ENFORCEMENT: ENFORCEMENT_KINDS | SHARED_KINDS,
    GATE: KNOWN_KINDS,
}


class Provenance(msgspec.Struct, frozen=True):
    """The known kinds that each topic may assert.

    `is_trusted` is for finished files, standard input and examples, where one stream contains
    records of several sources: every kind is allowed there, unless `asserts` names the topic.
    `asserts` replaces the default of a topic, by its name.
    """

    is_trusted: bool = False
    asserts: Mapping[str, frozenset[str]] = {}

    def may_assert(self, topic: str, kind: str) -> bool:
        """True if an event of this kind counts when it comes from this topic."""
        if kind not in KNOWN_KINDS:
            return True
        allowed = self.asserts.get(topic)
        if allowed is not None:
            return kind in allowed
        if self.is_trusted:
            return True
        return kind in DEFAULT_ASSERTS.get(_family(topic), frozenset())


def _family(topic: str) -> str:
    """`agent.events.NAME` is a topic of one principal, with the rights of `agent.events`."""
    return EVENTS if topic.startswith(EVENTS + ".") else topic
