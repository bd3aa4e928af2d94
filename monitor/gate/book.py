"""The memory of a gate beside the kernel's states: sessions, answers, and calls that wait.

    book.apply(line)      one record of the log; the book is a function of its log
    book.row(key)         a session; `book.held` are the calls that wait

It decides nothing. A row is read from the store when it is asked for, and `take_changes` returns
the rows that must be written.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Final, Literal, TypeVar

import msgspec

from invariants.codec.state import StateError
from invariants.model.event import RAW_ABSENT
from monitor.gate.exception_table import TABLE_NAME, ExceptionTable
from monitor.gate.note import GateNote, Line
from monitor.gate.wire import Answer, HeldCall, Hold
from monitor.kernel.scope import LoadedScope, ScopeChange
from monitor.trace_key import TraceKey

ANSWERS_MAX: Final = 128
"""Chosen: answers that a session keeps for retries, each about 1 KiB. An older request is judged as
a new one, so a retry must come before its session has asked as often again."""
HOOKED: Final = "hook:"
"""The ids of requests that come from hooks begin so: their outcomes come by other processes."""
UNENDED_MAX: Final = 256
"""Chosen: calls of hooks without an outcome that a session keeps; an agent runs fewer at a time."""
PERMISSION_ASKED: Final = "permission.requested"
"""The kind of an event: the agent's runtime asks its user about a call that was allowed."""
TELLINGS_MAX: Final = 32
"""Chosen: a client retries its last one; several processes may share a session."""
RECENT_MAX: Final = 12
RECENT_CHARS_MAX: Final = 200
"""Chosen: what an operator reads before a decision."""
ROWS_IN_MEMORY_MAX: Final = 10_000
ROWS_IN_MEMORY_BYTES_MAX: Final = 64 * 1024 * 1024
"""As they are stored; in memory they are about twice as large. A session with 128 long answers has
300 KiB or more, so that the count alone would let one principal fill the memory."""
CONTESTED: Final = "contested"
"""The reason in the record of a session whose id another principal uses."""
HELD_NAME: Final = "\x1fgate-held"
STOPS_NAME: Final = "\x1fgate-stops"
TIME_NAME: Final = "\x1fgate-time"
_ROW_PREFIX: Final = "\x1fgate-session\x1f"
"""No trace has such a name (`monitor/scope_key.py`)."""


RowT = TypeVar("RowT")


class Given(msgspec.Struct, frozen=True, omit_defaults=True):
    """An answer that was given, and what it was given to."""

    digest: str
    call: str
    seq: int
    note: GateNote
    args: msgspec.Raw = RAW_ABSENT
    is_over: bool = False
    """True if the outcome of its call is known."""

    def answer(self, session: str) -> Answer:
        """The answer as the asker gets it."""
        note = self.note
        assert note.decision, "only answers are kept"
        return Answer(
            decision=note.decision,
            request=note.request,
            call=self.call,
            session=session,
            seq=self.seq,
            message=note.message,
            reason=note.reason,
            incident=note.incident,
            invariants=note.invariants,
            would_deny=note.would_deny,
            excepted=note.excepted,
            approval=Hold(note.approval, note.expires_ns) if note.approval else None,
            args=self.args,
        )


class RecentEvent(msgspec.Struct, frozen=True, array_like=True):
    """An event as an operator sees it who decides about a call; `text` is its content, cut."""

    seq: int
    time_ns: int
    kind: str
    tool: str
    text: str


class OwnStop(msgspec.Struct, frozen=True, array_like=True):
    """The gate has seen a violation whose response is to stop the session."""

    incident: str
    time_ns: int


StopState = Literal["killed", "quarantined"]
OwnStops = dict[StopState, OwnStop]
"""The latest stop of each sort; a release on the control topic ends those before it."""


class Unended(msgspec.Struct, frozen=True, array_like=True):
    """A call of a hook that was allowed, and whose outcome is not known yet."""

    request: str
    tool: str
    is_user_asked: bool = False
    """True if its runtime has asked the user, who may have refused it."""


class SessionRow(msgspec.Struct, omit_defaults=True):
    """A session at its gate; mutable, and private to the book. `seq` is its next number."""

    seq: int = 0
    agent: str = ""
    user: str = ""
    tenant: str = ""
    parent: str = ""
    is_ended: bool = False
    is_contested: bool = False
    """True if another principal used its id before, and the gate refuses it therefore."""
    stops: OwnStops = {}
    answers: dict[str, Given] = {}
    """By request id, the oldest first."""
    calls: dict[str, str] = {}
    """The requests of these answers, by the id of their call."""
    tellings: dict[str, list[int]] = {}
    """The numbers of the events that were reported, by request id, the oldest first."""
    telling_digests: dict[str, str] = {}
    """The digest of all events of each of these requests, also of those not yet recorded."""
    recent: list[RecentEvent] = []
    """The latest events, the oldest first."""
    unended: dict[str, Unended] = {}
    """Calls of hooks without an outcome, by id, the oldest first."""


