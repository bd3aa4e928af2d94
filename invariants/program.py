"""A program: every invariant that is watched, compiled, one `ScopeProgram` for each kind of scope.

Immutable, versioned and digested.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .checked import CheckedSpec
from .digest import PROGRAM_VERSION, invariant_digest
from .errors import Fault
from .limits import DEFAULT_LIMITS, Limits
from .linking import common_parts, predicates_of, take_sources
from .machine import compile_invariant
from .predicate import Predicate
from .scope_program import Compiled, Progress, ScopeProgram
from .showing import Showing
from .sources import NOTHING_SHOWN, Shown, fingerprints_of, memory_of
from .spec import WIDER, Per


@dataclass(frozen=True, slots=True)
class Program:
    """The compiled invariants. `digest` names them all, and the version of their meaning."""

    invariants: tuple[Compiled, ...]
    """All of them, in the order of the files."""
    session: ScopeProgram
    wider: tuple[ScopeProgram, ...]
    """For each kind of scope wider than a session that some invariant is about."""
    warnings: tuple[Fault, ...]
    digest: str

    @property
    def scopes(self) -> tuple[ScopeProgram, ...]:
        """Those of all kinds of scope."""
        return (self.session, *self.wider)


def compile_program(
    specs: Sequence[CheckedSpec],
    *,
    limits: Limits = DEFAULT_LIMITS,
    digest_key: bytes = b"",
    fingerprint_keys: Sequence[bytes] = (),
) -> Program:
    """Compile checked files into a program.

    `fingerprint_keys` are those of data memories, the newest first; without one, `digest_key`.
    Warnings are kept in the program.
    """
    invariants: list[Compiled] = []
    tables: list[Mapping[str, Predicate]] = []
    sources: dict[str, Showing] = {}
    common = common_parts(specs)
    for file_index, spec in enumerate(specs):
        places = take_sources(spec, digest_key, sources)
        tables.append(predicates_of(spec, digest_key, places, common))
        for invariant in spec.invariants:
            if not invariant.is_enabled:
                continue
            digest = invariant_digest(spec, invariant)
            automaton = compile_invariant(invariant, limits, digest)
            invariants.append(Compiled(automaton, file_index, spec.file))
    whole = hashlib.blake2b(str(PROGRAM_VERSION).encode(), digest_size=8)
    for compiled in invariants:
        whole.update(compiled.digest.encode())
    keys = tuple(map(fingerprints_of, fingerprint_keys or (digest_key,)))
    shown = Shown(tuple(memory_of(keys[0]) for _ in sources))
    used = _used(invariants, len(tables))

    def scope(per: Per) -> ScopeProgram:
        own = tuple(compiled for compiled in invariants if compiled.spec.per == per)
        states = tuple(compiled.automaton.initial() for compiled in own)
        is_session = per == "session"
        return ScopeProgram(
            per,
            own,
            tuple(tables),
            used,
            Progress(0, states, None, shown if is_session else NOTHING_SHOWN),
            tuple(sources.values()) if is_session else (),
            keys,
            limits.pairs_max,
        )

    kinds = {compiled.spec.per for compiled in invariants}
    return Program(
        tuple(invariants),
        scope("session"),
        tuple(scope(per) for per in WIDER if per in kinds),
        tuple(fault for spec in specs for fault in spec.warnings),
        whole.hexdigest(),
    )


def _used(invariants: Sequence[Compiled], files_count: int) -> tuple[frozenset[str], ...]:
    """The predicates of each file that invariants name."""
    used: list[set[str]] = [set() for _ in range(files_count)]
    for compiled in invariants:
        used[compiled.file_index].update(compiled.automaton.tables.predicates)
    return tuple(map(frozenset, used))
