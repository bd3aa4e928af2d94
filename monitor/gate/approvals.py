"""Held calls: who may approve them, until when, and what follows.

    begun(line, note)              a call begins to wait
    rule(operator, held, ruling)   a grant, a refusal, or one of several grants
    complete(held)                 answer a call that was decided: judge it again, or deny it
    give_up(held, why)             nobody waits for the answer any more

A grant and the call that it is for are one step: `approval.granted` is taken in, and the call is
judged again at once. So a grant is used once, for the call, the arguments, the session and the
principal that it was given for. A call that is still refused behind it stays refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from typing import Final

import msgspec

from monitor.gate import words
from monitor.gate.decider import Asked, Decider
from monitor.gate.errors import ConflictError, ForbiddenError, MalformedError
from monitor.gate.inputs import check_size
from monitor.gate.note import GateNote, Line
from monitor.gate.recorder import Recorder
from monitor.gate.wire import HeldCall, Ruling
from monitor.principals.model import ApprovalRules
from monitor.trace_key import TraceKey

HELD_MAX: Final = 1_000
"""Chosen: calls of all sessions that wait at a time; the next is denied, not held."""
HELD_OF_PRINCIPAL_MAX: Final = 50
HELD_BYTES_OF_PRINCIPAL_MAX: Final = 4 * 1024 * 1024
"""Chosen: a checkpoint writes all held calls, and everybody waits for it. Measured: with 40 MiB of
one principal, for 0.5 s."""
REASON_CHARS_MAX: Final = 500
REFUSED: Final = "refused by an operator"
EXPIRED: Final = "expired"
WITHDRAWN: Final = "withdrawn"
SESSION_ENDED: Final = "session ended"
_OVERRULED: Final = {
    EXPIRED: "no operator answered in time",
    WITHDRAWN: "its agent no longer waits for an answer",
    SESSION_ENDED: "its session ended before an operator answered",
}
"""By the reason for which a call waits no longer."""
_NO_FILE_RULES: Final = ApprovalRules()


class Approvals:
    """The held calls of one gate. `operators` may approve if there is no file of principals."""

    def __init__(self, recorder: Recorder, decider: Decider, operators: frozenset[str]) -> None:
        self._recorder, self._decider, self._operators = recorder, decider, operators

    def has_room(self, principal: str, asked: Asked) -> bool:
        """True if one more call of a principal may wait."""
        held = self._recorder.book.held.values()
        own = [call for call in held if call.principal == principal]
        size = _size(asked) + sum(_size(call) for call in own)
        return (
            len(held) < HELD_MAX
            and len(own) < HELD_OF_PRINCIPAL_MAX
            and size <= HELD_BYTES_OF_PRINCIPAL_MAX
        )

    def begun(self, line: Line, note: GateNote) -> GateNote:
        """The note of a call that begins to wait."""
        rules = self._rules(line.ts)
        # An idle session ends, and its memory may go: a later grant would be judged without it.
        idle_ns = self._recorder.kernel.settings.idle_close_ns
        wait_ns = rules.expires_ns if idle_ns is None else min(rules.expires_ns, idle_ns)
        return msgspec.structs.replace(
            note,
            approval=_approval_id(line),
            asked_ns=line.ts,
            expires_ns=line.ts + wait_ns,
            approvers=rules.approvers,
        )

    def check_operator(self, operator: str, time_ns: int) -> None:
        """ForbiddenError unless this principal may see and decide held calls."""
        if not self._may_approve(operator, time_ns):
            raise ForbiddenError("only a principal with a role that may approve can do this")

    def _may_approve(self, operator: str, time_ns: int) -> bool:
        principals = self._recorder.principals
        if principals is None:
            return operator in self._operators
        return principals.may_approve(operator, time_ns)

    def rule(self, operator: str, held: HeldCall, ruling: Ruling) -> None:
        """Carry out an operator's decision.

        Raises
        ------
        ForbiddenError
            It is the operator's own call.
        ConflictError
            The operator has granted it already, or it has expired.
        """
        time_ns = self._recorder.reach_now()
        self.check_operator(operator, time_ns)
        if operator == held.principal:
            raise ForbiddenError("nobody may approve a call of their own")
        if len(ruling.reason) > REASON_CHARS_MAX:
            raise MalformedError(f"`reason`: at most {REASON_CHARS_MAX} characters")
        if time_ns >= held.expires_ns:
            raise ConflictError("the call has expired; the agent must ask again")
        if ruling.decision == "deny":
            self._refuse(held, operator, ruling.reason, REFUSED)
            return
        if operator in held.granted_by:
            raise ConflictError("you have granted it already; another operator must, too")
        self._grant(held, operator, ruling)

    def give_up(self, held: HeldCall, why: str) -> None:
        """Refuse a call for which nobody waits any more, or which nobody answered in time."""
        assert why in _OVERRULED, "an operator's refusal has an operator"
        self._refuse(held, "", why, why)

    def _grant(self, held: HeldCall, operator: str, ruling: Ruling) -> None:
        time_ns = self._recorder.reach_now()
        # An operator who lost the role may have lost a token before: that grant does not count.
        by = [*(one for one in held.granted_by if self._may_approve(one, time_ns)), operator]
        # As in every event, null is as good as nothing.
        is_edited = bytes(ruling.args) not in (b"", b"null", bytes(held.args))
        if is_edited and len(by) > 1:
            raise ConflictError("other operators have granted the call as it is: refuse it instead")
        asked = Asked(held.tool, held.call, ruling.args if is_edited else held.args)
        is_enough = len(by) >= held.approvers
        if is_edited and not is_enough:
            raise ConflictError("a call that needs several operators cannot be edited by one")
        if is_edited:
            self._check_edited(held, asked)
        attributes: dict[str, object] = {
            "approval": held.id,
            "approver": operator,
            "approvers": by,
        }
        if ruling.reason:
            attributes["reason"] = ruling.reason
        if is_edited:
            attributes["edited_from"] = held.request
        kind = "approval.granted" if is_enough else "control.applied"
        self._write(kind, held, asked, attributes=attributes, by=by, is_edited=is_edited)

    def _check_edited(self, held: HeldCall, edited: Asked) -> None:
        """MalformedError if the call could not be recorded with these arguments. Behind the grant
        it must be: after a kill, nothing else is answered before.
        """
        whole = edited._replace(attributes=held.attributes)
        check_size(whole)
        key, time_ns = TraceKey(held.principal, held.session), self._recorder.reach_now()
        line = self._recorder.line(key, "tool.requested", time_ns, **whole.fields())
        self._recorder.event(line)

    def complete(self, held: HeldCall) -> None:
        """Judge a call again that enough operators have granted, or deny one that was refused.

        It is one step with the decision; after a kill in between, it comes before anything else.
        """
        assert held.is_decided, "the caller looked"
        key = TraceKey(held.principal, held.session)
        note = self._note(held, held.granted_by, is_edited=held.is_edited)
        asked = _asked(held)
        if not held.refused:
            self._decider.decide(key, note, asked, None)
            return
        by = _OVERRULED.get(held.refused, "an operator refused it")
        note = msgspec.structs.replace(
            note,
            decision="deny",
            message=words.overruled(by),
            reason=held.refused,
            invariants=held.invariants,
        )
        time_ns = self._recorder.reach_now()
        line = self._recorder.line(key, "tool.requested", time_ns, **asked.fields())
        self._decider.deny(line, note)

    def _refuse(self, held: HeldCall, operator: str, reason: str, refused: str) -> None:
        asked = Asked(held.tool, held.call, held.args)
        attributes: dict[str, object] = {"approval": held.id, "approver": operator}
        if reason:
            attributes["reason"] = reason
        self._write(
            "approval.denied",
            held,
            asked,
            attributes=attributes,
            by=held.granted_by,
            refused=refused,
        )

    def _write(
        self,
        kind: str,
        held: HeldCall,
        asked: Asked,
        *,
        attributes: Mapping[str, object],
        by: list[str],
        is_edited: bool = False,
        refused: str = "",
    ) -> None:
        key = TraceKey(held.principal, held.session)
        told = asked._replace(attributes=msgspec.Raw(msgspec.json.encode(attributes)))
        time_ns = self._recorder.reach_now()
        line = self._recorder.line(key, kind, time_ns, **told.fields())
        note = GateNote(
            name=self._recorder.name,
            request=held.request,
            approval=held.id,
            by=by,
            is_edited=is_edited,
            reason=refused,
        )
        self._decider.record(msgspec.structs.replace(line, gate=note))

    def _note(self, held: HeldCall, by: list[str], *, is_edited: bool = False) -> GateNote:
        return GateNote(
            name=self._recorder.name,
            request=held.request,
            digest=held.args_digest,
            approval=held.id,
            asked_ns=held.asked_ns,
            by=by,
            is_edited=is_edited,
        )

    def _rules(self, time_ns: int) -> ApprovalRules:
        principals = self._recorder.principals
        return _NO_FILE_RULES if principals is None else principals.approvals(time_ns)


def _size(call: Asked | HeldCall) -> int:
    return len(bytes(call.args)) + len(bytes(call.attributes))


def _asked(held: HeldCall) -> Asked:
    """The call as its agent asked for it, or as it was edited."""
    return Asked(held.tool, held.call, held.args, held.attributes)


def _approval_id(line: Line) -> str:
    """Derived from the record, so that a restart gives the same."""
    text = msgspec.json.encode([line.principal, line.session, line.seq, line.ts])
    return "a-" + blake2b(text, digest_size=10, person=b"approval").hexdigest()
