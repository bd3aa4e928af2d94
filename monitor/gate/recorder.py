"""Writes an event down, then lets the kernel take it in: the gate's only way to change anything.

    line(...)     an event with its number, its time and the standing of its principal
    event(line)   the same as the kernel sees it; a line that a monitor could not read is refused
    take(...)     append to the log, commit to the kernel, note in the book: in this order

A monitor that reads the log, and this gate after a restart, read the same bytes with the same
decoder, so that all of them see the same event.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

import msgspec

from interlock.limits import NUMBER_MAX, RECORD_BYTES_MAX
from invariants.model.event import RAW_ABSENT, Event, Origin
from invariants.model.excepted import Excepted
from monitor.clock import Clock
from monitor.findings.incident import incident_of
from monitor.findings.model import Finding
from monitor.gate.book import Book, OwnStop, StopState
from monitor.gate.budget import ByteBudget
from monitor.gate.errors import MalformedError, NotReadyError
from monitor.gate.log import Log, UnsureError
from monitor.gate.note import GateNote, Line, line_bytes
from monitor.ingest.decode import decode_event
from monitor.ingest.provenance import Provenance
from monitor.ingest.rejected import Rejected
from monitor.kernel.evaluate import evaluate
from monitor.kernel.kernel import Kernel
from monitor.kernel.prepared import Stepped, Taken
from monitor.log import say
from monitor.principals.model import Principals
from monitor.topics import GATE
from monitor.trace_key import TraceKey

STATED: Final = ("agent", "user", "tenant", "parent")
"""The names that a session states once, at its begin; its events repeat them."""
_TRUSTED: Final = Provenance()


class Recorder:
    """The kernel, the log and the book of one gate."""

    def __init__(
        self,
        kernel: Kernel,
        log: Log,
        book: Book,
        *,
        name: str,
        clock: Clock,
        principals: Principals | None,
        budget: ByteBudget,
        claims_trouble: Callable[[], str],
        stops_principals: bool = True,
    ) -> None:
        self._budget = budget
        self._stops_principals = stops_principals
        # Another process may have the sessions, whatever the record is about.
        self._claims_trouble = claims_trouble
        self.kernel, self.book, self.name = kernel, book, name
        self.principals = principals
        self._log, self._clock = log, clock
        # A clock that was put back while no gate ran must not hide what happened just before.
        self._time_ns = book.time_ns
        self.trouble = ""
        """Why nothing can be recorded any more; empty while all is well."""

    def reach_now(self) -> int:
        """The time of what happens now, in ns: the clock's, but never before that of an earlier
        event. All that time alone decides before it is decided.
        """
        self._time_ns = max(self._time_ns, self._clock.now_ns())
        self._obey(self.kernel.tick(self._time_ns))
        return self._time_ns

    def check_budget(self, principal: str) -> None:
        """CrowdedError if too much was recorded for this principal of late."""
        self._budget.check(principal, self._clock.monotonic_ns())

    def line(self, key: TraceKey, kind: str, time_ns: int, **fields: Any) -> Line:
        """An event of a session, with everything that the gate knows of it.

        Raises
        ------
        MalformedError
            A value is not JSON, or the session has no numbers left.
        """
        row = self.book.row(key)
        if row.seq >= NUMBER_MAX:
            raise MalformedError("the session has no numbers left; open another")
        stated = {name: getattr(row, name) for name in STATED}
        stated["gate"] = GateNote(name=self.name)
        fields = {name: _on_one_line(value) for name, value in fields.items()}
        return Line(
            session=key.session,
            principal=key.principal,
            seq=row.seq,
            ts=time_ns,
            kind=kind,
            standing=self._standing(key.principal, time_ns),
            excepted=_raw(self.book.exceptions.of(key, time_ns)),
            **(stated | fields),
        )

    def event(self, line: Line) -> Event:
        """The event as everybody will read it.

        Raises
        ------
        MalformedError
            It is not an event within the limits of docs/events.md.
        """
        event = self._decoded(line_bytes(line), line)
        if isinstance(event, Rejected):
            raise MalformedError(f"{event.detail}; docs/events.md has the limits of an event")
        return event

    def take(self, line: Line, event: Event, taken: Taken | None = None) -> Stepped:
        """Write an event down, and take it in as it was judged, or judge it now.

        Raises
        ------
        NotReadyError
            It could not be written down: nothing happened.
        """
        if trouble := self.trouble or self._claims_trouble():
            raise NotReadyError(trouble)
        value = line_bytes(line)
        if len(value) > RECORD_BYTES_MAX:
            raise MalformedError(f"the record would have more than {RECORD_BYTES_MAX} bytes")
        try:
            self._log.append(line.session, value)
        except UnsureError as error:
            # It may be in the log: a restart finds out, and nothing else may be answered before.
            self.trouble = f"the log could not be synced ({error}); mend the disk, and start again"
            say("error", "gate_log_unsure", text=self.trouble)
            raise NotReadyError(self.trouble) from None
        except OSError as error:
            reason = error.strerror or type(error).__name__
            say("error", "gate_log_failed", text=reason)
            raise NotReadyError(f"the gate's log cannot be written ({reason}); ask again") from None
        self._budget.charge(line.principal, len(value), self._clock.monotonic_ns())
        return self._take_in(line, event, taken)

    def take_again(self, value: bytes, line: Line) -> None:
        """A record of the log, after a restart."""
        event = self._decoded(value, line)
        assert isinstance(event, Event), "what was written could be read"
        self._time_ns = max(self._time_ns, line.ts)
        self._obey(self.kernel.tick(self._time_ns))
        self._take_in(line, event, None)

    def _take_in(self, line: Line, event: Event, taken: Taken | None) -> Stepped:
        if taken is None:
            stepped = evaluate(self.kernel, _TRUSTED, event, "")
        else:
            stepped = self.kernel.commit(taken)
        self.book.apply(line)
        self._obey(stepped.findings)
        return stepped

    def _obey(self, findings: Iterable[Finding]) -> None:
        """Stop sessions at once whose violations say so: an agent that waits for its answers cannot
        outrun the gate. The monitor's record of the same stop follows on the control topic.
        """
        for finding in findings:
            if finding.stop is not None:
                state: StopState = "killed" if finding.stop == "kill" else "quarantined"
                stop = OwnStop(incident_of(finding.id), self._time_ns)
                is_of_principal = self._stops_principals and bool(finding.principal)
                self.book.stop(finding.trace, state, stop, is_of_principal=is_of_principal)

    def _decoded(self, value: bytes, line: Line) -> Event | Rejected:
        origin = Origin(GATE, self.name, line.seq)
        return decode_event(value, origin, arrival_ns=line.ts)

    def _standing(self, principal: str, time_ns: int) -> msgspec.Raw:
        standing = None if self.principals is None else self.principals.standing(principal, time_ns)
        return RAW_ABSENT if standing is None else msgspec.Raw(msgspec.json.encode(standing))


def _raw(excepted: tuple[Excepted, ...]) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(excepted)) if excepted else RAW_ABSENT


def _on_one_line(value: Any) -> Any:
    """JSON without its line breaks, which would end the record: they are between its tokens."""
    if not isinstance(value, msgspec.Raw) or b"\n" not in bytes(value):
        return value
    try:
        return msgspec.Raw(msgspec.json.format(bytes(value), indent=-1))
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise MalformedError("`args`, `result` or `attributes` is not JSON; send objects") from None
