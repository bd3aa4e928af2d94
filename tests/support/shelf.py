"""A store of an engine's scopes in memory: what one engine hands out, a later one is given back."""

from __future__ import annotations

from collections.abc import Sequence

from monitor.kernel.scope import LoadedScope, ScopeChange


class Shelf:
    """Headers, states and ids seen, by scope."""

    def __init__(self) -> None:
        self.headers: dict[str, bytes] = {}
        self.states: dict[str, dict[str, bytes]] = {}
        self.seen: dict[str, dict[bytes, bytes]] = {}

    def keep(self, changes: Sequence[ScopeChange], dropped: Sequence[str] = ()) -> None:
        """Write a batch."""
        for name in dropped:
            for held in (self.headers, self.states, self.seen):
                held.pop(name, None)
        for change in changes:
            self.headers[change.scope] = change.header
            self.states.setdefault(change.scope, {}).update(change.states)
            self.seen.setdefault(change.scope, {}).update(change.seen)

    def load(self, scope: str) -> LoadedScope:
        """What is known of a scope."""
        return LoadedScope(
            self.headers.get(scope), self.states.get(scope, {}), self.seen.get(scope, {})
        )
