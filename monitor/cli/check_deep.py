"""The output of `interlock check` beyond faults: `--deep`, `--bounds`, `--recording`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import groupby
from typing import Any

import msgspec

from invariants.analysis.bounds import Bound, bounds_of
from invariants.analysis.deep import Alone, Analysis, Together, analyse
from invariants.analysis.fields import Coverage, Unread
from invariants.analysis.traces import Seen
from invariants.analysis.unused import unused_lists
from invariants.check.checked import CheckedSpec
from invariants.model.event import Event
from invariants.model.limits import Limits
from monitor.presentation import visible
from monitor.principals.known import with_standing

PROBLEMS = ("never", "always", "contradict")


def deep_report(specs: Sequence[CheckedSpec]) -> tuple[list[str], list[dict[str, Any]], bool]:
    """Lines for people, records for programs, and True if there is a certain mistake."""
    analysis = analyse(specs)
    lines = [*_lines(analysis)]
    unused = [(spec.file, name) for spec in specs for name in unused_lists(spec)]
    lines += [f"{file}: the list `{name}` is not used" for file, name in unused]
    records = [_alone_record(alone) for alone in analysis.alone]
    records += [_together_record(together) for together in analysis.together]
    records += [{"file": file, "list": name, "answer": "unused"} for file, name in unused]
    return lines, records, any(record["answer"] in PROBLEMS for record in records)


def _lines(analysis: Analysis) -> Iterator[str]:
    for alone in analysis.alone:
        yield f"{_place(alone)}: {alone.invariant.id} {_ALONE[alone.kind]}{_how(alone)}"
    for pair in analysis.together:
        one, other = pair.one.invariant.id, pair.other.invariant.id
        text = _TOGETHER[pair.relation].format(one=one, other=other)
        alone_of = f"; {other} alone by: {trace_text(pair.trace)}" if pair.trace else ""
        yield f"{_place(pair.one)}: {text}{alone_of}"


_ALONE = {
    "never": "can never be violated: no event satisfies what it forbids",
    "always": "is never satisfied: every event violates it",
    "violable": "is violated by: ",
    "undecided": "cannot be decided: found neither a violating trace nor a proof",
}
_TOGETHER = {
    "same": "{one} and {other} have the same meaning: they are violated at the same events",
    "contained": "{one} is contained in {other}: every violation of {one} violates {other}",
    "contradict": "{one} and {other} contradict each other: where {one} applies, one is violated",
}


def _how(alone: Alone) -> str:
    if alone.kind != "violable":
        return ""
    return trace_text(alone.trace) if alone.trace else "a trace that its automaton has"


def trace_text(trace: Sequence[Seen]) -> str:
    """`secret; 1s later egress`, with repetitions counted."""
    parts = []
    for (text, gap_ns), same in groupby(
        ((seen.happening.text(), seen.gap_ns if n else 0) for n, seen in enumerate(trace)),
    ):
        count = len([*same])
        later = f"{_duration(gap_ns)} later " if gap_ns else ""
        again = f"{count} times, each " if count > 1 else ""
        parts.append(f"{again}{later}{text}")
    return "; ".join(parts)


def _duration(ns: int) -> str:
    whole, rest = divmod(ns, 1_000_000_000)
    if not rest:
        return f"{whole}s"
    return f"{whole}s and 1ns" if rest == 1 else f"{ns // 1_000_000}ms"


def _place(alone: Alone) -> str:
    return f"{alone.spec.file}:{alone.invariant.place.line}"


def _alone_record(alone: Alone) -> dict[str, Any]:
    return {
        "file": alone.spec.file,
        "line": alone.invariant.place.line,
        "invariant": alone.invariant.id,
        "answer": alone.kind,
        "trace": _trace_record(alone.trace),
    }


def _together_record(pair: Together) -> dict[str, Any]:
    return {
        "file": pair.one.spec.file,
        "line": pair.one.invariant.place.line,
        "invariant": pair.one.invariant.id,
        "other": pair.other.invariant.id,
        "answer": pair.relation,
        "trace": _trace_record(pair.trace),
    }


def _trace_record(trace: Sequence[Seen]) -> list[dict[str, Any]]:
    return [
        {"event": seen.happening.text(), "after_ns": seen.gap_ns if number else 0}
        for number, seen in enumerate(trace)
    ]


def bounds_report(specs: Sequence[CheckedSpec]) -> tuple[list[str], list[Bound]]:
    """Each sub-formula with the amount it may hold of one scope, by the default settings."""
    bounds = bounds_of(specs, Limits())
    return [
        f"{f'{bound.invariant}: ' if bound.invariant else ''}{bound.formula}: "
        f"{bound.keeps} of {bound.bindings_max:,} binding(s), at most {bound.entries_max:,} "
        f"entries per {bound.per} ({bound.setting})"
        for bound in bounds
    ], bounds


def recording_report(
    specs: Sequence[CheckedSpec], path: str
) -> tuple[list[str], list[dict[str, Any]]]:
    """Fields that predicates read and no event of a recording has. Raises ConfigError."""
    # The package `replay` imports the monitor; only the command line imports it (decision 0020).
    from replay.recording.format import RecordLine
    from replay.recording.reader import RecordedFile
    from replay.timeline.player import principals_in, read_line

    coverage = Coverage(specs)
    with closing(RecordedFile(path)) as file:
        principals, is_plain = principals_in(file.header), file.is_plain
        for line in file.lines():
            if not isinstance(line, RecordLine):
                continue
            event = read_line(line, is_trusted=is_plain)
            if isinstance(event, Event):
                event = msgspec.structs.replace(event, time_ns=event.ts_ns)
                coverage.take(with_standing(event, principals, is_trusted=is_plain))
    unread = coverage.unread()
    return [*map(_unread_text, unread)], [
        {
            "file": item.file,
            "line": item.predicate.place.line,
            "predicate": item.predicate.name,
            "events": item.events_count,
            "field": item.field,
            "near": item.near,
        }
        for item in unread
    ]


def _unread_text(item: Unread) -> str:
    place = f"{item.file}:{item.predicate.place.line}: `{item.predicate.name}`"
    if not item.field:
        return f"{place}: no event of the recording has the kinds and tools that it requires"
    near = f"; did you mean `{visible(item.near, 80)}`?" if item.near else ""
    return f"{place} reads `{item.field}`, which none of its {item.events_count} events has{near}"
