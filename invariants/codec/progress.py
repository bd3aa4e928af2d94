"""Encodes the progress of a scope as named content of a store, and decodes it.

An invariant's state is stored under the invariant's digest; values shown by sources, under the
names of `taint.py`. Only content that is a different object from the stored one is written
again.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..runtime.scope_program import Progress, ScopeProgram
from .state import decode_state, encode_state
from .taint import decode_shown, encode_shown


def encode_progress(
    program: ScopeProgram, progress: Progress, stored: Progress, now_ns: int
) -> dict[str, bytes]:
    """The content to write so that a store which contains `stored` contains `progress`.

    `now_ns` is the time of the scope's last event.
    """
    pairs = zip(progress.states, stored.states, strict=True)
    written = {
        compiled.digest: encode_state(compiled.automaton, state, now_ns)
        for compiled, (state, old) in zip(program.invariants, pairs, strict=True)
        if state is not old
    }
    if program.sources:
        shown = None if stored is program.initial else stored.shown
        written |= encode_shown(program.sources, progress.shown, shown)
    return written


def decode_progress(program: ScopeProgram, position: int, stored: Mapping[str, bytes]) -> Progress:
    """The progress at `position`; an invariant without stored content begins there.

    Raises
    ------
    StateError
        The content is not a state of this version, or is damaged.
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
