"""`report:` of an invariant: the verdicts that become findings.

    every   each violated and each inconclusive verdict
    first   the first of each kind, for each binding of a scope
    edge    one whose kind is another than at the binding's judged event before

With `edge`, violations of one binding in a row are a *run*, reported under the first of them: again
when the count reaches 10, 100, 1,000 and so on, and when it is over. A run of one is reported once.

Reported verdicts are recorded with the state, so that a restart repeats nothing. Beyond
`slices_max` bindings no more are recorded, and every verdict of the others is reported: too many
reports are an annoyance, too few a wrong "fine".

A violation that an operator's exception covers stops nobody. It counts as a kind of its own, and
stands for no other: else the exception would go on behind its end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Final, Literal, NamedTuple

from pyrsistent import PMap, pmap

from ..model.report import Report
from ..model.verdict import MISSING_BINDING, Binding, EventRef, Run, Verdict, VerdictKind, Witness


class Stretch(NamedTuple):
    """Verdicts of one kind in a row, of one binding.

    Violations are counted from `first` to `last` if a decided one begins the stretch. One that
    `on_unknown` escalates is reported in a group, under another id, and so begins no run; nor does
    one that is covered.
    """

    kind: VerdictKind | Literal["covered"]
    length: int = 0
    first: EventRef | None = None
    last: EventRef | None = None
    over_length: int = 0
    """The length with which it was reported as over: a session may go on after its end."""

    @property
    def is_open_run(self) -> bool:
        """True for two or more violations whose end was not reported."""
        return self.length > max(1, self.over_length)


Told = PMap[tuple[Binding, str], Stretch]
"""For `first`: binding and kind. For `edge`: the binding, and its verdicts since the last edge."""

NOTHING_TOLD: Final[Told] = pmap()

Covers = Callable[[Verdict], bool]
"""True for a violation that an operator's exception covers."""


def take_told(
    report: Report,
    told: Told,
    verdicts: Iterable[Verdict],
    told_max: int,
    covers: Covers | None = None,
) -> tuple[Told, list[Verdict]]:
    """The record after these verdicts, and those of them that become findings."""
    if report == "edge":
        return _take_edges(told, verdicts, told_max, covers)
    findings = [v for v in verdicts if v.kind in ("violated", "inconclusive")]
    return (told, findings) if report == "every" else _take_first(told, findings, told_max, covers)


def runs_of(told: Told, invariant: str) -> list[Verdict]:
    """The runs that are not over, in the order of their first events."""
    return _open_runs(told, invariant, None)


def end_runs(told: Told, invariant: str, end: EventRef) -> tuple[Told, list[Verdict]]:
    """The record after the end of a session, and the runs that it ends.

    A session that ends a thousand times does not report its runs a thousand times.
    """
    found = _open_runs(told, invariant, end)
    for verdict in found:
        key = verdict.binding, ""
        told = told.set(key, told[key]._replace(over_length=told[key].length))
    return told, found


def _open_runs(told: Told, invariant: str, end: EventRef | None) -> list[Verdict]:
    found = [
        (stretch.first, repr(binding), _again(invariant, binding, stretch, end))
        for (binding, _), stretch in told.items()
        if stretch.is_open_run
    ]
    return [verdict for _, _, verdict in sorted(found, key=_in_order)]


def _in_order(run: tuple[EventRef | None, str, Verdict]) -> tuple[EventRef, str]:
    first, binding, _ = run
    assert first is not None, "only runs are counted"
    return first, binding


def _take_first(
    told: Told, findings: list[Verdict], told_max: int, covers: Covers | None
) -> tuple[Told, list[Verdict]]:
    fresh: list[Verdict] = []
    for verdict in findings:
        kind = _kind_of(verdict, covers)
        key = verdict.binding, kind
        if key not in told:
            fresh.append(verdict)
            if len(told) < told_max:
                told = told.set(key, Stretch(kind))
    return told, fresh


def _take_edges(
    told: Told, verdicts: Iterable[Verdict], told_max: int, covers: Covers | None
) -> tuple[Told, list[Verdict]]:
    edges: list[Verdict] = []
    for verdict in verdicts:
        key = verdict.binding, ""
        old = told.get(key)
        if verdict.binding == MISSING_BINDING:  # Each such event lacks a value of its own.
            edges.append(verdict)
            continue
        kind = _kind_of(verdict, covers)
        if old is not None and old.kind == kind:
            if old.first is not None:
                grown = old._replace(length=old.length + 1, last=verdict.anchor)
                told = told.set(key, grown)
                edges += _at_power_of_ten(verdict, grown)
            continue
        if old is not None and old.is_open_run:
            edges.append(_again(verdict.invariant, verdict.binding, old, verdict.anchor))
        if kind == "holds":
            told = told.discard(key)
            continue
        if old is None and len(told) >= told_max:
            edges.append(verdict)
            continue
        is_counted = kind == "violated" and not verdict.is_escalated
        here = verdict.anchor
        told = told.set(key, Stretch(kind, 1, here, here) if is_counted else Stretch(kind))
        edges.append(replace(verdict, run=Run(1, here)) if is_counted else verdict)
    return told, edges


def _kind_of(verdict: Verdict, covers: Covers | None) -> VerdictKind | Literal["covered"]:
    is_covered = covers is not None and verdict.kind == "violated" and covers(verdict)
    return "covered" if is_covered else verdict.kind


def _at_power_of_ten(verdict: Verdict, stretch: Stretch) -> list[Verdict]:
    """So a loop without end makes only a few reports, and the last gives its size."""
    if stretch.length != 10 ** (len(str(stretch.length)) - 1):
        return []
    return [_again(verdict.invariant, verdict.binding, stretch, None)]


def _again(invariant: str, binding: Binding, stretch: Stretch, over: EventRef | None) -> Verdict:
    """The first verdict of a run once more, with its count."""
    assert stretch.first is not None and stretch.last is not None, "only runs are counted"
    run = Run(stretch.length, stretch.last, over)
    decided_ns = (over or stretch.last).time_ns
    return Verdict(invariant, "violated", stretch.first, binding, Witness(), decided_ns, run=run)
