"""Kinds that predicates ask for and no event has: loaded specifications -> faults E417 and W506.

A kind in another spelling than that of docs/events.md is refused by the reader of events, so a
predicate that asks for it is false at every event, and its invariant is never violated. Kinds of
the user's own are fine; one that is close to a known kind is warned of.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from typing import Final

from interlock.kinds import KNOWN_KINDS, meant_kind
from invariants.errors import Fault
from invariants.kinds import asked_by
from invariants.spec import PredicateSpec, Spec

CLOSENESS_MIN: Final = 0.85
"""Chosen: `tool.request` is close to `tool.requested`; `session.stopped` is close to nothing."""


def kind_faults(specs: Iterable[Spec]) -> Iterator[Fault]:
    """Errors for kinds in another spelling, warnings for kinds that are close to a known one."""
    for spec in specs:
        shows = [PredicateSpec(one.name, one.when, (), one.place) for one in spec.sources]
        for predicate in (*spec.predicates, *shows):
            yield from _faults(spec.file, predicate)


def _faults(file: str, predicate: PredicateSpec) -> Iterator[Fault]:
    for kind in sorted(asked_by(predicate).kinds or ()):
        asks = f"`{predicate.name}` asks for the kind `{kind[:60]}`"
        if kind in KNOWN_KINDS:
            continue
        if meant := meant_kind(kind):
            message = f"{asks}, which no event can have"
            yield Fault(file, predicate.place, "E417", message, f"write `{meant}`")
        elif near := get_close_matches(kind, KNOWN_KINDS, 1, CLOSENESS_MIN):
            message = f"{asks}, which Interlock does not define"
            mend = f"write `{near[0]}`, unless the kind is your own"
            yield Fault(file, predicate.place, "W506", message, mend, "warning")
