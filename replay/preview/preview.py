"""Recorded sessions played past a gate that was not there.

    Preview(program)             the invariants, all of them enforced
    preview.play(file)           every request of a recording is judged before it is taken in
    preview.invariants()         what each invariant would have denied or held

A denied call is left out with its outcome, as if it had been refused; the rest of the session is as
it was recorded. A held call is counted, and taken in as recorded: an operator might have granted
it. Examples have the names of arguments, and no value: the result may be passed on. Nothing here
acts.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Final, Literal

import msgspec

from invariants.model.event import Event
from invariants.runtime.program import Program
from monitor.findings.model import Finding
from monitor.gate.judgement import judge
from monitor.kernel.prepared import Taken
from monitor.presentation import visible
from monitor.trace_key import TraceKey
from replay.recording.format import CloseLine, RecordLine, TickLine
from replay.recording.reader import RecordedFile
from replay.timeline.player import Player, read_line

EXAMPLES_MAX: Final = 3
OUTCOMES: Final = frozenset({"tool.completed", "tool.failed"})
NAMES_CHARS_MAX: Final = 120


class Example(msgspec.Struct, frozen=True):
    """A call that would have been refused: where it is, and the names of its arguments."""

    file: str
    session: str
    position: int
    tool: str
    args: list[str]


class InvariantPreview(msgspec.Struct):
    """One invariant: calls that it would have denied or held, in how many sessions."""

    id: str
    summary: str
    denied_count: int = 0
    held_count: int = 0
    sessions_count: int = 0
    examples: list[Example] = []


class Totals(msgspec.Struct):
    """All calls of all recordings. A call counts once, however many invariants refuse it."""

    sessions_count: int = 0
    calls_count: int = 0
    denied_count: int = 0
    held_count: int = 0
    refused_sessions_count: int = 0
    unread_count: int = 0
    """Records that could not be read: nothing is known of them."""


class Preview:
    """The results of all recordings that were played so far."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self.totals = Totals()
        self._rows = {
            one.declared.id: InvariantPreview(one.declared.id, one.declared.summary)
            for one in program.invariants
        }
        self._sessions: set[tuple[str, TraceKey]] = set()
        self._refused: dict[str, set[tuple[str, TraceKey]]] = {"": set()}

    def invariants(self) -> list[InvariantPreview]:
        """Those that would have refused a call, the most frequent first."""
        rows = [row for row in self._rows.values() if row.denied_count or row.held_count]
        return sorted(rows, key=lambda row: (-row.denied_count - row.held_count, row.id))

    def play(self, file: RecordedFile) -> None:
        """Judge every request of one recording.

        Raises
        ------
        ConfigError
            The recording is damaged.
        """
        player = Player(file.header, self._program, read_ns=file.now_ns if file.is_plain else None)
        denied: set[tuple[TraceKey, str]] = set()
        with closing(file):
            for line in file.lines():
                if isinstance(line, TickLine | CloseLine):
                    player.play(line)
                elif isinstance(line, RecordLine):
                    self._play(file.path, player, line, denied)

    def _play(
        self, path: str, player: Player, line: RecordLine, denied: set[tuple[TraceKey, str]]
    ) -> None:
        event = read_line(line, is_trusted=player.is_trusted)
        if not isinstance(event, Event):
            self.totals.unread_count += 1
            player.play(line)
            return
        key = TraceKey(event.principal, event.session)
        self._sessions.add((path, key))
        self.totals.sessions_count = len(self._sessions)
        call = (key, event.record.call)
        if event.kind in OUTCOMES and call in denied:
            return
        if event.kind == "tool.requested" and self._is_denied(path, player, event):
            if event.record.call:
                denied.add(call)
            return
        player.play(line)

    def _is_denied(self, path: str, player: Player, event: Event) -> bool:
        self.totals.calls_count += 1
        kernel = player.kernel
        if not isinstance(prepared := kernel.prepare(event), Taken):
            return False
        judgement = judge(kernel, event)
        if judgement.decision == "allow":
            return False
        self._count(path, prepared, judgement.enforced, judgement.decision)
        return judgement.decision == "deny"

    def _count(
        self, path: str, taken: Taken, found: list[Finding], decision: Literal["deny", "hold"]
    ) -> None:
        session = path, taken.owner
        if decision == "deny":
            self.totals.denied_count += 1
        else:
            self.totals.held_count += 1
        self._refused[""].add(session)
        self.totals.refused_sessions_count = len(self._refused[""])
        for id_ in dict.fromkeys(finding.invariant for finding in found):
            row, sessions = self._rows[id_], self._refused.setdefault(id_, set())
            if decision == "deny":
                row.denied_count += 1
            else:
                row.held_count += 1
            is_first = session not in sessions
            sessions.add(session)
            row.sessions_count = len(sessions)
            if is_first and len(row.examples) < EXAMPLES_MAX:
                row.examples = [*row.examples, _example(path, taken)]


def lines_of(preview: Preview) -> Iterator[str]:
    """The result for people."""
    totals = preview.totals
    yield (
        f"{totals.calls_count} calls in {totals.sessions_count} sessions: {totals.denied_count} "
        f"would have been denied and {totals.held_count} held, in "
        f"{totals.refused_sessions_count} sessions"
    )
    if totals.unread_count:
        yield f"{totals.unread_count} records could not be read; nothing is known of them"
    for row in preview.invariants():
        yield ""
        yield (
            f"{row.id}: {row.denied_count} denied, {row.held_count} held, in {row.sessions_count} "
            "sessions"
        )
        if row.summary:
            yield f"  {visible(row.summary)}"
        for one in row.examples:
            place = f"{visible(one.session)} event {one.position}"
            names = visible(", ".join(one.args), NAMES_CHARS_MAX)
            yield f"  {place}: {visible(one.tool)}({names})  [{visible(one.file)}]"


def _example(path: str, taken: Taken) -> Example:
    record = taken.event.record
    args = msgspec.json.decode(record.args, type=dict[str, msgspec.Raw]) if record.args else {}
    return Example(path, str(taken.owner), taken.before[0].position, record.tool, list(args))
