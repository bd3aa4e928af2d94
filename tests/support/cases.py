"""Conformance cases as data: a note, an invariant, a run, and every verdict it must give.

A file of `fixtures/cases/` holds YAML documents (JSON is YAML too):

    note: what the case pins
    invariant: {always: "pay(to=x) implies once[10m] ok(to=x)", on_unknown: report}
    run:
      - {at: 0, ok: {to: a}}                 # event 0: `ok` holds, with a value
      - {at: 1s, pay: {to: [a, null]}}       # a list; null is an element without a value
      - {at: 601s+1ns, unknown: {pay: {to: b}}, admin: true}
      - {tick: 700}                          # time has come to 700 s; no event
      - {expect: {'1 x="a"': holds}}         # all verdicts at this point
      - {at: 700, end: true}                 # session.ended
    verdicts: {'1 x="a"': holds, '1 ?': inconclusive}    # all verdicts after the run

Times are seconds, or a sum such as `601s+1ns`. A verdict's key is the position of its event and
its binding. A list written `{overflow: [...]}` had more distinct elements than are kept of it; one
written `{repeats: [...]}` had these, more often in all than is kept.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from invariants.formula.format import format_formula
from invariants.formula.parser import parse_formula
from invariants.model.fact import Fact, Truth, Value, canonical, show
from invariants.model.trace_point import TracePoint
from invariants.model.verdict import MISSING_BINDING, Binding
from invariants.spec.model import InvariantSpec
from tests.support.engines import Step, Verdicts, make_invariant, make_moment

QUICK_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""Ten times as fast if libyaml is there: cases are read by every process that collects tests."""

SECOND_NS = 1_000_000_000
_UNITS_NS = {"ns": 1, "ms": 10**6, "s": SECOND_NS, "m": 60 * SECOND_NS, "h": 3600 * SECOND_NS}
_KIND_KEYS = ("at", "end", "unknown")


@dataclass(frozen=True)
class Case:
    """`checkpoints` are (number of steps taken, all verdicts as they must stand then)."""

    file: str
    name: str
    note: str
    invariant: InvariantSpec
    steps: tuple[Step, ...]
    checkpoints: tuple[tuple[int, Mapping[str, str]], ...]


def load_cases(directory: Path) -> list[Case]:
    """All cases of all files, in order of their names."""
    cases = []
    for path in sorted(directory.glob("*.yaml")):
        documents = [
            d for d in yaml.load_all(path.read_text("utf-8"), QUICK_LOADER) if d is not None
        ]
        for number, document in enumerate(documents):
            suffix = f"-{number}" if len(documents) > 1 else ""
            cases.append(parse_case(document, path.stem, suffix))
    return cases


def parse_case(document: Mapping[str, Any], file: str, suffix: str = "") -> Case:
    """One document; a key that is not known is refused."""
    assert set(document) <= {"note", "invariant", "run", "verdicts"}, sorted(document)
    said: dict[str, Any] = dict(document["invariant"])
    on_unknown = said.pop("on_unknown", "report")
    ((key, text),) = said.items()
    assert key in ("never", "always"), key
    form: Literal["never", "always"] = "never" if key == "never" else "always"
    invariant = make_invariant(form, parse_formula(text), on_unknown)
    steps: list[Step] = []
    checkpoints: list[tuple[int, Mapping[str, str]]] = []
    position = 0
    for entry in document["run"]:
        if "expect" in entry:
            checkpoints.append((len(steps), _keyed(entry["expect"])))
        elif "tick" in entry:
            steps.append(parse_time(entry["tick"]))
        else:
            steps.append(_parse_event(position, entry))
            position += 1
    checkpoints.append((len(steps), _keyed(document["verdicts"])))
    return Case(file, file + suffix, document["note"], invariant, tuple(steps), tuple(checkpoints))


def parse_time(text: str | int) -> int:
    """`12`, `12s`, `601s+1ns` in nanoseconds."""
    total = 0
    for part in str(text).split("+"):
        match = re.fullmatch(r"(\d+)(ns|ms|s|m|h)?", part)
        assert match is not None, f"`{text}` is no time"
        total += int(match[1]) * _UNITS_NS[match[2] or "s"]
    return total


