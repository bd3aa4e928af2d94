"""The event model: what agents publish, as the engine sees it.

`EventRecord` is the wire format, field for field the table of `docs/events.md`; decoding leaves
`args`, `result` and `attributes` as raw bytes until a predicate reads them. `Event` is a decoded
record together with data from its *source* (identity, arrival, origin), which no producer can
choose.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from .limits import STEPS_MAX
from .missing import MISSING, NOTHING_LEFT_OUT, LeftOut, read_attributes, read_json
from .sources import NOTHING_SHOWN, Shown

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


class SpentError(Exception):
    """The event has no steps left for evaluations; it propagates through the evaluation, like
    `Failure`.

    No operator absorbs it: the cost of one predicate must not decide the value of another.
    """


class EventView:
    """One event as predicates read it: plain fields, and JSON parts decoded at the first read.

    A JSON value is None, bool, int (any size: one beyond int64 is an error when it is read), float,
    str, list or dict. An unreadable value is represented by such a number too
    (`invariants/missing.py`), also in place of a whole part. `args` is `ABSENT_ARGS` if a call's
    event has none. `shown` contains the values that the session's sources had shown before the
    event. `steps_left` is the rest of the steps for all evaluations on it together (negative: they
    exceeded them). `derived` contains values derived from its texts, which are computed, and
    charged, once. `shared` and `of_call` contain the values of parts that several expressions have
    in common: at this event, and at every event of its kind and tool (`cel/common.py`).
    """

    __slots__ = (
        "_args",
        "_attributes",
        "_left_out",
        "_result",
        "derived",
        "event",
        "of_call",
        "record",
        "shared",
        "shown",
        "steps_left",
        "time_ns",
    )

    def __init__(self, event: Event, shown: Shown = NOTHING_SHOWN) -> None:
        self.event = event
        self.shown = shown
        self.record = event.record
        self.time_ns = event.time_ns
        self._args: Any = _UNREAD
        self._result: Any = _UNREAD
        self._attributes: Any = _UNREAD
        self._left_out: LeftOut = NOTHING_LEFT_OUT
        self.steps_left = STEPS_MAX
        self.derived: dict[Any, Any] | None = None
        self.shared: dict[int, Any] = {}
        self.of_call: dict[int, Any] = {}

    def allot(self, steps: int) -> None:
        """Set the number of steps that evaluations from now on may take together."""
        self.steps_left = steps
        self.derived = None

    def charge(self, steps: int) -> None:
        """Take `steps` from those that are left; raises SpentError if there are too few."""
        self.steps_left -= steps
        if self.steps_left < 0:
            raise SpentError

    @property
    def left_out(self) -> LeftOut:
        """The parts of the event that the client did not publish, by its own record."""
        if self._attributes is _UNREAD:
            raw = self.record.attributes
            if memoryview(raw):
                self._attributes, self._left_out = read_attributes(raw)
            else:
                self._attributes = {}
        return self._left_out

    @property
    def args(self) -> Any:
        if self._args is _UNREAD:
            raw = self.record.args
            if memoryview(raw):
                self._args = self._with_left_out(read_json(raw))
            else:
                is_carried = self.record.kind.startswith(CARRIED_BY["args"])
                self._args = ABSENT_ARGS if is_carried else {}
        return self._args

    def _with_left_out(self, args: Any) -> Any:
        """An argument that was not published was given nevertheless: its value is unknown."""
        names = self.left_out.args
        if names is None:
            return ABSENT_ARGS
        return {**dict.fromkeys(names, MISSING), **args} if names else args

    @property
    def result(self) -> Any:
        if self._result is _UNREAD:
            raw, left_out = self.record.result, self.left_out
            if left_out.result:
                self._result = MISSING
            elif memoryview(raw):
                self._result = read_json(raw, has_placeholders=left_out.has_placeholders)
            else:
                self._result = None
        return self._result

    @property
    def attributes(self) -> Any:
        assert self.left_out is not None, "reads them"
        return self._attributes


class _Marker:
    """A unique value that no JSON text can produce."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return self._name


_UNREAD: Final = _Marker("UNREAD")
ABSENT_ARGS: Final = _Marker("ABSENT_ARGS")
