"""An invariant's violating formula as a network: predicates at the bottom, the verdict on top.

Each operator is a box with its memory; equal sub-formulas are one box, as they are one memory in
the machine. The machine steps it in this way: from below, once per event.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..check.checked import CheckedSpec
from ..check.normal_form import free_variables, violating_formula
from ..formula.ast import (
    FUTURE_OPERATORS,
    Aggregate,
    AggregateComparison,
    Atom,
    Binary,
    Exists,
    Formula,
    Not,
    Temporal,
    Until,
    Window,
)
from ..formula.durations import format_duration
from ..formula.format import format_clearly, format_window
from ..spec.model import InvariantSpec
from .picture import Arrow, Node, NodeSort, Picture, legend, stated


def picture_of_network(spec: CheckedSpec, invariant: InvariantSpec) -> Picture:
    """The network, in the order of a walk from the verdict down."""
    formula = violating_formula(invariant)
    maker = _Maker()
    top = maker.node(formula)
    maker.nodes.insert(0, Node("verdict", "verdict", ("violated", _for_each(formula))))
    arrows = (Arrow(top, "verdict"), *maker.arrows)
    about = "Predicates are asked of each event; truth goes upward. Violated where the top is true."
    title = f"{invariant.id}: {stated(invariant)}"
    shown = legend(spec, maker.predicates)
    return Picture(title, about, tuple(maker.nodes), arrows, shown, is_upward=True)


class _Maker:
    """Gathers boxes and arrows; one box for each distinct sub-formula."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.arrows: list[Arrow] = []
        self.predicates: set[str] = set()
        self.known: dict[Formula, str] = {}

    def node(self, formula: Formula) -> str:
        if formula in self.known:
            return self.known[formula]
        name = self.known[formula] = f"n{len(self.known)}"
        sort, lines = _box(formula)
        self.nodes.append(Node(name, sort, lines))
        for label, operand in _operands(formula):
            self.arrows.append(Arrow(self.node(operand), name, label))
        if isinstance(formula, Atom):
            self.predicates.add(formula.predicate)
        return name


def _operands(formula: Formula) -> Iterator[tuple[str, Formula]]:
    match formula:
        case Not(body) | Temporal(_, _, body) | Exists(_, body):
            yield "", body
        case Binary(operator, left, right):
            for side in (left, right):
                if isinstance(side, Binary) and side.operator == operator:
                    yield from _operands(side)
                else:
                    yield "", side
        case Until(_, _, left, right):
            yield "left", left
            yield "right", right
        case AggregateComparison(aggregate, _, bound):
            yield "", aggregate.atom
            if isinstance(bound, Aggregate):
                yield "limit", bound.atom


def _box(formula: Formula) -> tuple[NodeSort, tuple[str, ...]]:
    match formula:
        case Atom():
            return "predicate", (format_clearly(formula),)
        case Not():
            return "operator", ("not",)
        case Binary(operator):
            return "operator", (operator,)
        case Exists(variable):
            return "operator", (f"exists {variable}", f"some {variable} that the event names")
        case Temporal(operator, window) | Until(operator, window):
            word = f"{operator}{format_window(window)}"
            per = "" if operator == "previous" else _per(formula)
            return "memory", (word, _memory(operator, window) + per)
        case AggregateComparison(aggregate):
            kept = f"keeps the events of the last {_span(aggregate.window)}"
            if aggregate.window.high_ns is None:
                kept = "keeps what has come so far"
            return "memory", (format_clearly(formula), kept + _per(aggregate.atom))
        case _:
            return "operator", (format_clearly(formula),)


def _memory(operator: str, window: Window) -> str:
    if operator in FUTURE_OPERATORS:
        if operator == "next":
            return "waits for the next event"
        until = "the session's end" if window.high_ns is None else f"{_span(window)} have passed"
        return f"waits until {until}"
    if operator == "previous":
        return "keeps the event before"
    if window.low_ns:
        return f"keeps the times of the last {_span(window)}"
    return "keeps the newest time" if window.high_ns is not None else "keeps whether it is so"


def _span(window: Window) -> str:
    return format_duration(window.high_ns or 0)


def _per(formula: Formula) -> str:
    names = sorted(free_variables(formula))
    return f", for each {', '.join(names)}" if names else ""


def _for_each(formula: Formula) -> str:
    names = sorted(free_variables(formula))
    return f"for each {', '.join(names)}" if names else "at each event"
