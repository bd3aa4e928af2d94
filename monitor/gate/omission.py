"""Requests whose arguments the gate does not know in full: which invariants need them?

    needing(program, request, mode) -> the enforced invariants that cannot be judged without them

Input: a request, as it was judged. Unknown arguments are neither what an invariant forbids nor what
it permits, so with `on_unknown: report` an agent could choose to be judged by nothing: it omits
them, or makes them too long for its client. The outcomes of the call are looked at too. A secret
that is read by a path that nobody knows would be unknown to every later call (decision 0057).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from invariants.model.event import Event
from invariants.model.excepted import exception_of
from invariants.model.fact import Fact, Truth
from invariants.runtime.declared import Declared
from invariants.runtime.program import Program
from invariants.runtime.scope_program import Compiled
from invariants.taint.event_view import EventView
from monitor.findings.model import Mode

ARGS: Final = "args"
OUTCOMES: Final = ("tool.completed", "tool.failed")
"""Their events repeat the arguments of the call."""


def needing(program: Program, request: Event, mode: Mode | None) -> list[Declared]:
    """The enforced invariants that read arguments of this call, of which some are not known.

    `mode` is in place of that of every invariant. An excepted one needs nothing. Cost: nothing for
    a complete request; else that of reading three events.
    """
    if not _omits_args(request):
        return []
    events = [request, *(_as_outcome(request, kind) for kind in OUTCOMES)]
    doubtful = set[tuple[int, str]]().union(*(_predicates(program, event) for event in events))
    shown = set[tuple[str, str]]().union(*(_sources(program, event) for event in events))
    return [
        compiled.declared
        for compiled in program.invariants
        if (mode or compiled.declared.mode) == "enforce"
        and not exception_of(request.excepted, compiled.declared.id, request.time_ns)
        and any(
            (compiled.file_index, name) in doubtful
            or any((compiled.file, source) in shown for source in _asked(program, compiled, name))
            for name in compiled.predicates
        )
    ]


def _omits_args(request: Event) -> bool:
    """True if arguments are missing, or said to be: `args: {}` says that there are none."""
    has_args = bool(memoryview(request.record.args))
    return not has_args or EventView(request).left_out.args != ()


def _predicates(program: Program, event: Event) -> Iterator[tuple[int, str]]:
    """Those that read arguments of an event, and of which the rest of it does not decide that they
    are false; each with the index of its file.
    """
    scope = program.session
    facts = scope.facts(event)
    for index, predicates in enumerate(scope.predicates):
        for name, predicate in predicates.items():
            if ARGS in predicate.checked.fields and _is_doubtful(facts[index][name]):
                yield index, name


def _is_doubtful(fact: Fact) -> bool:
    return fact.truth is Truth.UNKNOWN or bool(fact.missing or fact.overflowing)


def _sources(program: Program, event: Event) -> Iterator[tuple[str, str]]:
    """Those that read arguments to know what an event shows; each with its file."""
    for source in program.session.sources:
        if ARGS in source.fields and source.is_concerned(event.kind, event.record.tool):
            yield source.file, source.name


def _asked(program: Program, compiled: Compiled, name: str) -> frozenset[str]:
    """The sources whose memories a predicate of an invariant reads."""
    return program.session.predicates[compiled.file_index][name].checked.sources


def _as_outcome(request: Event, kind: str) -> Event:
    record = msgspec.structs.replace(request.record, kind=kind)
    return msgspec.structs.replace(request, record=record)
