"""The answers of a preview counted by invariant, as JSON and as text.

An example names what a reader needs to find the call, and no value of an argument: the result may
be passed on. The text of a session is escaped and cut before it is printed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, Literal

import msgspec

from invariants.runtime.program import Program
from monitor.findings.count_text import count_of
from monitor.presentation import visible
from monitor.trace_key import TraceKey
from replay.preview.play import Asked

EXAMPLES_MAX: Final = 3
NAME_CHARS_MAX: Final = 80
NAMES_CHARS_MAX: Final = 120

Refusal = Literal["denied", "held", "stopped"]
IsBenign = Callable[[str], bool]


class Example(msgspec.Struct, frozen=True):
    """A call that would have been refused; `position` is that of the event in its session, `args`
    are the names of its arguments.
    """

    principal: str
    session: str
    position: int
    tool: str
    args: list[str]
    file: str
    refusal: Refusal


class Share(msgspec.Struct, frozen=True):
    """The refused calls of some sessions."""

    calls_count: int
    refused_count: int
    sessions_count: int
    refused_sessions_count: int

    @property
    def of_calls(self) -> float:
        return self.refused_count / self.calls_count if self.calls_count else 0.0


class InvariantPreview(msgspec.Struct, frozen=True):
    """The refusals of one invariant; `stopped_count` counts calls of sessions that it had
    stopped.

    A call that several invariants refuse counts for each. `benign` is None without labels.
    """

    id: str
    summary: str
    mode: str
    denied_count: int
    held_count: int
    stopped_count: int
    sessions_count: int
    share: float
    benign: Share | None
    examples: list[Example]

    @property
    def refused_count(self) -> int:
        return self.denied_count + self.held_count + self.stopped_count


class Preview(msgspec.Struct, frozen=True):
    """The whole preview. `unjudged` are calls that the engine failed on: a gate denies them."""

    recordings_count: int
    unread_count: int
    unjudged_count: int
    total: Share
    benign: Share | None
    invariants: list[InvariantPreview]
    notes: list[str]


class _Counts:
    """The refusals of one invariant, of all sessions together, or of those that are benign."""

    def __init__(self) -> None:
        self.of: dict[Refusal, int] = {"denied": 0, "held": 0, "stopped": 0}
        self.benign_count = 0
        self.sessions: set[tuple[int, TraceKey]] = set()
        self.benign_sessions: set[tuple[int, TraceKey]] = set()
        self.examples: list[Example] = []


class Tally:
    """Counts answers. `is_benign` says of a session's id whether it is known to be benign."""

    def __init__(self, is_benign: IsBenign | None) -> None:
        self._is_benign = is_benign
        self._of: dict[str, _Counts] = {}
        self._declared: dict[str, tuple[str, str]] = {}
        self._any = _Counts()
        self._recordings_count = self._unread_count = self._unjudged_count = 0
        self._calls_count = self._benign_calls_count = 0
        self._sessions_count = self._benign_sessions_count = 0
        self._file = ""
        self.notes: list[str] = []

    def begin(self, file: str, program: Program) -> None:
        """Another recording, and the invariants that judge it."""
        self._recordings_count += 1
        self._file = file
        for compiled in program.invariants:
            declared = compiled.declared
            self._declared.setdefault(declared.id, (declared.summary, declared.mode))

    def take(self, asked: Asked) -> None:
        """Count one call."""
        is_benign = self._benign(asked.trace)
        self._calls_count += 1
        self._benign_calls_count += is_benign
        found = {finding.invariant for finding in asked.findings}
        names = sorted(found.union(asked.stopped_by, asked.blind))
        if not names:
            return
        refusal: Refusal = "held" if asked.decision == "hold" else "denied"
        refusal = "stopped" if asked.stopped_by else refusal
        for counts in (self._any, *(self._of.setdefault(name, _Counts()) for name in names)):
            self._count(counts, asked, refusal, is_benign=is_benign)

    def _count(self, counts: _Counts, asked: Asked, refusal: Refusal, *, is_benign: bool) -> None:
        # The first call of a session is the best example: it is the one that people look for.
        place = (self._recordings_count, asked.trace)
        if place not in counts.sessions and len(counts.examples) < EXAMPLES_MAX:
            trace = asked.trace
            place_of = (trace.principal, trace.session, asked.position, asked.tool)
            counts.examples.append(Example(*place_of, asked.args, self._file, refusal))
        counts.of[refusal] += 1
        counts.sessions.add(place)
        if is_benign:
            counts.benign_count += 1
            counts.benign_sessions.add(place)

    def end(self, sessions: Iterable[TraceKey], unread_count: int, unjudged_count: int) -> None:
        """The recording is over."""
        for trace in sessions:
            self._sessions_count += 1
            self._benign_sessions_count += self._benign(trace)
        self._unread_count += unread_count
        self._unjudged_count += unjudged_count

    def _benign(self, trace: TraceKey) -> bool:
        return self._is_benign is not None and self._is_benign(trace.session)

    def result(self) -> Preview:
        """Everything that was counted; the invariants that refuse most come first."""
        invariants = [
            self._invariant(id_, summary, mode, self._of.get(id_, _Counts()))
            for id_, (summary, mode) in self._declared.items()
        ]
        refused = sum(self._any.of.values())
        total = Share(self._calls_count, refused, self._sessions_count, len(self._any.sessions))
        return Preview(
            self._recordings_count,
            self._unread_count,
            self._unjudged_count,
            total,
            self._benign_share(self._any),
            sorted(invariants, key=lambda one: (-one.refused_count, one.id)),
            self.notes,
        )

    def _invariant(self, id_: str, summary: str, mode: str, counts: _Counts) -> InvariantPreview:
        refused = sum(counts.of.values())
        return InvariantPreview(
            id_,
            summary,
            mode,
            counts.of["denied"],
            counts.of["held"],
            counts.of["stopped"],
            len(counts.sessions),
            refused / self._calls_count if self._calls_count else 0.0,
            self._benign_share(counts),
            counts.examples,
        )

    def _benign_share(self, counts: _Counts) -> Share | None:
        if self._is_benign is None:
            return None
        return Share(
            self._benign_calls_count,
            counts.benign_count,
            self._benign_sessions_count,
            len(counts.benign_sessions),
        )


