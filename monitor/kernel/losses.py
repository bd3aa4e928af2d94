"""Reports to the sessions of a partition that lost unread records.

Retention deleted records while a monitor was down, or a topic was deleted and recreated. The source
gives a notice. Here each session of that partition is reported once as possibly incomplete. Its
states stay, as after a `gap`: otherwise a sender who makes records expire could clear the memory
about itself.

A session with sequence numbers needs no such doubt: its next number shows if one of its events is
missing, unless operators' records were lost. An unknown session may have begun among the lost
records, unless its first event has the first number, or comes so late that the session would have
been closed.

Pure: headers, events and known losses come in, headers and reports go out.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from invariants.model.event import Event
from invariants.runtime.scope_program import ScopeProgram
from monitor.ingest.sequence import Header, Noticed
from monitor.kernel.births import Births, Loss
from monitor.kernel.settings import KernelSettings


class AfterLoss(NamedTuple):
    """A header that includes the last loss, and the findings to report."""

    header: Header
    noticed: tuple[Noticed, ...] = ()


def at_event(
    births: Births, settings: KernelSettings, program: ScopeProgram, header: Header, event: Event
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
    # A record of an operator or a gate has no number: the agent's next one will decide.
    if event.seq is None:
        return AfterLoss(header)
    return _told(header, loss, program, is_spared=True)


def at_rest(births: Births, program: ScopeProgram, header: Header) -> AfterLoss:
    """Before time alone decides something about a session: the deciding event may have been
    lost.
    """
    loss = births.loss_since(header.loss_epoch, header.group) if births.losses else None
    return AfterLoss(header) if loss is None else _told(header, loss, program)


def _told(
    header: Header, loss: Loss, program: ScopeProgram, *, is_spared: bool = False
) -> AfterLoss:
    after = msgspec.structs.replace(header, loss_epoch=loss.epoch)
    ids = (compiled.declared.id for compiled in program.invariants)
    return AfterLoss(after, () if is_spared else (loss.noticed(ids),))


def _is_first(event: Event, loss: Loss) -> bool:
    """True if the event has the first number; any other number is a `gap`.

    An operator's record may concern a session that began before the loss was detected.
    """
    is_after = event.arrival_ns is not None and event.arrival_ns > loss.since_ns
    says_so = event.seq is not None or event.kind == "session.started"
    return says_so and (is_after or not loss.is_authority)


def _is_late(event: Event, loss: Loss, settings: KernelSettings) -> bool:
    if settings.idle_close_ns is None or event.arrival_ns is None:
        return False
    return event.arrival_ns - loss.since_ns > settings.idle_close_ns
