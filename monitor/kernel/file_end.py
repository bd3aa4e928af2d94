"""Decisions at the end of a finished file: its time, and the verdicts that are still open.

Input: the times of a file's events, and the states of scopes after the last line. Output: the time
at which deadlines are decided, the verdicts that are open after it, and the places at which the
lines were out of order. Pure. While a file is read, the passage of time alone decides nothing: an
approval may follow further down.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from invariants.model.event import Origin
from invariants.operators.future import Anchor
from invariants.operators.nodes import UNBOUND
from invariants.runtime.scope_program import Compiled, Judged, Progress, ScopeProgram
from invariants.runtime.unsure_time import TimeDoubt
from monitor.findings.model import Severity
from monitor.kernel.build_finding import show_binding
from monitor.kernel.event_names import Named, Names, name_in
from monitor.kernel.scope import ScopeT
from monitor.kernel.table import KeyT, ScopeTable
from monitor.presentation import time_text, visible

OPEN_LISTED_MAX: Final = 1_000
"""Chosen: open verdicts that are spelt out in JSON; all are counted."""
OPEN_SHOWN_MAX: Final = 10
"""Chosen: open verdicts that the text names."""


class FileTime(msgspec.Struct):
    """The greatest time of the events so far that is not later than now."""

    reached_ns: int = 0

    def see(self, ts_ns: int, now_ns: int) -> None:
        """Take in the time of an event. One that is stamped 2099 would decide everything."""
        if self.reached_ns < ts_ns <= now_ns:
            self.reached_ns = ts_ns


class Disorder(msgspec.Struct):
    """The first event of a file that lies before its predecessor, and how many do.

    `later_count`: how many are stamped later than they were read.
    """

    first: Origin | None = None
    count: int = 0
    later_count: int = 0

    def note(self, origin: Origin, doubt: TimeDoubt | None, *, is_back: bool) -> None:
        """One more event; `is_back` if its time or its number runs back."""
        self.later_count += doubt is not None and doubt.is_own
        if is_back:
            self.first = self.first or origin
            self.count += 1


class OpenVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """A verdict that the file ends too early for. `due_ns` is None if the session's end decides."""

    invariant: str
    severity: Severity
    scope_kind: str
    scope: str
    session: str
    position: int
    time_ns: int
    event_id: str
    binding: dict[str, Any]
    due_ns: int | None


class OpenVerdicts(msgspec.Struct, frozen=True, kw_only=True):
    """How many there are, and the first of them: those that are due first."""

    count: int = 0
    verdicts: list[OpenVerdict] = []


def gathered(found: Iterator[OpenVerdict]) -> OpenVerdicts:
    """All of them, counted; memory is bounded by those that are listed."""
    count = 0

    def counted() -> Iterator[OpenVerdict]:
        nonlocal count
        for one in found:
            count += 1
            yield one

    first = heapq.nsmallest(OPEN_LISTED_MAX, counted(), key=_due)
    return OpenVerdicts(count=count, verdicts=first)


def counts_runs(program: ScopeProgram) -> bool:
    """True if violations in a row are counted (`report: edge`) in the program's sort of scope."""
    return any(c.declared.report == "edge" for c in program.invariants)


def runs_of(
    sessions: ScopeTable[KeyT, ScopeT], program: ScopeProgram
) -> Iterator[tuple[KeyT, ScopeT, Judged]]:
    """Runs of violations that the file does not end, with their size at its end."""
    if counts_runs(program):
        for key, scope in sessions.waited_for():
            if (judged := program.runs(scope.progress)).verdicts:
                yield key, scope, judged


def open_verdicts(
    program: ScopeProgram, progress: Progress, scope: str, names: Names | None = None
) -> Iterator[OpenVerdict]:
    """Those of one scope of a program.

    `scope` is its name; `names` are those of its events, if it is wider than a session.
    """
    for compiled, state in zip(program.invariants, progress.states, strict=True):
        future = compiled.automaton.tables.future
        if future is None or not state.pending.waiting_count:
            continue
        for anchors in state.pending.anchors.values():
            for anchor in anchors:
                named = None if names is None else name_in(names, anchor.ref)
                yield _open(compiled, anchor, scope, named, future.window.high_ns)


def _open(
    compiled: Compiled,
    anchor: Anchor,
    scope: str,
    named: Named | None,
    width_ns: int | None,
) -> OpenVerdict:
    ref, variables = anchor.ref, compiled.automaton.tables.variables
    session, position, id_ = scope, ref.position, ref.id
    if named is not None:
        session, position, id_ = named.session, named.position, named.id
    bound = zip(variables, anchor.env, strict=False)
    return OpenVerdict(
        invariant=compiled.declared.id,
        severity=compiled.declared.severity,
        scope_kind=compiled.declared.per,
        scope=scope,
        session=session,
        position=position,
        time_ns=ref.time_ns,
        event_id=id_,
        binding=show_binding(tuple((n, value) for n, value in bound if value is not UNBOUND)),
        due_ns=None if width_ns is None else ref.time_ns + width_ns,
    )


def open_text(found: OpenVerdicts) -> str:
    """`1 verdict is open: paid-in-10m in s-1, due 2026-01-05T09:10:00.000Z`; empty without any."""
    if not found.count:
        return ""
    shown = [_named(one) for one in found.verdicts[:OPEN_SHOWN_MAX]]
    if found.count > len(shown):
        shown.append(f"and {found.count - len(shown)} more")
    verb = "verdict is" if found.count == 1 else "verdicts are"
    return f"{found.count} {verb} open: {'; '.join(shown)}"


def disorder_text(disorder: Disorder, line: int | None, *, is_sorted: bool) -> str:
    """The one notice about lines that are not in order; empty if all are."""
    if disorder.first is None:
        return ""
    place = f"byte {disorder.first.offset}" if line is None else f"line {line}"
    more = f" and {disorder.count - 1} more" if disorder.count > 1 else ""
    if is_sorted:
        return f"times go back at {place}{more} in the order of `seq`, which takes precedence"
    return f"times go back at {place}{more}; lines are judged in file order; --sort orders them"


def later_text(disorder: Disorder) -> str:
    """The one notice about times after now; empty if there are none."""
    count = disorder.later_count
    if not count:
        return ""
    which = "1 event is" if count == 1 else f"{count} events are"
    return f"{which} stamped later than now: windows that begin or end there cannot be measured"


def _named(one: OpenVerdict) -> str:
    where = visible(one.session, 60)
    if one.scope_kind != "session":
        where += f" ({one.scope_kind} {visible(one.scope, 60)})"
    due = "when the session ends" if one.due_ns is None else time_text(one.due_ns)
    return f"{one.invariant} in {where}, due {due}"


def _due(one: OpenVerdict) -> tuple[int, str, int, str]:
    return (2**64 if one.due_ns is None else one.due_ns, one.session, one.position, one.invariant)
