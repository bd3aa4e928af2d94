"""`report:` of an invariant: the verdicts that become findings.

    every   each violated and each inconclusive verdict
    first   the first of each kind, for each binding of a scope
    edge    one whose kind is another than at the binding's judged event before

Reported verdicts are recorded with the state, so that a restart repeats nothing. Beyond
`slices_max` bindings no more are recorded, and every verdict of the others is reported: too many
reports are an annoyance, too few a wrong "fine".
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal

from pyrsistent import PMap, pmap

from .verdict import MISSING_BINDING, Binding, Verdict

Report = Literal["every", "first", "edge"]

Told = PMap[tuple[Binding, str], str]
"""For `first`: binding and kind. For `edge`: the binding, and the kind it had last."""

NOTHING_TOLD: Final[Told] = pmap()


def take_told(
    report: Report, told: Told, verdicts: Iterable[Verdict], told_max: int
) -> tuple[Told, list[Verdict]]:
    """The record after these verdicts, and those of them that become findings."""
    if report == "edge":
        return _take_edges(told, verdicts, told_max)
    findings = [v for v in verdicts if v.kind in ("violated", "inconclusive")]
    return (told, findings) if report == "every" else _take_first(told, findings, told_max)


def _take_first(told: Told, findings: list[Verdict], told_max: int) -> tuple[Told, list[Verdict]]:
    fresh: list[Verdict] = []
    for verdict in findings:
        key = verdict.binding, verdict.kind
        if key not in told:
            fresh.append(verdict)
            told = _kept(told, key, "", told_max)
    return told, fresh


def _take_edges(
    told: Told, verdicts: Iterable[Verdict], told_max: int
) -> tuple[Told, list[Verdict]]:
    edges: list[Verdict] = []
    for verdict in verdicts:
        key = verdict.binding, ""
        if verdict.binding == MISSING_BINDING:  # Each such event lacks a value of its own.
            edges.append(verdict)
        elif verdict.kind == "holds":
            told = told.discard(key)
        else:
            if told.get(key) != verdict.kind:
                edges.append(verdict)
            told = _kept(told, key, verdict.kind, told_max)
    return told, edges


def _kept(told: Told, key: tuple[Binding, str], kind: str, told_max: int) -> Told:
    if key in told or len(told) < told_max:
        return told.set(key, kind)
    return told
