"""Bounds on what the machine may hold, per scope and sub-formula. All are settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

STEPS_MAX: Final = 100_000
STEPS_OF_PREDICATE: Final = 15_000
"""An event may take so many steps, and so many more for each predicate that is asked of it.

Measured: 3.9 times the costliest of 611 honest shell scripts; docs/decisions/0029.
"""


@dataclass(frozen=True, slots=True)
class Limits:
    """What is held stays and the new is not taken in: a flood must not push out a block.

    Past a bound, what was not taken in is *unknown*, and the step is counted as having lost it.
    """

    slices_max: int = 10_000
    window_entries_max: int = 10_000
    pending_max: int = 1_000
    pairs_max: int = 200_000
    """Fingerprints that one source may hold of one session: of tokens, and of pairs of them."""
    bindings_max: int = 4_096
    """Bindings that one event may make for one formula; lists of values combine freely."""


DEFAULT_LIMITS = Limits()
