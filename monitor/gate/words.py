"""The sentences of a gate: for the model that asked, and for the record.

They contain our own text and that of the invariants' files. Nothing that an agent wrote is
repeated: not its tool's name, no argument, no value of a binding, unless it is a text of the
file: the calls that a role may make.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from invariants.runtime.declared import Declared
from invariants.spec.model import Per
from monitor.findings.model import Finding
from monitor.presentation import visible

SUMMARY_CHARS_MAX: Final = 300
ALLOWED_CHARS_MAX: Final = 320
"""As long as `allowed_calls` makes it (`invariants/spec/allowed_calls.py`)."""
NAMED_MAX: Final = 4
"""Chosen: invariants that a message names; the record has all of them."""

_AGAIN: Final = "Do not try it again: the answer will be the same in this session."
_ELSE: Final = "Continue without it, or tell the user that it was refused."


def denied(findings: Sequence[Finding], stating: Collection[str]) -> str:
    """For a model whose call was refused by invariants; `stating` are the digests of those that
    state what they allow.
    """
    return f"This call was refused before it ran: {_why(findings, stating)}. {_AGAIN} {_ELSE}"


def held(findings: Sequence[Finding], unseen: Sequence[Declared], stating: Collection[str]) -> str:
    """For a model whose call waits for an operator."""
    why = _why(findings, stating) if findings else _rules(unseen)
    return (
        f"This call waits for the approval of an operator: {why}. It has not run. Wait for the "
        "answer; do not ask for it in another form."
    )


def unseen(invariants: Sequence[Declared]) -> str:
    """For a model whose call an invariant cannot judge that was changed while its session ran."""
    return (
        "This call was refused before it ran: rules were changed while this session was running, "
        f"and need to know its beginning: {_rules(invariants)}. It may be made in a new session. "
        f"{_ELSE}"
    )


def overruled(by: str) -> str:
    """For a model whose held call was refused, or not answered in time."""
    return f"This call was refused before it ran: {by}. {_AGAIN} {_ELSE}"


def stopped(state: str, incident: str) -> str:
    """For a model whose session was stopped by a monitor or an operator."""
    named = f" (incident {visible(incident, 80)})" if incident else ""
    return (
        f"This call was refused before it ran: this session is {state}{named}. An operator can "
        "release it; until then, every call is refused."
    )


def stale(per: Per) -> str:
    """For a model whose call concerns a scope of which a monitor's word is too old."""
    return (
        f"This call was refused before it ran: too little is known of the other sessions of its "
        f"{per} at the moment. It may be asked for again later, as a new call."
    )


def blind(invariants: Sequence[Declared]) -> str:
    """For a model whose call omits arguments that invariants need."""
    return (
        "This call was refused before it ran: some of its arguments are too large, or were not "
        f"sent, and are needed to judge it: {_rules(invariants)}. Make it in smaller parts, as new "
        "calls, or tell the user that it was refused."
    )


def not_judged() -> str:
    """For a model whose call the engine failed on."""
    return (
        "This call was refused before it ran: it could not be judged, because of an error of the "
        f"gate. {_ELSE}"
    )


def _why(findings: Sequence[Finding], stating: Collection[str]) -> str:
    return _listed(dict.fromkeys(_summary(finding, stating) for finding in findings))


def _rules(invariants: Sequence[Declared]) -> str:
    return _listed(dict.fromkeys(_text(one.summary or one.id) for one in invariants))


def _listed(texts: Collection[str]) -> str:
    named = list(texts)[:NAMED_MAX]
    more = len(texts) - len(named)
    return "; ".join(named) + (f"; and {more} more" if more else "")


def _summary(finding: Finding, stating: Collection[str]) -> str:
    said = _text(finding.summary or finding.invariant)
    if finding.invariant_digest in stating and "allowed" in finding.binding:
        said += f" (allowed: {visible(str(finding.binding['allowed']), ALLOWED_CHARS_MAX)})"
    return said + (" (this could not be ruled out)" if finding.is_escalated else "")


def _text(summary: str) -> str:
    return visible(summary, SUMMARY_CHARS_MAX).rstrip(".")
