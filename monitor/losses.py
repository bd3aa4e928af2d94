"""What is told of sessions whose partition lost records that nobody had read.

Retention passed a monitor that was away, or a topic was deleted and made anew. The notice of the
source says that it was so; here each session of that partition is told once that its record may
not be whole. Its states stay, as after a `gap`: otherwise whoever can make records old would clear
what is known of him.

A session that numbers its events needs no such doubt: its next number tells whether something of
it is missing, unless it is operators' records that were lost. One that nothing is known of may have
begun among what was lost, unless its first event says that it is the first, or comes so late that
the session would have been closed.

Pure: headers, events and the losses that are known come in, headers and what to tell go out.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from invariants.event import Event
from invariants.program import Program
from monitor.births import Births, Loss
from monitor.engine_settings import EngineSettings
from monitor.order import Header, Noticed


class AfterLoss(NamedTuple):
    """A header that knows of the last loss, and what is to be told."""

    header: Header
    noticed: tuple[Noticed, ...] = ()


def at_event(
    births: Births, settings: EngineSettings, program: Program, header: Header, event: Event
) -> AfterLoss:
    """Before an event is taken in."""
    partition = event.origin.partition
    loss = births.loss_since(header.loss_epoch, partition) if births.losses else None
    if loss is None or loss.is_before(event.origin):
        return AfterLoss(header)
    if not header.position:
        may_be_whole = _is_first(event, loss) or _is_late(event, loss, settings)
        return _told(header, loss, program, is_spared=may_be_whole)
    if header.seq_max < 0 or loss.is_authority:
        return _told(header, loss, program)
    if event.seq is None:
        return AfterLoss(header)  # Of an operator, or a gate. The agent's next number will tell.
    return _told(header, loss, program, is_spared=True)


def at_rest(births: Births, program: Program, header: Header) -> AfterLoss:
    """Before time alone decides something about a session: what would have was perhaps lost."""
    loss = births.loss_since(header.loss_epoch, header.group) if births.losses else None
    return AfterLoss(header) if loss is None else _told(header, loss, program)


def _told(header: Header, loss: Loss, program: Program, *, is_spared: bool = False) -> AfterLoss:
    after = msgspec.structs.replace(header, loss_epoch=loss.epoch)
    ids = (c.spec.id for c in program.invariants if c.spec.per == program.per)
    return AfterLoss(after, () if is_spared else (loss.noticed(ids),))


def _is_first(event: Event, loss: Loss) -> bool:
    """Whether it says so; one that is numbered otherwise is a `gap`.

    An operator may have said something of a session that began before the loss was found out.
    """
    is_after = event.arrival_ns is not None and event.arrival_ns > loss.since_ns
    says_so = event.seq is not None or event.kind == "session.started"
    return says_so and (is_after or not loss.is_authority)


def _is_late(event: Event, loss: Loss, settings: EngineSettings) -> bool:
    if settings.idle_close_ns is None or event.arrival_ns is None:
        return False
    return event.arrival_ns - loss.since_ns > settings.idle_close_ns
