"""Records since when each invariant has been watching: the *epochs* of a store.

An epoch begins with each start whose invariants differ from those of the previous start. An
invariant is *born* in the epoch in which it first occurs, and again if it was absent in between: it
has not seen the events in the meantime. A scope that was last stepped in an earlier epoch meets
such an invariant in the middle of its trace (`invariants/runtime/birth.py`). Findings of type
`birth` record these places, so that a replay does the same.

A *loss* begins an epoch as well: records of a partition were lost before they were read (by
retention, or because the topic was recreated). Each affected session is reported once as unknown in
that period. Its state stays, as after a `gap`, so that nobody can clear the memory by making
records expire.

Pure: stored content comes in and goes out as text.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

import msgspec

from invariants.model.event import Origin
from invariants.operators.contract import Birth
from invariants.runtime.birth import born_progress
from invariants.runtime.scope_program import Compiled, Progress, ScopeProgram
from monitor.findings.model import Born
from monitor.ingest.sequence import Noticed

META_NAME: Final = "births"
"""The name under which a store keeps them."""
FIRST_EPOCH: Final = 1
NAMES_TOLD: Final = 5
"""Invariants that the text lists; `born.invariants` contains all."""


class Loss(NamedTuple):
    """Records of one topic's partition (`group`) that were lost unread: the epoch that the loss
    began, the time of its detection, the reported text, and the offset after it.

    `is_authority`: operators or gates sent them, so that an agent's sequence numbers prove nothing.
    """

    epoch: int
    since_ns: int
    detail: str
    topic: str
    group: str
    to_offset: int
    is_authority: bool

    def is_before(self, origin: Origin) -> bool:
        """True if a record came before the loss: it was read, but not yet judged."""
        return origin.topic == self.topic and origin.offset < self.to_offset

    def noticed(self, invariants: Iterable[str]) -> Noticed:
        """The text for a scope to which some of the lost records may belong."""
        text = f"records that it may have sent were lost before they were read: {self.detail}"
        return Noticed("lost", text, f"loss-{self.epoch}", None, tuple(invariants))


class _Stored(msgspec.Struct, frozen=True, array_like=True):
    epoch: int
    since: dict[str, int]
    since_ns: dict[str, int]
    losses: dict[str, Loss] = {}


class Births(NamedTuple):
    """The epoch of this start, and the one in which each invariant (by digest) was born."""

    epoch: int = 0
    since: Mapping[str, int] = {}
    since_ns: Mapping[str, int] = {}
    """When that epoch began, by the monitor's clock."""
    recorded: Mapping[tuple[str, str, int], Born] = {}
    """In a replay: the births that were live, by sort of scope, scope, and position."""
    losses: Mapping[str, Loss] = {}
    """The last one of each partition of each topic."""

    def after_loss(self, loss: Loss) -> Births:
        """Those behind a loss: it begins an epoch, whichever it names."""
        begun = loss._replace(epoch=self.epoch + 1)
        name = f"{loss.topic}/{loss.group}"
        return self._replace(epoch=begun.epoch, losses={**self.losses, name: begun})

    def loss_since(self, epoch: int, group: str | None = None) -> Loss | None:
        """The last loss that was not yet reported to a scope last stepped in `epoch`; None if none.

        `group` is its partition; without one, it covers all of them. Of several losses, one of
        operators' records represents all.
        """
        losses = [loss for loss in self.losses.values() if group in (None, loss.group)]
        untold = [loss for loss in losses if loss.epoch > epoch]
        if not untold:
            return None
        last = max(untold)
        return next((loss for loss in untold if loss.is_authority), last)._replace(epoch=last.epoch)

    def unseen(self, epoch: int) -> frozenset[str]:
        """Invariants that have not seen the past of a scope which was last stepped in `epoch`."""
        if epoch == self.epoch:
            return frozenset()
        return frozenset(digest for digest, since in self.since.items() if since > epoch)

    def due(self, per: str, scope: str, position: int, epoch: int) -> Mapping[str, int] | None:
        """Invariants to be born after `position`, with their epoch; None if there are none.

        `epoch` is the one in which the scope was last stepped. If nothing is stored of a scope
        wider than a session (`position` -1), it is not known whether it has a past: the earlier
        invariants had nothing to remember of it, but others may have.
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
        stored = _Stored(self.epoch, dict(self.since), dict(self.since_ns), dict(self.losses))
        return msgspec.json.encode(stored).decode()


NO_BIRTHS: Final = Births()
"""The value if every invariant has seen every scope from its beginning."""


def next_births(stored: str | None, digests: Iterable[str], now_ns: int) -> Births:
    """The epochs of a start with these invariants; `stored` is the content from the last start, if
    any.

    Raises
    ------
    ValueError
        `stored` was not written by `Births.stored`.
    """
    wanted = list(dict.fromkeys(digests))
    known = _Stored(0, {}, {})
    if stored is not None:
        known = msgspec.json.decode(stored, type=_Stored)
    epoch, since, since_ns = known.epoch, known.since, known.since_ns
    if stored is not None and since.keys() == set(wanted):
        return Births(epoch, since, since_ns, losses=known.losses)
    return Births(
        epoch + 1,
        {digest: since.get(digest, epoch + 1) for digest in wanted},
        {digest: since_ns.get(digest, now_ns) for digest in wanted},
        losses=known.losses,
    )


def bear(
    program: ScopeProgram, progress: Progress, past_ns: int, scope: str, due: Mapping[str, int]
) -> tuple[Progress, tuple[Noticed, ...]]:
    """The progress of a scope with the due invariants born in it, and the findings to report.

    `past_ns` is the time of the last event that they may have missed.
    """
    birth = Birth(progress.position - 1, past_ns)
    after, born = born_progress(program, progress, birth, due.keys())
    if not born:
        return progress, ()
    epoch = max(due.values())
    return after, (_noticed(birth, epoch, program.per, scope, born),)


def _noticed(birth: Birth, epoch: int, per: str, scope: str, born: list[Compiled]) -> Noticed:
    invariants = {compiled.digest: compiled.declared.id for compiled in born}
    names = ", ".join(f"`{id_}`" for id_ in sorted(invariants.values())[:NAMES_TOLD])
    more = f" and {len(invariants) - NAMES_TOLD} more" if len(invariants) > NAMES_TOLD else ""
    text = (
        f"{names}{more} have not seen the {birth.position + 1} event(s) before this one; verdicts "
        "that depend on those are inconclusive"
    )
    key = "/".join((per, scope, str(epoch), *sorted(invariants)))
    born_ = Born(per, scope, birth.position, birth.time_ns, epoch, invariants)
    return Noticed("birth", text, key, born_)