def show_time(time_ns: int) -> str | int:
    """The inverse of `parse_time`."""
    seconds, rest = divmod(time_ns, SECOND_NS)
    return seconds if not rest else f"{seconds}s+{rest}ns"


def show_key(position: int, binding: Binding) -> str:
    """`3`, `3 x="a" y=1` or `3 ?`: the event and binding of a verdict."""
    if binding == MISSING_BINDING:
        return f"{position} ?"
    return " ".join([str(position), *(f"{name}={show(value)}" for name, value in binding)])


def show_verdicts(verdicts: Verdicts) -> dict[str, str]:
    """Verdicts as a case writes them, in order of their events."""
    ordered = sorted(verdicts.items(), key=lambda item: (item[0][0], str(item[0][1])))
    return {show_key(*key): kind for key, kind in ordered}


def write_case(
    note: str, invariant: InvariantSpec, steps: Sequence[Step], verdicts: Verdicts
) -> str:
    """One line to append, after a line `---`, to a file of `fixtures/cases/`."""
    said: dict[str, str] = {invariant.form: format_formula(invariant.formula)}
    if invariant.on_unknown != "report":
        said["on_unknown"] = invariant.on_unknown
    run = [_write_event(s) if isinstance(s, TracePoint) else {"tick": show_time(s)} for s in steps]
    case = {"note": note, "invariant": said, "run": run, "verdicts": show_verdicts(verdicts)}
    return json.dumps(case)


def _keyed(verdicts: Mapping[Any, str]) -> dict[str, str]:
    return {str(key): kind for key, kind in verdicts.items()}


def _parse_event(position: int, entry: Mapping[str, Any]) -> TracePoint:
    facts = {k: _parse_fact(v, Truth.TRUE) for k, v in entry.items() if k not in _KIND_KEYS}
    for predicate, said in entry.get("unknown", {}).items():
        facts[predicate] = _parse_fact(said, Truth.UNKNOWN)
    is_end = entry.get("end", False)
    return make_moment(position, parse_time(entry["at"]), facts, is_session_end=is_end)


def _parse_fact(said: Any, truth: Truth) -> Fact:
    values: dict[str, tuple[Value, ...]] = {}
    missing, overflowing = set(), set()
    repeated: list[tuple[str, tuple[Value, ...] | None]] = []
    for name, value in ({} if said is True else said).items():
        cut = None
        if isinstance(value, dict):
            ((cut, value),) = value.items()
            assert cut in ("overflow", "repeats"), cut
        kept = list(_elements(value))
        every = tuple(v for v in kept if v is not None)
        values[name] = tuple(dict.fromkeys(every))
        if None in kept or not kept:
            missing.add(name)
        if cut == "overflow":
            overflowing.add(name)
        elif cut == "repeats" or every != values[name]:
            repeated.append((name, None if cut else every))
    return Fact(truth, values, frozenset(missing), frozenset(overflowing), tuple(repeated))


def _elements(value: Any) -> Iterator[Value | None]:
    for element in value if isinstance(value, list) else [value]:
        yield canonical(element)


def _write_event(moment: TracePoint) -> dict[str, Any]:
    event: dict[str, Any] = {"at": show_time(moment.time_ns)}
    letter = moment.letter
    assert isinstance(letter, dict), "runs of tests are made of plain letters"
    unknown: dict[str, Any] = {}
    for predicate, fact in letter.items():
        if fact.truth != Truth.FALSE:
            holder = event if fact.truth == Truth.TRUE else unknown
            holder[predicate] = _write_fact(fact)
    if unknown:
        event["unknown"] = unknown
    if moment.is_session_end:
        event["end"] = True
    return event


def _write_fact(fact: Fact) -> Any:
    said: dict[str, Any] = {}
    for name in {**fact.values, **dict.fromkeys(sorted(fact.missing))}:
        every = fact.elements(name)
        known = fact.values.get(name, ()) if every is None else every
        elements: list[Any] = [_write_value(v) for v in known]
        if name in fact.missing:
            elements.append(None)
        said[name] = elements[0] if len(elements) == 1 else elements
        if every is None:
            said[name] = {"overflow" if name in fact.overflowing else "repeats": elements}
    return said or True


def _write_value(value: Value) -> Any:
    return value[1] == "true" if isinstance(value, tuple) else value
