"""The content of a drawing, independent of its format: boxes, arrows, words.

`of_automaton.py` and `network.py` make pictures; `mermaid.py`, `dot.py` and `svg.py` write them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..check.checked import CheckedSpec
from ..formula.format import format_clearly
from ..spec.model import InvariantSpec

NodeSort = Literal["start", "state", "safe", "predicate", "operator", "memory", "verdict"]


@dataclass(frozen=True, slots=True)
class Node:
    """A box; `start` is a dot without words. `name` is a short word of ours: `s0`, `n3`."""

    name: str
    sort: NodeSort
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Arrow:
    """From a box to a box, or back to the same one."""

    source: str
    target: str
    label: str = ""
    is_violation: bool = False


@dataclass(frozen=True, slots=True)
class Picture:
    """Boxes and arrows in order; `is_upward` puts sources below.

    `legend` contains the predicates with their expressions.
    """

    title: str
    about: str
    nodes: tuple[Node, ...]
    arrows: tuple[Arrow, ...]
    legend: tuple[tuple[str, str], ...] = ()
    is_upward: bool = False


def stated(invariant: InvariantSpec) -> str:
    """The invariant as written, on one line."""
    return f"{invariant.form}: {format_clearly(invariant.formula)}"


def legend(spec: CheckedSpec, names: set[str]) -> tuple[tuple[str, str], ...]:
    """The expressions of some predicates, each on one line."""
    return tuple(
        (p.name, " ".join(p.when.text.split())) for p in spec.predicates if p.name in names
    )
