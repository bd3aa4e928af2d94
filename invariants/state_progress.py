"""How far a scope has come, as what a store keeps by name, and back.

An invariant's state stands under the invariant's digest; what sources have shown, under names of
`state_sources.py`. Only what is another object than what the store has is written again.
"""

from __future__ import annotations

from collections.abc import Mapping

from .program import Program, Progress
from .state import decode_state, encode_state
from .state_sources import decode_shown, encode_shown


def encode_progress(program: Program, progress: Progress, stored: Progress) -> dict[str, bytes]:
    """What must be written so that a store which holds `stored` holds `progress`."""
    pairs = zip(progress.states, stored.states, strict=True)
    written = {
        compiled.digest: encode_state(compiled.automaton, state)
        for compiled, (state, old) in zip(program.invariants, pairs, strict=True)
        if state is not old
    }
    if program.sources:
        shown = None if stored is program.initial else stored.shown
        written |= encode_shown(program.sources, progress.shown, shown)
    return written


def decode_progress(program: Program, position: int, stored: Mapping[str, bytes]) -> Progress:
    """The progress at `position`; an invariant of which nothing is stored begins there.

    Raises
    ------
    StateError
        What is stored is no state of this version, or is damaged.
    """
    states = {}
    for compiled in program.invariants:
        data = stored.get(compiled.digest)
        if data is not None:
            states[compiled.digest] = decode_state(compiled.automaton, data)
    shown = program.initial.shown
    if program.sources and position:
        shown = decode_shown(program.sources, program.fingerprints, stored)
    return program.with_states(position, states, shown)
