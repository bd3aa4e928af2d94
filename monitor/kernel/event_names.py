"""Names of events in a trace of many sessions: an id is unique only in its session."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from invariants.model.excepted import Excepted
from invariants.model.verdict import EventRef
from monitor.findings.model import KnownRoles


class Named(NamedTuple):
    """An event in a trace of many sessions: its position and id in its own session.

    `agent` and `principal` are those that its session had stated by then, and `life` is that of its
    header (`Header.life_at`), `digest` its record of conflicting ids (`Header.conflict_at`): a
    verdict on the event may come after the session was evicted. For the same reason `standing` are
    the roles of its principal, and `excepted` the exceptions in force.
    """

    session: str
    position: int
    id: str
    agent: str
    principal: str
    life: str = ""
    digest: str = ""
    standing: KnownRoles | None = None
    excepted: tuple[Excepted, ...] = ()


Names = Mapping[int, Named]
"""Events of a trace, by their positions in it."""


def name_in(names: Names, ref: EventRef) -> Named:
    """The name of an event. One that was never seen, before a birth, has none."""
    return names.get(ref.position) or Named("", ref.position, ref.id, "", "")


def text_of(named: Named) -> str:
    """The name as a part of an id, which does not depend on roles."""
    return msgspec.json.encode(named[: 7 if named.digest else 6]).decode()
