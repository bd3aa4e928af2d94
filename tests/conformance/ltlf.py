"""Untimed formulas as automata that another tool makes: ltlf2dfa (LTLf and PPLTL) with MONA.

    automaton_of(formula) -> Dfa: it accepts e0 ... ei where a formula about the past holds at ei,
                             and where a formula about the future holds at e0 of a trace that ends

ltlf2dfa gives a formula its meaning (a program in monadic second-order logic), MONA makes the
automaton. Nothing of ours takes part. Both are installed apart: docs/conformance.md.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final, Literal

from invariants.formula.ast import Atom, Binary, Formula, Not, Temporal, Until

WANTED: Final = "install ltlf2dfa (a Python package) and MONA (Debian's `mona`)"
_SIGNS: Final = {"and": "&", "or": "|", "implies": "->", "iff": "<->"}
_UNARY: Final = {
    **{"previous": "Y", "once": "O", "historically": "H"},
    **{"next": "X", "eventually": "F", "always": "G"},
}
_UNTIL: Final = {"since": "S", "until": "U"}
_STATE: Final = re.compile(r"State (\d+): ([01X]*) -> state (\d+)")


def is_installed() -> bool:
    """Whether both are there."""
    return bool(importlib.util.find_spec("ltlf2dfa") and shutil.which("mona"))


@dataclass(frozen=True)
class Dfa:
    """`moves` are per state (values of `names`, X for either, and the state after)."""

    names: tuple[str, ...]
    accepting: frozenset[int]
    moves: Mapping[int, tuple[tuple[str, int], ...]]
    initial: int

    def after(self, state: int, letter: Iterable[str]) -> int:
        """The state after an event at which exactly these names are true."""
        true = set(letter)
        signs = "".join("1" if name in true else "0" for name in self.names)
        for pattern, target in self.moves[state]:
            if all(p in ("X", s) for p, s in zip(pattern, signs, strict=True)):
                return target
        raise AssertionError(f"no move from {state} with {signs}")

    @cached_property
    def fates(self) -> Mapping[int, frozenset[bool]]:
        """Per state, whether traces that go on for an event or more can be accepted, or not."""
        fates: dict[int, frozenset[bool]] = dict.fromkeys(self.moves, frozenset())
        is_changing = True
        while is_changing:
            before = dict(fates)
            for state, moves in self.moves.items():
                for _, target in moves:
                    fates[state] |= fates[target] | {target in self.accepting}
            is_changing = fates != before
        return fates


def automaton_of(formula: Formula, tense: Literal["past", "future"], folder: Path) -> Dfa:
    """The automaton of a formula without windows and data."""
    from ltlf2dfa.base import MonaProgram
    from ltlf2dfa.parser.ltlf import LTLfParser
    from ltlf2dfa.parser.ppltl import PPLTLParser

    parser = PPLTLParser() if tense == "past" else LTLfParser()
    path = folder / "formula.mona"
    path.write_text(MonaProgram(parser(text_of(formula))).mona_program())
    run = ["mona", "-q", "-u", "-w", str(path)]
    return parse(subprocess.run(run, capture_output=True, text=True, check=True).stdout)


def parse(output: str) -> Dfa:
    """What MONA prints of an automaton. Its first move, from state 0, reads no event."""
    names = _line(output, "DFA for formula with free variables:").lower().split()
    moves: dict[int, list[tuple[str, int]]] = {}
    for state, pattern, target in _STATE.findall(output):
        moves.setdefault(int(state), []).append((pattern, int(target)))
    ((_, initial),) = moves[0]
    accepting = frozenset(map(int, _line(output, "Accepting states:").split()))
    moves_of = {state: tuple(choices) for state, choices in moves.items()}
    return Dfa(tuple(names), accepting, moves_of, initial)


def _line(output: str, title: str) -> str:
    (rest,) = re.findall(rf"^{title}(.*)$", output, re.MULTILINE)
    return str(rest)


def text_of(formula: Formula) -> str:
    """The formula in ltlf2dfa's signs, with every bracket written."""
    match formula:
        case Atom(predicate):
            return predicate
        case Not(body):
            return f"(! {text_of(body)})"
        case Binary(operator, left, right):
            return f"({text_of(left)} {_SIGNS[operator]} {text_of(right)})"
        case Temporal(operator, _, body):
            return f"({_UNARY[operator]} {text_of(body)})"
        case Until(operator, _, left, right):
            return f"({text_of(left)} {_UNTIL[operator]} {text_of(right)})"
        case _:
            raise AssertionError(f"{formula} is not untimed, or has data")
