"""Bounds on the machine's memory, per scope and sub-formula. All are settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

STEPS_MAX: Final = 100_000
STEPS_OF_PREDICATE: Final = 15_000
"""The steps of an event, and the additional steps for each predicate that is evaluated on it.
Measured: 3.9 times the costliest of 611 honest shell scripts; docs/decisions/0029.
"""


@dataclass(frozen=True, slots=True)
class Limits:
    """At a bound existing entries stay and new ones are not added: a flood must not evict a block.

    Entries beyond a bound are *unknown*, and the step is counted as having lost them.
    """

    slices_max: int = 10_000
    window_entries_max: int = 10_000
    pending_max: int = 1_000
    pairs_max: int = 200_000
    """Fingerprints that one source may hold of one session: of tokens, and of pairs of them."""
    bindings_max: int = 4_096
    """Bindings that one event may make for one formula; lists of values combine freely."""


DEFAULT_LIMITS = Limits()
