"""Runs the examples in invariant files through the engine.

Input: checked specifications. Output: one `ExampleResult` each. Only the engine judges. A `Trial`
tests several invariants against one trace at once, which `mutation.py` needs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from interlock.limits import stated_time
from invariants.check.checked import CheckedSpec
from invariants.image.compile import compile_program
from invariants.model.event import Event, Origin
from invariants.model.limits import DEFAULT_LIMITS
from invariants.runtime.program import Program
from invariants.spec.model import Example, InvariantSpec
from monitor.findings.model import Finding
from monitor.ingest.decode import decode_event
from monitor.kernel.kernel import Kernel
from monitor.kernel.settings import KernelSettings


@dataclass(frozen=True, slots=True)
class ExampleResult:
    """The expected and the actual result of an example; `problem` is empty if they are equal."""

    file: str
    invariant: str
    example: str
    line: int
    problem: str

    @property
    def is_passed(self) -> bool:
        """True if the example passes."""
        return not self.problem


def run_examples(specs: Sequence[CheckedSpec]) -> list[ExampleResult]:
    """Every example of every invariant, in the order of the files."""
    return [
        _run(spec, invariant, example)
        for spec in specs
        for invariant in spec.invariants
        for example in invariant.examples
    ]


def _run(spec: CheckedSpec, invariant: InvariantSpec, example: Example) -> ExampleResult:
    problem = prepare_trial(spec, [invariant]).problems(example)[0]
    return ExampleResult(spec.file, invariant.id, example.name, example.place.line, problem)


@dataclass(frozen=True, slots=True)
class Marks:
    """At which events of a trace an invariant is violated, and at which inconclusive."""

    violated_at: frozenset[int]
    inconclusive_at: frozenset[int]


class NoEventError(Exception):
    """An event of an example is not valid; contains its number and the reason."""


@dataclass(frozen=True, slots=True)
class Trial:
    """Some invariants over the predicates of one file, ready to be tested against traces."""

    file: str
    program: Program

    def problems(self, example: Example) -> list[str]:
        """For each invariant, the difference from the example's marks; empty if there is none."""
        try:
            marks = self.marks(example.events)
        except NoEventError as error:
            return [str(error)] * len(self.program.invariants)
        return [_differences(example, marked) for marked in marks]

    def marks(self, contents: Sequence[Mapping[str, Any]]) -> list[Marks]:
        """For each invariant, the engine's marks for a trace. Raises NoEventError."""
        events = [self.event(number, content) for number, content in enumerate(contents)]
        kernel = Kernel(self.program, KernelSettings(trust_ts=True))
        findings = [finding for event in events for finding in kernel.step(event)]
        numbers = {(event.session, event.id): number for number, event in enumerate(events)}
        return [
            Marks(
                _positions(compiled.declared.id, "violated", findings, numbers),
                _positions(compiled.declared.id, "inconclusive", findings, numbers),
            )
            for compiled in self.program.invariants
        ]

    def event(self, number: int, content: Mapping[str, Any]) -> Event:
        """An event as a source would bring it. Raises NoEventError."""
        if isinstance(ts := content.get("ts"), int):
            # Examples count nanoseconds from 0: a confusion with another unit is not possible.
            content = {**content, "ts": stated_time(ts)}
        decoded = decode_event(
            msgspec.json.encode(content), Origin(self.file, "examples", number), is_trusted=True
        )
        if not isinstance(decoded, Event):
            raise NoEventError(f"event {number} is not a valid event: {decoded.detail}")
        return decoded


def prepare_trial(spec: CheckedSpec, invariants: Sequence[InvariantSpec]) -> Trial:
    """A trial of invariants that may all have the same id."""
    # Examples list verdicts, and `report` only selects the verdicts that become findings.
    every = tuple(
        replace(invariant, id=f"i{number}", report="every", is_enabled=True)
        for number, invariant in enumerate(invariants)
    )
    alone = replace(spec, invariants=every)
    program = compile_program([alone], limits=DEFAULT_LIMITS, digest_key=b"examples")
    return Trial(spec.file, program)


def _positions(
    identity: str, kind: str, findings: Sequence[Finding], numbers: Mapping[tuple[str, str], int]
) -> frozenset[int]:
    return frozenset(
        numbers[finding.session, finding.anchor.id]
        for finding in findings
        if finding.invariant == identity and finding.type == kind
    )


def _differences(example: Example, marks: Marks) -> str:
    problems = [
        f"{kind} at {_show(found)}, expected at {_show(expected)}"
        for kind, found, expected in (
            ("violated", marks.violated_at, example.violated_at),
            ("inconclusive", marks.inconclusive_at, example.inconclusive_at),
        )
        if found != expected
    ]
    return "; ".join(problems)


def _show(numbers: frozenset[int]) -> str:
    return f"[{', '.join(str(number) for number in sorted(numbers))}]"