class _Stops(msgspec.Struct, frozen=True):
    principals: dict[str, OwnStops]


class _Held(msgspec.Struct, frozen=True):
    calls: list[HeldCall]


class _Time(msgspec.Struct, frozen=True):
    time_ns: int = 0


class Book:
    """The sessions, answers and held calls of one gate. `load` reads the store."""

    def __init__(self, load: Callable[[str], LoadedScope]) -> None:
        self._load = load
        self._rows: OrderedDict[TraceKey, SessionRow] = OrderedDict()
        self._sizes: dict[TraceKey, int] = {}
        """The bytes of each row in memory, as it is stored."""
        self._changed: set[TraceKey] = set()
        stored = load(HELD_NAME).header
        calls = [] if stored is None else _read(stored, _Held).calls
        self.held: dict[str, HeldCall] = {call.id: call for call in calls}
        """By the id of the approval, the oldest first."""
        self._has_held_changed = False
        stopped = load(STOPS_NAME).header
        self.principal_stops: dict[str, OwnStops] = (
            {} if stopped is None else _read(stopped, _Stops).principals
        )
        """By principal, of whom operators name a bounded number."""
        self._have_stops_changed = False
        self.exceptions = ExceptionTable(load(TABLE_NAME).header)
        stored = load(TIME_NAME).header
        self.time_ns = 0 if stored is None else _read(stored, _Time).time_ns
        """The time of the latest record."""
        self._time_kept_ns = self.time_ns

    def row(self, key: TraceKey) -> SessionRow:
        """A session; a new one has the number 0."""
        row = self._rows.get(key)
        if row is None:
            stored = self._load(_stored_row(key)).header
            row = SessionRow() if stored is None else _read(stored, SessionRow)
            self._rows[key], self._sizes[key] = row, len(stored or b"")
        self._rows.move_to_end(key)
        return row

    def has(self, key: TraceKey) -> bool:
        """True if a session has begun, and is not forgotten."""
        row = self._rows.get(key)
        return self._load(_stored_row(key)).header is not None if row is None else row.seq > 0

    def given(self, key: TraceKey, request: str) -> Given | None:
        """The answer to a request that was asked before."""
        return self.row(key).answers.get(request)

    def told(self, key: TraceKey, request: str) -> tuple[list[int], str]:
        """The numbers of the events that a request reported, and the digest of all of them."""
        row = self.row(key)
        return row.tellings.get(request, []), row.telling_digests.get(request, "")

    def who_asked(self, key: TraceKey, call: str) -> str | None:
        """The request that used a call's id; None if none of those that are kept did."""
        return self.row(key).calls.get(call)

    def apply(self, line: Line) -> None:
        """One record of the log, after it was written."""
        key = TraceKey(line.principal, line.session)
        row = self.row(key)
        self._changed.add(key)
        row.seq = line.seq + 1
        self.time_ns = max(self.time_ns, line.ts)
        row.agent, row.user = row.agent or line.agent, row.user or line.user
        row.tenant, row.parent = row.tenant or line.tenant, row.parent or line.parent
        row.is_ended = row.is_ended or line.kind == "session.ended"
        row.recent = [*row.recent[1 - RECENT_MAX :], _recent(line)]
        note = line.gate
        _follow(row, line)
        self.exceptions.apply(note)
        row.is_contested = row.is_contested or note.reason == CONTESTED
        if note.telling:
            row.tellings.setdefault(note.telling, []).append(line.seq)
            row.telling_digests[note.telling] = note.digest
            while len(row.tellings) > TELLINGS_MAX:
                first = next(iter(row.tellings))
                del row.tellings[first], row.telling_digests[first]
        if not note.request:
            return
        if note.decision:
            args = line.args if note.is_edited else RAW_ABSENT
            row.answers.pop(note.request, None)
            row.answers[note.request] = Given(note.digest, line.call, line.seq, note, args)
            row.calls[line.call] = note.request
            _forget_answers(row)
        if note.approval:
            self._hold(line, note)

    def _hold(self, line: Line, note: GateNote) -> None:
        """A held call begins to wait, has one more grant, or waits no longer."""
        self._has_held_changed = True
        waiting = self.held.get(note.approval)
        if note.decision == "hold":
            self.held[note.approval] = HeldCall(
                id=note.approval,
                principal=line.principal,
                session=line.session,
                request=note.request,
                call=line.call,
                tool=line.tool,
                args=line.args,
                attributes=line.attributes,
                args_digest=note.digest,
                asked_ns=line.ts,
                expires_ns=note.expires_ns,
                message=note.message,
                invariants=note.invariants,
                approvers=note.approvers,
            )
        elif note.decision:
            self.held.pop(note.approval, None)
        elif waiting is not None:
            args = line.args if note.is_edited else waiting.args
            self.held[note.approval] = msgspec.structs.replace(
                waiting,
                granted_by=note.by,
                args=args,
                is_edited=note.is_edited,
                refused=note.reason,
            )

    def stop(
        self, key: TraceKey, state: StopState, stop: OwnStop, *, is_of_principal: bool
    ) -> None:
        """A session is stopped from here on, and with it its principal if so set."""
        self.row(key).stops[state] = stop
        self._changed.add(key)
        if is_of_principal:
            self.principal_stops.setdefault(key.principal, {})[state] = stop
            self._have_stops_changed = True

    def take_changes(self, gone: Iterable[TraceKey]) -> tuple[list[ScopeChange], list[str]]:
        """The rows to write since the last call, and those of sessions that are `gone`."""
        dropped = []
        for key in gone:
            self._rows.pop(key, None)
            self._sizes.pop(key, None)
            self._changed.discard(key)
            dropped.append(_stored_row(key))
        changes = []
        for key in self._changed:
            content = msgspec.json.encode(self._rows[key])
            self._sizes[key] = len(content)
            changes.append(ScopeChange(_stored_row(key), content, None, {}, ()))
        if self._has_held_changed:
            held = msgspec.json.encode(_Held(list(self.held.values())))
            changes.append(ScopeChange(HELD_NAME, held, None, {}, ()))
        if self._have_stops_changed:
            stopped = msgspec.json.encode(_Stops(self.principal_stops))
            changes.append(ScopeChange(STOPS_NAME, stopped, None, {}, ()))
        for content in self.exceptions.take_changes():
            changes.append(ScopeChange(TABLE_NAME, content, None, {}, ()))
        self._changed, self._has_held_changed, self._have_stops_changed = set(), False, False
        if self.time_ns != self._time_kept_ns:
            time = msgspec.json.encode(_Time(self.time_ns))
            changes.append(ScopeChange(TIME_NAME, time, None, {}, ()))
            self._time_kept_ns = self.time_ns
        self._forget_oldest()
        return changes, dropped

    def _forget_oldest(self) -> None:
        """Leave the rows in the store alone that were not used for longest."""
        size = sum(self._sizes.values())
        while len(self._rows) > ROWS_IN_MEMORY_MAX or size > ROWS_IN_MEMORY_BYTES_MAX:
            key, _ = self._rows.popitem(last=False)
            size -= self._sizes.pop(key)


