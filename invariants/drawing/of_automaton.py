"""An explicit automaton as a picture: states show memories, arrows show events."""

from __future__ import annotations

from collections.abc import Iterable

from ..analysis.explicit_automaton import ExplicitAutomaton
from ..analysis.minimise import Cube, condition, cover
from ..check.checked import CheckedSpec
from ..formula.ast import Atom, Formula, Temporal
from ..formula.format import format_clearly
from ..spec.model import InvariantSpec
from .picture import Arrow, Node, Picture, legend, stated

OTHERWISE_LITERALS_MIN = 3
"""Chosen: a condition with this many literals may be shown as `otherwise`."""


def picture_of_automaton(
    spec: CheckedSpec, invariant: InvariantSpec, automaton: ExplicitAutomaton
) -> Picture:
    """The automaton; the arrows of one state cover every letter exactly once."""
    remembered = _remembered(automaton)
    safe = _safe_states(automaton)
    nodes = [Node("start", "start")]
    arrows = [Arrow("start", "s0")]
    for state, words in enumerate(remembered):
        lines = (words, "never violated any more") if state in safe else (words,)
        nodes.append(Node(f"s{state}", "safe" if state in safe else "state", lines))
        arrows += _arrows(automaton, state)
    names = {atom.predicate for atom in automaton.atoms if isinstance(atom, Atom)}
    about = "Each event follows one arrow. A red arrow tells a violation."
    title = f"{invariant.id}: {stated(invariant)}"
    return Picture(title, about, tuple(nodes), tuple(arrows), legend(spec, names))


def _arrows(automaton: ExplicitAutomaton, state: int) -> list[Arrow]:
    groups: dict[tuple[int, bool], list[int]] = {}
    for letter, move in sorted(automaton.moves[state].items()):
        groups.setdefault((move.target, move.is_violation), []).append(letter)
    covers: dict[tuple[int, bool], list[Cube]] = {}
    for way, letters in groups.items():
        others = [letter for letter in automaton.letters if letter not in set(letters)]
        covers[way] = cover(letters, others, len(automaton.atoms))
    otherwise = _otherwise(covers)
    return [
        Arrow(
            f"s{state}",
            f"s{target}",
            "otherwise"
            if (target, is_violation) == otherwise
            else _told(covers[target, is_violation], automaton.atoms, "any event"),
            is_violation,
        )
        for target, is_violation in sorted(covers)
    ]


def _otherwise(covers: dict[tuple[int, bool], list[Cube]]) -> tuple[int, bool] | None:
    """The arrow with the longest condition, if it is long; a violation shows its reason."""
    sizes = {way: sum(cube.mask.bit_count() for cube in cubes) for way, cubes in covers.items()}
    ways = [way for way in sorted(covers) if not way[1] and sizes[way] >= OTHERWISE_LITERALS_MIN]
    return max(ways, key=lambda way: sizes[way], default=None)


def _told(cubes: Iterable[Cube], atoms: tuple[Formula, ...], if_any: str) -> str:
    formula = condition(list(cubes), atoms)
    return if_any if formula is None else format_clearly(formula)


def _remembered(automaton: ExplicitAutomaton) -> list[str]:
    """The description that distinguishes each state, in the words of the formula."""
    words = tuple(map(_word, automaton.memories))
    if automaton.is_waiting_kept:
        words += (Atom("pending"),)
    reached = [vector for vectors in automaton.vectors for vector in vectors]
    told = []
    for vectors in automaton.vectors:
        others = [vector for vector in reached if vector not in set(vectors)]
        told.append(_told(cover(vectors, others, len(words)), words, "nothing to remember"))
    return told


def _word(memory: Formula) -> Formula:
    """`previous f` remembers f of the last event; other memories describe themselves."""
    if isinstance(memory, Temporal) and memory.operator == "previous":
        body = format_clearly(memory.body)
        return Atom(f"now {body}" if isinstance(memory.body, Atom) else f"now ({body})")
    return memory


def _safe_states(automaton: ExplicitAutomaton) -> set[int]:
    """States from which no violation can be reached."""
    unsafe: set[int] = set()
    is_growing = True
    while is_growing:
        found = {
            state
            for state, moves in enumerate(automaton.moves)
            if any(move.is_violation or move.target in unsafe for move in moves.values())
        }
        is_growing, unsafe = len(found) > len(unsafe), found
    return set(range(len(automaton.moves))) - unsafe
