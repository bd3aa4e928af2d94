"""Decisions of operators that come by their topics, and not over HTTP.

Each has everything that identifies the call, so that it cannot be taken for another. All else is as
over HTTP: the gate's own log has the approval, and monitors and replays read it there. Nobody waits
for a response, so a refusal is in the gate's log of messages.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal

import msgspec

from monitor.gate.errors import ConflictError, GateError, NotReadyError
from monitor.gate.wire import HeldCall, Ruling
from monitor.log import say
from monitor.transport.base import RulingSource

AT_A_TIME_MAX: Final = 100
"""Chosen: decisions in one tick; agents wait while they are carried out."""


class TopicRuling(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An operator's decision about the call that waits under `approval`; the other fields are those
    of this call, and `args_digest` covers its tool and its arguments.
    """

    v: Literal[1] = 1
    approval: str
    principal: str
    session: str
    call: str
    args_digest: str
    decision: Literal["grant", "deny"]
    reason: str = ""


def ruling_on(held: HeldCall, decision: Literal["grant", "deny"], reason: str) -> TopicRuling:
    """A decision about a held call."""
    return TopicRuling(
        approval=held.id,
        principal=held.principal,
        session=held.session,
        call=held.call,
        args_digest=held.args_digest,
        decision=decision,
        reason=reason,
    )


def take_rulings(
    source: RulingSource,
    held: Callable[[str], HeldCall | None],
    rule: Callable[[str, str, Ruling], object],
) -> None:
    """Carry out the decisions that have come. Those about other calls, which another gate holds, or
    which were answered, mean nothing here.
    """
    for _ in range(AT_A_TIME_MAX):
        found = source.peek()
        if found is None:
            return
        operator, content = found
        try:
            _take(operator, content, held, rule)
        except NotReadyError:
            return  # The same again with the next tick.
        except GateError as error:
            say("warning", "gate_ruling_refused", operator=operator, text=str(error))
        source.drop()


def _take(
    operator: str,
    content: bytes,
    held: Callable[[str], HeldCall | None],
    rule: Callable[[str, str, Ruling], object],
) -> None:
    try:
        ruling = msgspec.json.decode(content, type=TopicRuling)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        say("warning", "gate_ruling_unreadable", operator=operator, text=str(error))
        return
    call = held(ruling.approval)
    if call is None:
        return
    if ruling != ruling_on(call, ruling.decision, ruling.reason):
        raise ConflictError(
            f"the decision names another call than the one that waits as `{ruling.approval}`"
        )
    rule(operator, ruling.approval, Ruling(ruling.decision, ruling.reason))
