"""The values of an invariant's sub-formulas at an event, and since when they are as they are.

A value is read off the states after the event, exactly as the machine reads it; nothing here is
a second semantics. *Since when* is found by reading the same formula, for the same binding, at
the events before.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple, Protocol

from invariants.model.event import Event
from invariants.model.trace_point import TracePoint
from invariants.operators.describe import children, names_variables, node_text
from invariants.operators.nodes import UNBOUND, Bindings, Env, MemoryNode, Node, bindings
from invariants.runtime.scope_program import Compiled, Progress, ScopeProgram
from invariants.runtime.stepper import Stepper
from monitor.ingest.sequence import Header
from monitor.kernel.build_finding import show_binding
from monitor.kernel.standing import SHOWN_MAX, BoundValues, FormulaValue, Since, TruthName

TRUTH_NAMES: Final[tuple[TruthName, ...]] = ("false", "unknown", "true")
NODES_MAX: Final = 500
"""Chosen: sub-formulas of one invariant that are shown; hand-written ones have a dozen."""


class Point(Protocol):
    """A session after one of its events, which has its effective time."""

    @property
    def event(self) -> Event:
        """The event."""

    @property
    def header(self) -> Header:
        """The header after it."""

    @property
    def progress(self) -> Progress:
        """The progress after it."""


class CellsAtEvent(NamedTuple):
    """One event with the cells of one invariant after it."""

    now: TracePoint
    cells: Sequence[Any]


def reading_of(program: ScopeProgram, index: int, step: Point) -> CellsAtEvent:
    """The values that invariant number `index` could read at a step."""
    compiled = program.invariants[index]
    event = step.event
    letter = program.facts(event)[compiled.file_index]
    is_end = event.kind == "session.ended"
    now = TracePoint(step.header.position - 1, event.time_ns, event.id, letter, is_end)
    return CellsAtEvent(now, step.progress.states[index].cells)


def bindings_at(automaton: Stepper, now: TracePoint) -> Bindings:
    """The bindings for which the event itself gives the invariant's variables values."""
    tables = automaton.tables
    if not tables.variables:
        return Bindings(((UNBOUND,) * tables.width,))
    return bindings(tables.binder, now, tables.width, automaton.limits.bindings_max)


def env_text(automaton: Stepper, env: Env) -> dict[str, Any]:
    """A binding as JSON."""
    pairs = zip(automaton.tables.variables, env, strict=False)
    return show_binding(tuple((name, value) for name, value in pairs if value is not UNBOUND))


def values_at(
    program: ScopeProgram, index: int, life: Sequence[Point], *, is_whole: bool
) -> tuple[list[BoundValues], int]:
    """The values at the last step of `life`, per binding; and how many bindings there are.

    `is_whole`: `life` begins with the first event of the session's trace.
    """
    compiled = program.invariants[index]
    automaton = compiled.automaton
    here = reading_of(program, index, life[-1])
    found = bindings_at(automaton, here.now)
    envs: list[Env] = list(found.envs[:SHOWN_MAX])
    if not envs:
        envs = [(UNBOUND,) * automaton.tables.width]
    parts = list(_parts(compiled))
    tracked = {
        (row, column): part.node.value(here.now, here.cells, env)
        for row, env in enumerate(envs)
        for column, part in enumerate(parts)
        if found.envs or not names_variables(part.node)
    }
    focus = _Focus(program, index, envs, parts)
    since = _since(focus, life, tracked, is_whole=is_whole)
    told = []
    for row, env in enumerate(envs):
        values = [
            FormulaValue(
                depth=part.depth,
                text=part.text,
                value=TRUTH_NAMES[tracked[row, column]] if (row, column) in tracked else "unbound",
                since=since.get((row, column)),
            )
            for column, part in enumerate(parts)
        ]
        told.append(BoundValues(binding=env_text(automaton, env), values=values))
    return told, len(found.envs)


class _Part(NamedTuple):
    depth: int
    text: str
    node: Node


def _parts(compiled: Compiled) -> Iterator[_Part]:
    """All sub-formulas, each below the one that it is part of."""
    tables = compiled.automaton.tables
    roots = [tables.violating]
    if tables.future is not None:
        roots += [n for n in (tables.future.left, tables.future.body) if n is not None]
    count = 0
    stack = [(0, node) for node in reversed(roots)]
    while stack and count < NODES_MAX:
        depth, node = stack.pop()
        count += 1
        yield _Part(depth, node_text(node, tables.variables), node)
        stack += [(depth + 1, inner) for inner in reversed(children(node))]


Cell = tuple[int, int]
"""A binding and a sub-formula, by their numbers."""


class _Focus(NamedTuple):
    program: ScopeProgram
    invariant: int
    envs: Sequence[Env]
    parts: Sequence[_Part]


def _since(
    focus: _Focus, life: Sequence[Point], tracked: dict[Cell, int], *, is_whole: bool
) -> dict[Cell, Since]:
    """Walk back until every value was another one."""
    found: dict[Cell, Since] = {}
    open_cells = dict(tracked)
    after = life[-1]
    for step in reversed(life[:-1]):
        if not open_cells:
            break
        before = reading_of(focus.program, focus.invariant, step)
        for cell in list(open_cells):
            node, env = focus.parts[cell[1]].node, focus.envs[cell[0]]
            if node.value(before.now, before.cells, env) != open_cells[cell]:
                del open_cells[cell]
                found[cell] = _since_step(after)
        after = step
    for cell in open_cells:
        found[cell] = _since_step(after, is_at_least=not is_whole)
    return found


def _since_step(step: Point, *, is_at_least: bool = False) -> Since:
    return Since(
        position=step.header.position - 1,
        time_ns=step.event.time_ns,
        id=step.event.id,
        is_at_least=is_at_least,
    )


def memory_nodes(nodes: Iterable[Node]) -> Iterator[MemoryNode]:
    """The memories that formulas read, with those inside them."""
    for node in nodes:
        if isinstance(node, MemoryNode):
            yield node
        yield from memory_nodes(children(node))
