"""A gate's answers, in the form that Claude Code reads. Pure.

`allow` is said by nothing: a hook that allows a call takes away the user's own permission rules.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from monitor.claude_code.hook import HookOutput, HookSpecific
from monitor.gate.wire import Answer

NOTHING: Final = HookOutput()
PRE: Final = "PreToolUse"
_AFTERWARDS: Final = "It was recorded as a call that was not asked for, and judged afterwards."
OTHER_ARGS: Final = (
    "Interlock: a call ran with other arguments than the gate had judged. Another hook has changed "
    f"them. {_AFTERWARDS}"
)
NOT_ALLOWED: Final = f"Interlock: a call ran that the gate had not allowed. {_AFTERWARDS}"


def said(answer: Answer) -> HookOutput:
    """The output for an answer. A killed session ends the agent's run."""
    if answer.decision == "allow":
        return _edited(answer) if bytes(answer.args) else NOTHING
    return denied(answer.message, ends=answer.reason == "killed")


def denied(reason: str, *, ends: bool = False) -> HookOutput:
    """A call that is not made, with the sentence for the model."""
    specific = HookSpecific(PRE, "deny", reason)
    if ends:
        return HookOutput(continue_=False, stop_reason=reason, hook_specific_output=specific)
    return HookOutput(hook_specific_output=specific)


def ended(reason: str) -> HookOutput:
    """The agent's run ends here."""
    return HookOutput(continue_=False, stop_reason=f"Interlock: {reason}")


def _edited(answer: Answer) -> HookOutput:
    """An operator approved the call with other arguments. The user's permissions still decide."""
    args: dict[str, Any] = msgspec.json.decode(answer.args)
    return HookOutput(hook_specific_output=HookSpecific(PRE, updated_input=args))
