"""The event model: what agents publish, as the engine sees it.

`EventRecord` is the wire format, field for field the table of `docs/events.md`; decoding leaves
`args`, `result` and `attributes` as raw bytes until a predicate reads them. `Event` is a decoded
record together with data from its *source* (identity, arrival, origin), which no producer can
choose.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from .excepted import Excepted
from .standing import Standing

RAW_ABSENT: Final = msgspec.Raw(b"")

SECOND_NS: Final = 1_000_000_000

_EVERY_KIND: Final = ("",)
_CALLS: Final = ("tool.", "approval.")
CARRIED_BY: Final[Mapping[str, tuple[str, ...]]] = {
    **dict.fromkeys(("agent", "user", "tenant"), _EVERY_KIND),
    **dict.fromkeys(("tool", "call", "args"), _CALLS),
    "text": ("message.",),
}
"""For each field how the kinds begin that carry it: there it is missing if it was left out."""


class EventRecord(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One event as JSON carries it; a field of another type makes the record no event."""

    v: int = 1
    id: str = ""
    session: str
    seq: int | msgspec.UnsetType = msgspec.UNSET
    ts: str | int
    kind: str
    agent: str = ""
    user: str = ""
    tenant: str = ""
    tool: str = ""
    call: str = ""
    args: msgspec.Raw = RAW_ABSENT
    result: msgspec.Raw = RAW_ABSENT
    error: str = ""
    text: str = ""
    parent: str = ""
    principal: str = ""
    """The principal of the session; trusted only on topics of operators and gates."""
    attributes: msgspec.Raw = RAW_ABSENT
    standing: msgspec.Raw = RAW_ABSENT
    """The standing of the principal, as a gate states it; ignored on all other topics."""
    excepted: msgspec.Raw = RAW_ABSENT
    """The exceptions in force, as a gate states them; ignored on all other topics."""
    gate: msgspec.Raw = RAW_ABSENT
    """The note that a gate adds to its records; predicates cannot read it."""


class Origin(msgspec.Struct, frozen=True):
    """The position of a record: topic, partition (a Kafka partition, or a file) and offset in
    it.
    """

    topic: str
    partition: str
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}@{self.offset}"


class Identity(msgspec.Struct, frozen=True):
    """The first scope values that a session stated; `""` if it has not stated one yet."""

    agent: str = ""
    user: str = ""
    tenant: str = ""

    def after(self, record: EventRecord) -> Identity:
        """With the values of one more event, for those not stated before."""
        return Identity(
            self.agent or record.agent, self.user or record.user, self.tenant or record.tenant
        )


UNSTATED: Final = Identity()


class Event(msgspec.Struct, frozen=True):
    """A decoded event and what its source vouches for.

    `id` is the record's, or `session/seq`; `ts_ns` is the producer's claim; `arrival_ns` is the
    broker's append time (None in finished files), `not_before_ns` the last time at which a record
    of a log directory did not exist yet; `principal` is the authenticated sender or `""`, and in
    the engine that of the trace which the event enters; `digest` contains 16 bytes over the
    content, equal for records whose fields are equal after parsing; `time_ns` is the effective time
    and `first` contains the first scope values of its session, this event included. Both are set by
    the ordering stage (0 and empty before), as is `is_time_unsure`: `time_ns` is then only a place
    among the others. `read_ns` is when the line of a finished file was read (None elsewhere).
    `standing` is that of the principal at this event; None if nobody vouches for one.
    `is_of_gate`: a gate took the event in, gave it its time, and vouches for its principal.
    `excepted` are the exceptions that were in force for it there.
    """

    record: EventRecord
    id: str
    ts_ns: int
    digest: bytes
    origin: Origin
    arrival_ns: int | None = None
    principal: str = ""
    time_ns: int = 0
    not_before_ns: int | None = None
    first: Identity = UNSTATED
    read_ns: int | None = None
    is_time_unsure: bool = False
    standing: Standing | None = None
    is_of_gate: bool = False
    excepted: tuple[Excepted, ...] = ()

    @property
    def session(self) -> str:
        return self.record.session

    @property
    def agent(self) -> str:
        """As the event states it, else as its session stated it first; `""` without either."""
        return self.record.agent or self.first.agent

    @property
    def user(self) -> str:
        """Likewise."""
        return self.record.user or self.first.user

    @property
    def tenant(self) -> str:
        """Likewise."""
        return self.record.tenant or self.first.tenant

    @property
    def kind(self) -> str:
        return self.record.kind

    @property
    def seq(self) -> int | None:
        seq = self.record.seq
        return None if seq is msgspec.UNSET else seq
