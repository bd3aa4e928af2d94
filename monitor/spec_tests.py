"""Runs the examples that are written into invariant files, through the engine itself.

Input: checked specifications. Output: one `ExampleResult` each. Nothing but the engine judges.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import msgspec

from invariants.event import Event, Origin
from invariants.limits import DEFAULT_LIMITS
from invariants.program import compile_program
from invariants.spec import Example, InvariantSpec, Spec
from monitor.decode.native import decode_event
from monitor.engine import Engine, EngineSettings
from monitor.finding import Finding


@dataclass(frozen=True, slots=True)
class ExampleResult:
    """What an example expected and what came; `problem` is empty where both agree."""

    file: str
    invariant: str
    example: str
    line: int
    problem: str

    @property
    def is_passed(self) -> bool:
        """Whether the example holds."""
        return not self.problem


def run_examples(specs: Sequence[Spec]) -> list[ExampleResult]:
    """Every example of every invariant, in the order of the files."""
    return [
        _run(spec, invariant, example)
        for spec in specs
        for invariant in spec.invariants
        for example in invariant.examples
    ]


def _run(spec: Spec, invariant: InvariantSpec, example: Example) -> ExampleResult:
    events: list[Event] = []
    for number, content in enumerate(example.events):
        decoded = decode_event(msgspec.json.encode(content), Origin(spec.file, "examples", number))
        if not isinstance(decoded, Event):
            problem = f"event {number} is no event: {decoded.detail}"
            return _result(spec, invariant, example, problem)
        events.append(decoded)
    # Examples speak of verdicts, and `report` only of which of them become findings.
    every = replace(invariant, report="every")
    alone = replace(spec, invariants=(every,))
    program = compile_program([alone], limits=DEFAULT_LIMITS, digest_key=b"examples")
    engine = Engine(program, EngineSettings(trust_ts=True))
    findings = [finding for event in events for finding in engine.step(event)]
    return _result(spec, invariant, example, _compare(example, invariant, events, findings))


def _compare(
    example: Example, invariant: InvariantSpec, events: list[Event], findings: list[Finding]
) -> str:
    numbers = {(event.session, event.id): number for number, event in enumerate(events)}
    problems: list[str] = []
    for kind, expected in (
        ("violated", example.violated_at),
        ("inconclusive", example.inconclusive_at),
    ):
        found = {
            numbers[finding.session, finding.anchor.id]
            for finding in findings
            if finding.invariant == invariant.id and finding.type == kind
        }
        if found != expected:
            problems.append(f"{kind} at {_show(found)}, expected at {_show(expected)}")
    return "; ".join(problems)


def _show(numbers: frozenset[int] | set[int]) -> str:
    return f"[{', '.join(str(number) for number in sorted(numbers))}]"


def _result(spec: Spec, invariant: InvariantSpec, example: Example, problem: str) -> ExampleResult:
    return ExampleResult(spec.file, invariant.id, example.name, example.place.line, problem)