def _forget_answers(row: SessionRow) -> None:
    """Keep the latest ones, and those of calls that wait: an operator's decision is about them."""
    while len(row.answers) > ANSWERS_MAX:
        oldest = next(name for name, one in row.answers.items() if one.note.decision != "hold")
        row.calls.pop(row.answers.pop(oldest).call, None)


def _follow(row: SessionRow, line: Line) -> None:
    """Keep a hook's call from its `allow` to its outcome, and mark the answer to one that ends."""
    note = line.gate
    if note.decision == "allow" and note.request.startswith(HOOKED):
        row.unended[line.call] = Unended(note.request, line.tool)
        if len(row.unended) > UNENDED_MAX:
            del row.unended[next(iter(row.unended))]
    elif line.kind in ("tool.completed", "tool.failed"):
        row.unended.pop(line.call, None)
        request = row.calls.get(line.call, "")
        if request in row.answers:
            row.answers[request] = msgspec.structs.replace(row.answers[request], is_over=True)
    elif line.kind == PERMISSION_ASKED and line.call in row.unended:
        row.unended[line.call] = msgspec.structs.replace(row.unended[line.call], is_user_asked=True)


def _recent(line: Line) -> RecentEvent:
    content = bytes(line.args or line.result)[:RECENT_CHARS_MAX].decode("utf-8", "ignore")
    text = (line.text or line.error)[:RECENT_CHARS_MAX] or content
    return RecentEvent(line.seq, line.ts, line.kind, line.tool, text)


def _read(data: bytes, type_: type[RowT]) -> RowT:
    """A stored row. StateError if it is damaged: going on would forget answers."""
    try:
        return msgspec.json.decode(data, type=type_)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise StateError(f"a stored row of the gate cannot be read: {error}") from error


def _stored_row(key: TraceKey) -> str:
    return f"{_ROW_PREFIX}{key.principal}/{key.session}"
