"""Since when each invariant has been watching: the *epochs* of a store.

An epoch begins with each start whose invariants are others than those of the start before. An
invariant is *born* in the epoch in which it is first among them, and again if it was away in
between: it has not seen what came meanwhile. A scope that was last stepped in an earlier epoch
meets such an invariant in the middle of its trace (`invariants/birth.py`).

A replay is told by findings of the type `birth` where that was, and does the same there.

Pure: what is stored comes in and goes out as text.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

import msgspec

from invariants.birth import Birth, born_progress
from invariants.program import Compiled, Program, Progress
from monitor.finding import Born
from monitor.order import Noticed

META_NAME: Final = "births"
"""The name under which a store keeps them."""
FIRST_EPOCH: Final = 1
_Stored = tuple[int, dict[str, int], dict[str, int]]
NAMES_TOLD: Final = 5
"""Invariants that the text names; all stand in `born.invariants`."""


class Births(NamedTuple):
    """The epoch of this start, and the one in which each invariant (by digest) was born."""

    epoch: int = 0
    since: Mapping[str, int] = {}
    since_ns: Mapping[str, int] = {}
    """When that epoch began, by the monitor's clock."""
    recorded: Mapping[tuple[str, str, int], Born] = {}
    """In a replay: the births that were live, by sort of scope, scope, and position."""

    def unseen(self, epoch: int) -> frozenset[str]:
        """Invariants that have not seen the past of a scope which was last stepped in `epoch`."""
        if epoch == self.epoch:
            return frozenset()
        return frozenset(digest for digest, since in self.since.items() if since > epoch)

    def due(self, per: str, scope: str, position: int, epoch: int) -> Mapping[str, int] | None:
        """Invariants to be born behind `position`, with their epoch; None if there are none.

        `epoch` is that in which the scope was last stepped. Of a scope wider than a session that
        nothing is stored of (`position` -1) it is not known whether it has a past: none of the
        invariants that there were had anything to remember of it, and others may have.
        """
        if self.recorded:
            born = self.recorded.get((per, scope, position))
            is_due = born is not None and epoch < born.epoch
            return dict.fromkeys(born.invariants, born.epoch) if born and is_due else None
        if position < 0:
            later = {digest: since for digest, since in self.since.items() if since > FIRST_EPOCH}
            return later if per != "session" and later else None
        unseen = self.unseen(epoch)
        return dict.fromkeys(unseen, self.epoch) if unseen else None

    def past_ns(self, due: Mapping[str, int], last_ns: int) -> int:
        """Up to when the past of these is unknown: a scope's last event, or their own beginning."""
        return last_ns or max((self.since_ns.get(digest, 0) for digest in due), default=0)

    def stored(self) -> str:
        """As `next_births` reads it."""
        return msgspec.json.encode([self.epoch, dict(self.since), dict(self.since_ns)]).decode()


NO_BIRTHS: Final = Births()
"""Where every invariant has seen every scope from its beginning."""


def next_births(stored: str | None, digests: Iterable[str], now_ns: int) -> Births:
    """Those of a start with these invariants; `stored` is what the last start left, if any.

    Raises
    ------
    ValueError
        `stored` is not what `Births.stored` wrote.
    """
    wanted = list(dict.fromkeys(digests))
    epoch, since, since_ns = 0, dict[str, int](), dict[str, int]()
    if stored is not None:
        epoch, since, since_ns = msgspec.json.decode(stored, type=_Stored)
    if stored is not None and since.keys() == set(wanted):
        return Births(epoch, since, since_ns)
    return Births(
        epoch + 1,
        {digest: since.get(digest, epoch + 1) for digest in wanted},
        {digest: since_ns.get(digest, now_ns) for digest in wanted},
    )


def bear(
    program: Program, progress: Progress, past_ns: int, scope: str, due: Mapping[str, int]
) -> tuple[Progress, tuple[Noticed, ...]]:
    """The progress of a scope with the invariants that are due born in it, and what to tell.

    `past_ns` is the time of the last event that they may have missed.
    """
    birth = Birth(progress.position - 1, past_ns)
    after, born = born_progress(program, progress, birth, due.keys())
    if not born:
        return progress, ()
    epoch = max(due.values())
    return after, (_noticed(birth, epoch, program.per, scope, born),)


def _noticed(birth: Birth, epoch: int, per: str, scope: str, born: list[Compiled]) -> Noticed:
    invariants = {compiled.digest: compiled.spec.id for compiled in born}
    names = ", ".join(f"`{id_}`" for id_ in sorted(invariants.values())[:NAMES_TOLD])
    more = f" and {len(invariants) - NAMES_TOLD} more" if len(invariants) > NAMES_TOLD else ""
    text = (
        f"{names}{more} have not seen the {birth.position + 1} event(s) before this one; what "
        "depends on them is inconclusive"
    )
    key = "/".join((per, scope, str(epoch), *sorted(invariants)))
    born_ = Born(per, scope, birth.position, birth.time_ns, epoch, invariants)
    return Noticed("birth", text, key, born_)
