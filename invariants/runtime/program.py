"""A program: every invariant that is watched, compiled, one `ScopeProgram` for each kind of scope.

Immutable, versioned and digested.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..model.errors import Fault
from .scope_program import Compiled, ScopeProgram


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
