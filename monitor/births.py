"""Since when each invariant has been watching: the *epochs* of a store.

An epoch begins with each start whose invariants are others than those of the start before. An
invariant is *born* in the epoch in which it is first among them, and again if it was away in
between: it has not seen what came meanwhile. A scope that was last stepped in an earlier epoch
meets such an invariant in the middle of its trace (`invariants/birth.py`).

Pure: what is stored comes in and goes out as text.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

import msgspec

META_NAME: Final = "births"
"""The name under which a store keeps them."""


class Births(NamedTuple):
    """The epoch of this start, and the one in which each invariant (by digest) was born."""

    epoch: int = 0
    since: Mapping[str, int] = {}

    def unseen(self, epoch: int) -> frozenset[str]:
        """Invariants that have not seen the past of a scope which was last stepped in `epoch`."""
        if epoch == self.epoch:
            return frozenset()
        return frozenset(digest for digest, since in self.since.items() if since > epoch)

    def stored(self) -> str:
        """As `next_births` reads it."""
        return msgspec.json.encode([self.epoch, dict(self.since)]).decode()


def next_births(stored: str | None, digests: Iterable[str]) -> Births:
    """Those of a start with these invariants; `stored` is what the last start left, if any.

    Raises
    ------
    ValueError
        `stored` is not what `Births.stored` wrote.
    """
    wanted = list(dict.fromkeys(digests))
    epoch, since = 0, dict[str, int]()
    if stored is not None:
        epoch, since = msgspec.json.decode(stored, type=tuple[int, dict[str, int]])
    if stored is not None and since.keys() == set(wanted):
        return Births(epoch, since)
    return Births(epoch + 1, {digest: since.get(digest, epoch + 1) for digest in wanted})
