"""A hook at a gate: the session is opened or resumed, and the hook is an ask or events of it.

    take(gate, principal, hook) -> HookOutput, or the Answer to a call

| event | at the gate |
|---|---|
| `PreToolUse` | ask; the id of the request contains a digest of the arguments |
| `PostToolUse`, `PostToolUseFailure`, `PermissionDenied` | the outcome of the call |
| `PostToolBatch` | calls of the batch without an outcome were refused after us |
| `PermissionRequest` | the runtime asks its user about a call that we have allowed |
| `UserPromptSubmit`, `Stop`, `SubagentStop` | messages |
| `Stop`, `SubagentStop`, `SessionStart`, `SessionEnd` | calls without an outcome have ended |

A call that ran with other arguments than were judged is recorded as one that was not asked for
(`interlock_unasked`), and the kernel judges it as that: a violation is found, and stops the
session if the invariant says so. A session is never ended: a later process may resume it, with all
that the model has read.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from monitor.claude_code import told
from monitor.claude_code.answers import NOT_ALLOWED, NOTHING, OTHER_ARGS, PRE, denied, ended
from monitor.claude_code.hook import (
    AGENT,
    Hook,
    HookOutput,
    args_text,
    call_request,
    session_of,
)
from monitor.gate.book import HOOKED, SessionRow, Unended
from monitor.gate.errors import ClaimPendingError, GateError
from monitor.gate.gate import Gate
from monitor.gate.wire import Answer, Opening, Telling, Told, Withdrawal
from monitor.log import say


class Names(NamedTuple):
    """The names of a session; a subagent has that of its type instead of `agent`."""

    agent: str = AGENT
    user: str = ""
    tenant: str = ""


NO_NAMES: Final = Names()


def take(gate: Gate, principal: str, hook: Hook, names: Names = NO_NAMES) -> HookOutput | Answer:
    """Ask or tell; `names` are those of a session that begins.

    A GateError that concerns a call denies it. One about an outcome ends the agent's run, since the
    gate does not know any more what the agent has seen.

    Raises
    ------
    MalformedError, GateError
        An event of another sort cannot be recorded.
    """
    try:
        session = session_of(hook)
        _open(gate, principal, hook, session, names)
        step = _STEPS.get(hook.hook_event_name)
        return NOTHING if step is None else step(_Here(gate, principal, session), hook)
    except ClaimPendingError:
        raise
    except GateError as error:
        if hook.hook_event_name == PRE:
            return denied(f"This call was refused before it ran: {error}.")
        if hook.hook_event_name in OUTCOMES:
            return ended(f"the gate could not record what a call did: {error}")
        raise


class _Here(NamedTuple):
    """A session at its gate."""

    gate: Gate
    principal: str
    session: str

    @property
    def row(self) -> SessionRow:
        return self.gate.session(self.principal, self.session)

    @property
    def unended(self) -> dict[str, Unended]:
        return self.row.unended

    def answer(self, request: str) -> Answer | None:
        return self.gate.answer(self.principal, self.session, request)

    def withdraw(self, calls: Collection[str] | None = None) -> None:
        """No hook waits for these calls any more, or for any call; one may have ended before its
        answer.
        """
        held = [one for one in self.row.answers.values() if one.note.decision == "hold"]
        for one in held:
            if one.note.request.startswith(HOOKED) and (calls is None or one.call in calls):
                withdrawal = Withdrawal(self.session, one.note.request)
                self.gate.withdraw(self.principal, withdrawal)

    def tell(self, events: Sequence[Told]) -> HookOutput:
        """Record events, if there are any."""
        if events:
            self.gate.tell(self.principal, Telling(self.session, list(events)))
        return NOTHING


def _open(gate: Gate, principal: str, hook: Hook, session: str, names: Names) -> None:
    """Begin a session; one that has begun goes on with the names that it has."""
    if not gate.session(principal, session).seq:
        agent = hook.agent_type if hook.agent_id else names.agent
        parent = hook.session_id if hook.agent_id else ""
        gate.open(principal, Opening(session, agent, names.user, names.tenant, parent))


def _ask(here: _Here, hook: Hook) -> Answer:
    args = args_text(hook.tool_input)
    request = call_request(hook.tool_use_id, hook.tool_name, args)
    return here.gate.ask(here.principal, told.asked(hook, here.session, request, args))


def _outcome(here: _Here, hook: Hook) -> HookOutput:
    """The outcome of a call, which is asked for afterwards if it is not one that was allowed."""
    call = hook.tool_use_id
    ran = call_request(call, hook.tool_name, args_text(hook.tool_input))
    judged = here.unended.get(call)
    allowed = here.answer(judged.request if judged else ran)
    if judged is None and allowed is not None and allowed.decision == "allow":
        return here.tell([told.outcome(hook, call)])  # It counted as ended before.
    if judged is not None and (judged.request == ran or _edited(hook, allowed) == ran):
        return here.tell([told.outcome(hook, call)])
    changed = f"{call}{RAN}"
    events = [told.not_made(judged.tool, call, told.CHANGED)] if judged else []
    here.tell([*events, told.unasked(hook, changed), told.outcome(hook, changed)])
    say("error", "hook_call_unjudged", principal=here.principal, session=here.session, call=call)
    return HookOutput(system_message=OTHER_ARGS if judged else NOT_ALLOWED)


def _edited(hook: Hook, answer: Answer | None) -> str:
    """The request that the call would have been with the arguments that an operator approved."""
    if answer is None or not bytes(answer.args):
        return ""
    args = args_text(msgspec.json.decode(answer.args))
    return call_request(hook.tool_use_id, hook.tool_name, args)


def _refused_later(here: _Here, hook: Hook) -> HookOutput:
    """The runtime has refused a call that the gate had allowed."""
    return here.tell([told.outcome(hook, hook.tool_use_id)] * (hook.tool_use_id in here.unended))


def _batch(here: _Here, hook: Hook) -> HookOutput:
    """All calls of the batch have their outcomes; one that was refused has reported none."""
    over = [one.tool_use_id for one in hook.tool_calls]
    here.withdraw(over)
    unended = here.unended
    return here.tell([told.not_made(unended[call].tool, call) for call in over if call in unended])


def _user_asked(here: _Here, hook: Hook) -> HookOutput:
    """The event names no call: it is one with the same tool and arguments."""
    args = args_text(hook.tool_input)
    calls = [
        call
        for call, one in here.unended.items()
        if one.request == call_request(call, hook.tool_name, args)
    ]
    return here.tell([told.permission_asked(hook, call) for call in calls[-1:]])


def _prompt(here: _Here, hook: Hook) -> HookOutput:
    return here.tell([told.message(told.prompt_kind(hook), hook.prompt)] * bool(hook.prompt))


def _turn_ended(here: _Here, hook: Hook) -> HookOutput:
    """The model's last message; nothing is reported any more about calls that are left."""
    here.withdraw()
    left = [told.unknown_outcome(call, one) for call, one in here.unended.items()]
    text = hook.last_assistant_message
    return here.tell([*left, *[told.message("message.assistant", text)] * bool(text)])


OUTCOMES: Final = ("PostToolUse", "PostToolUseFailure", "PostToolBatch")
"""Events without which the gate does not know what the agent has seen."""
RAN: Final = "~ran"
"""Behind the id of a call: the one that ran instead."""
_STEPS: Final[Mapping[str, Callable[[_Here, Hook], HookOutput | Answer]]] = {
    PRE: _ask,
    "PostToolUse": _outcome,
    "PostToolUseFailure": _outcome,
    "PermissionDenied": _refused_later,
    "PostToolBatch": _batch,
    "PermissionRequest": _user_asked,
    "UserPromptSubmit": _prompt,
    "Stop": _turn_ended,
    "SubagentStop": _turn_ended,
    "SessionStart": _turn_ended,
    "SessionEnd": _turn_ended,
}