def preview_lines(preview: Preview) -> list[str]:
    """The preview as text for people."""
    total = preview.total
    lines = [f"{count_of(preview.recordings_count, 'recording')}: {_share_text(total)}"]
    if preview.benign is not None:
        lines.append(f"of the benign sessions: {_share_text(preview.benign)}")
    quiet = [one.id for one in preview.invariants if not one.refused_count]
    for one in preview.invariants:
        if one.refused_count:
            lines += ["", *_invariant_lines(one)]
    if quiet:
        lines += ["", f"refuse nothing: {visible(', '.join(quiet), 1_000)}"]
    return lines


def _share_text(share: Share) -> str:
    return (
        f"{share.refused_count} of {count_of(share.calls_count, 'call')} would be refused "
        f"({share.of_calls:.1%}), in {share.refused_sessions_count} of "
        f"{count_of(share.sessions_count, 'session')}"
    )


def _invariant_lines(one: InvariantPreview) -> list[str]:
    told = [f"{one.denied_count} denied", f"{one.held_count} held for an approval"]
    if one.stopped_count:
        told.append(f"{one.stopped_count} refused in sessions that it had stopped")
    lines = [
        f"{one.id} ({one.mode} as written): {', '.join(told)}, in "
        f"{count_of(one.sessions_count, 'session')} ({one.share:.1%} of all calls)",
        f"  {visible(one.summary)}",
    ]
    if one.benign is not None and one.benign.refused_count:
        lines.append(f"  of the benign sessions: {_share_text(one.benign)}")
    for example in one.examples:
        trace = TraceKey(example.principal, example.session)
        arguments = visible(", ".join(example.args), NAMES_CHARS_MAX)
        lines.append(
            f"  {example.refusal}: {visible(str(trace), NAME_CHARS_MAX)} at position "
            f"{example.position}: {visible(example.tool, NAME_CHARS_MAX)}({arguments}) "
            f"[{visible(example.file)}]"
        )
    return lines
