"""The gate's one decision: what would follow if the call were made now?

    judge(kernel, request) -> Judgement

A request is denied exactly if taking it in would decide a violation, of whatever anchor, of an
invariant that is enforced, and a tick to its time would not. It is held exactly if no such
violation would be left behind a matching `approval.granted`. A violation that an operator's
exception covers does not count. There is no other policy: the stream agrees, because it evaluates
the same invariants over the same events. Before all that, a request must say enough to be judged
(`omission.py`), and the past of its session must be known as far as an invariant needs it
(`unseen.py`). Nothing is taken in here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from invariants.model.event import Event
from invariants.runtime.declared import Declared
from monitor.findings.model import Finding
from monitor.gate.omission import needing
from monitor.gate.unseen import unseen
from monitor.gate.wire import Decision
from monitor.kernel.kernel import Kernel
from monitor.kernel.prepared import Taken

UNKNOWN_ATTRIBUTES = msgspec.Raw(b'{"interlock_attributes_omitted":true}')
"""The approver is not known yet, so every read of an approval's attributes is unknown."""


class Judgement(NamedTuple):
    """The decision, the request as it was judged, and the violations: enforced, only observed, or
    covered by an operator's exception.

    `blind` are the enforced invariants that need arguments which the request omits, if it is denied
    for these alone. `unseen` are those that cannot be decided without a past that they have not
    seen.
    """

    decision: Decision
    taken: Taken
    enforced: list[Finding]
    observed: list[Finding]
    excepted: list[Finding]
    unseen: Sequence[Declared] = ()
    blind: Sequence[Declared] = ()


def judge(kernel: Kernel, request: Event, *, denies_blind: bool = True) -> Judgement:
    """Decide about a request at its time, which the kernel must have reached (`tick`).

    `denies_blind`: arguments that are omitted, and that an enforced invariant needs, deny the call.
    """
    taken = _judged(kernel, request)
    found = kernel.violations(taken)
    enforced = [finding for finding in found if finding.is_enforced]
    observed = [finding for finding in found if finding.mode != "enforce"]
    excepted = [finding for finding in found if finding.mode == "enforce" and finding.excepted_by]
    past = unseen(kernel.program, taken, kernel.settings.mode_cap)
    decision: Decision = "allow"
    if enforced or past:
        decision = "hold" if _approval_helps(kernel, request, enforced) else "deny"
    if denies_blind and decision != "deny":
        # Not even an approval tells what was asked for.
        blind = needing(kernel.program, taken.event, kernel.settings.mode_cap)
        if blind:
            return Judgement("deny", taken, enforced, observed, excepted, past, blind)
    return Judgement(decision, taken, enforced, observed, excepted, past)


def _approval_helps(kernel: Kernel, request: Event, without: Iterable[Finding]) -> bool:
    """True if no enforced violation is certain once an operator has approved the call.

    An approval's attributes are not known before somebody gives it: a violation that is only a
    doubt about them does not count, and is decided when the call is judged again. Nor does a past
    count any more that no invariant needs behind the approval.
    """
    granted = _judged(kernel, approval_of(request))
    after = _judged(kernel, later(request), granted)
    if unseen(kernel.program, after, kernel.settings.mode_cap):
        return False
    doubted = {_subject(finding) for finding in without if finding.is_escalated}
    return all(
        not finding.is_enforced or (finding.is_escalated and _subject(finding) not in doubted)
        for finding in (*kernel.violations(granted), *kernel.violations(after))
    )


def _judged(kernel: Kernel, event: Event, upon: Taken | None = None) -> Taken:
    prepared = kernel.prepare(event, upon=upon)
    assert isinstance(prepared, Taken), (
        "a gate names the principal, and gives each event its number"
    )
    return prepared


def approval_of(request: Event) -> Event:
    """The approval of a request, by somebody who is not known yet."""
    record = request.record
    granted = msgspec.structs.replace(
        record, kind="approval.granted", attributes=UNKNOWN_ATTRIBUTES, error="", text=""
    )
    return msgspec.structs.replace(request, record=granted)


def later(request: Event) -> Event:
    """The request with the number behind its own."""
    seq = request.seq
    assert seq is not None, "a gate numbers events, and so does a preview"
    record = msgspec.structs.replace(request.record, seq=seq + 1)
    return msgspec.structs.replace(request, record=record, id=f"{record.session}/{seq + 1}")


def _subject(finding: Finding) -> tuple[str, str, str]:
    """The subject of a violation, whatever its event."""
    return finding.invariant, finding.scope_kind, repr(sorted(finding.binding.items()))
