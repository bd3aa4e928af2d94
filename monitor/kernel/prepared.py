"""The result of judging an event, before anything is changed: what `commit` needs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import msgspec

from invariants.model.event import Event
from invariants.runtime.scope_program import Judged, Progress
from invariants.runtime.unsure_time import TimeDoubt
from monitor.findings.model import Finding
from monitor.ingest.sequence import Header, Noticed
from monitor.kernel.sessions import SessionScope
from monitor.kernel.wider_scope import WiderJudged
from monitor.trace_key import TraceKey

Fate = Literal["taken", "repeat", "refused"]
"""The treatment of an event: seen by the invariants; a duplicate; of no trace, or refused."""


class StaleError(Exception):
    """A scope has changed since an event was judged in it."""


class Unplaced(NamedTuple):
    """An event whose session is ambiguous: it is reported in those that it may concern."""

    event: Event
    noticed: Noticed
    traces: tuple[TraceKey, ...]


class Repeated(NamedTuple):
    """An event that was taken in before."""

    event: Event
    owner: TraceKey


class Taken(msgspec.Struct, frozen=True, gc=False):
    """An event of a session, with its effective time, as it was judged.

    `before` are the header and the progress that it was judged by, `header` is the one after it.
    `speaks` is set at the first event of the session's agent. `conflict_digest` is set if another
    event has its id.
    """

    event: Event
    owner: TraceKey
    scope: SessionScope
    before: tuple[Header, Progress]
    header: Header
    judged: Judged
    wider: Sequence[WiderJudged]
    doubt: TimeDoubt | None
    is_back: bool
    noticed: tuple[Noticed, ...]
    speaks: bool
    id_digest: bytes
    conflict_digest: str


Prepared = Unplaced | Repeated | Taken


class Stepped(msgspec.Struct, frozen=True, gc=False):
    """The result of an event. `event` has its effective time if it was taken in.

    `traces` are those that it entered, or may concern; `taken` is for the detector.
    """

    findings: list[Finding]
    fate: Fate
    event: Event
    traces: tuple[TraceKey, ...]
    taken: Taken | None = None
