"""Invariants that have not seen the beginning of a session, and cannot judge a call without it.

    unseen(program, request, mode) -> the enforced invariants whose verdict the past would decide

A gate that starts with other invariants finds sessions under way. Their events so far are unknown
to a new invariant, and an agent whose past forbids a call must not be let go by a change of the
file. So such a call is refused, unless the invariant has `fail: open`. A new session knows its
own past. Wider scopes have no beginning that anybody has seen: an invariant of these would refuse
for ever, and says `inconclusive` instead (decision 0060).
"""

from __future__ import annotations

from invariants.model.excepted import exception_of
from invariants.runtime.declared import Declared
from invariants.runtime.program import Program
from monitor.findings.model import Mode
from monitor.kernel.prepared import Taken


def unseen(program: Program, request: Taken, mode: Mode | None) -> list[Declared]:
    """The enforced invariants of sessions that cannot be decided for what came before them.

    `mode` is in place of that of every invariant. An excepted one needs no past. Cost: nothing
    unless an invariant was born into the session.
    """
    scope, event, progress = program.session, request.event, request.before[1]
    if not any(state.is_born for state in progress.states):
        return []
    verdicts = request.judged.verdicts
    if scope.leaves_out(progress):
        verdicts = scope.step(progress, event, is_unreported=True).verdicts
    undecided = {
        index
        for index, verdict in verdicts
        if verdict.kind == "inconclusive" and verdict.decided_ns >= event.time_ns
    }
    found = (scope.invariants[i].declared for i in undecided if progress.states[i].is_born)
    return [
        one
        for one in found
        if (mode or one.mode) == "enforce"
        and one.fail == "closed"
        and not exception_of(event.excepted, one.id, event.time_ns)
    ]
