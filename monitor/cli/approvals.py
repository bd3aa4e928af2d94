"""`interlock approvals`: the calls that wait at a gate, and an operator's decisions about them.

An operator reads what the agent wrote: every text is escaped, and what is cut is said to be cut.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import msgspec

from interlock.limits import RECORD_BYTES_MAX
from invariants.model.errors import ConfigError
from monitor.cli.arguments import HELP, Verbs, with_output
from monitor.cli.gate_flags import add_gate, add_topics
from monitor.cli.output import EXIT_FINE, EXIT_VIOLATIONS, complain, say, say_json
from monitor.findings.count_text import count_of
from monitor.presentation import time_text, visible

if TYPE_CHECKING:
    from monitor.cli.gate_requests import ApprovalsGate
    from monitor.gate.wire import Answer, HeldCall
    from monitor.gate_server.routes import HeldPage

NAME_CHARS_MAX: Final = 80
LISTED_CHARS_MAX: Final = 100
ARGS_CHARS_MAX: Final = 20_000
"""Chosen: some screens; `--output json` has all of it."""


def add(verbs: Verbs) -> None:
    """Declare the verb and its parts."""
    parser = verbs.add_parser(
        "approvals",
        help=HELP["approvals"],
        description="Shows the calls that a gate holds for an approval, and grants or denies them. "
        "Example: interlock approvals list --gate unix:gate.sock",
    )
    parts = parser.add_subparsers(title="parts", required=True, metavar="list|show|grant|deny")
    lister = parts.add_parser("list", help="the calls that wait, the oldest first")
    shower = parts.add_parser(
        "show",
        help="one call: its arguments and attributes, why it is held, and the latest events of its "
        "session",
    )
    granter = parts.add_parser(
        "grant",
        help="let the call run, if nothing else forbids it",
        description="Grants a held call. If several operators must grant it, it waits for the "
        "others. Exits with 1 if the call is refused all the same.",
    )
    granter.add_argument(
        "--args",
        metavar="FILE",
        help="a file with other arguments, as a JSON object: the call is judged with these",
    )
    denier = parts.add_parser("deny", help="refuse the call")
    for part in (shower, granter, denier):
        part.add_argument("id", help="the id of the approval (a-...)")
    for part in (granter, denier):
        part.add_argument(
            "--reason", default="", help="stored in the record; not shown to the agent"
        )
    runs = ((lister, run_list), (shower, run_show), (granter, run_grant), (denier, run_deny))
    for part, run in runs:
        add_gate(part)
        add_topics(part)
        with_output(part)
        part.set_defaults(run=run)


def run_list(arguments: argparse.Namespace) -> int:
    """Print the calls that wait."""
    from monitor.cli.gate_requests import open_approvals
    from monitor.gate_server.routes import HeldList

    with open_approvals(arguments) as gate:
        found = gate.get("/v1/approvals", HeldList)
    if arguments.output == "json":
        say_json(found)
    else:
        for held in found.approvals:
            say(_line(held))
        say(f"{count_of(len(found.approvals), 'call')} waiting")
    if found.omitted:
        complain(f"note: {found.omitted} more did not fit; decide about these first")
    return EXIT_FINE


def run_show(arguments: argparse.Namespace) -> int:
    """Print everything about one call."""
    from monitor.cli.gate_requests import open_approvals

    with open_approvals(arguments) as gate:
        page = _page(gate, arguments.id)
    if arguments.output == "json":
        say_json(page)
    else:
        for text in page_lines(page):
            say(text)
    return EXIT_FINE


def run_grant(arguments: argparse.Namespace) -> int:
    """Grant a call; 1 if it is refused all the same."""
    content: dict[str, Any] = {"decision": "grant", "reason": arguments.reason}
    if arguments.args is not None:
        content["args"] = _read_args(arguments.args)
    return _rule(arguments, content)


def run_deny(arguments: argparse.Namespace) -> int:
    """Refuse a call."""
    return _rule(arguments, {"decision": "deny", "reason": arguments.reason})


def _rule(arguments: argparse.Namespace, content: dict[str, Any]) -> int:
    from monitor.cli.gate_requests import open_approvals
    from monitor.gate.wire import Answer

    with open_approvals(arguments) as gate:
        answer = gate.post(_path(arguments.id), content, Answer)
    if arguments.output == "json":
        say_json(answer)
    else:
        say(_result(answer, is_grant=content["decision"] == "grant"))
    is_refused = content["decision"] == "grant" and answer.decision == "deny"
    return EXIT_VIOLATIONS if is_refused else EXIT_FINE


def _result(answer: Answer, *, is_grant: bool) -> str:
    if not is_grant:
        return "denied: the agent reads that an operator refused the call"
    if answer.decision == "allow":
        return "granted: the agent may make the call"
    if answer.decision == "hold":
        return "granted by you; the call waits for another operator"
    named = ", ".join(visible(reason.id, NAME_CHARS_MAX) for reason in answer.invariants)
    because = f" ({named})" if named else ""
    return f"granted, but the call is refused all the same: {visible(answer.reason)}{because}"


def _page(gate: ApprovalsGate, id_: str) -> HeldPage:
    from monitor.gate_server.routes import HeldPage

    return gate.get(_path(id_), HeldPage)


def _path(id_: str) -> str:
    return f"/v1/approvals/{quote(id_, safe='')}"


def _read_args(path: str) -> msgspec.Raw:
    """The arguments in a file. ConfigError unless it is a JSON object."""
    with Path(path).open("rb") as file:
        content = file.read(RECORD_BYTES_MAX + 1)
    if len(content) > RECORD_BYTES_MAX:
        raise ConfigError(f"`--args`: `{path}` has more than {RECORD_BYTES_MAX} bytes")
    try:
        msgspec.json.decode(content, type=dict[str, msgspec.Raw])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise ConfigError(
            f"`--args`: `{path}` is not a JSON object; write the arguments by name, as in "
            '`{"amount": 5}`'
        ) from None
    return msgspec.Raw(content)


def _line(held: HeldCall) -> str:
    arguments = visible(bytes(held.args).decode("utf-8", "replace"), LISTED_CHARS_MAX) or "(...)"
    return (
        f"{visible(held.id, NAME_CHARS_MAX)}  {_who(held)}  {visible(held.tool, NAME_CHARS_MAX)} "
        f"{arguments}  until {time_text(held.expires_ns)}{_granted(held)}"
    )


def page_lines(page: HeldPage) -> list[str]:
    """A held call as text for people."""
    held = page.approval
    return [
        f"{visible(held.id, NAME_CHARS_MAX)}: {visible(held.tool, NAME_CHARS_MAX)} waits for an "
        "approval",
        f"  session    {_who(held)}",
        f"  call       {visible(held.call)}",
        f"  asked      {time_text(held.asked_ns)}",
        f"  expires    {time_text(held.expires_ns)}",
        f"  operators  {held.approvers} must grant it{_granted(held)}",
        "  held by",
        *(f"    {visible(r.id, NAME_CHARS_MAX)}: {visible(r.summary)}" for r in held.invariants),
        "  arguments",
        *_object(bytes(held.args)),
        "  attributes",
        *_object(bytes(held.attributes)),
        "  latest events of the session",
        *(
            f"    {event.seq:>5} {time_text(event.time_ns)} {visible(event.kind, NAME_CHARS_MAX)} "
            f"{visible(event.tool, NAME_CHARS_MAX)} {visible(event.text)}".rstrip()
            for event in page.recent
        ),
    ]


def _object(content: bytes) -> list[str]:
    """Arguments or attributes over several lines; control characters inside a line are escaped."""
    if not content:
        return ["    none"]
    text = msgspec.json.format(content, indent=2).decode("utf-8", "replace")
    shown = [f"    {visible(one, ARGS_CHARS_MAX)}" for one in text[:ARGS_CHARS_MAX].split("\n")]
    if len(text) > ARGS_CHARS_MAX:
        shown.append(f"    (cut: {len(text)} characters in all; `--output json` shows them)")
    return shown


def _who(held: HeldCall) -> str:
    return visible(f"{held.principal}/{held.session}", 2 * NAME_CHARS_MAX)


def _granted(held: HeldCall) -> str:
    if not held.granted_by:
        return ""
    names = visible(", ".join(held.granted_by))
    return f"; granted by {names} ({len(held.granted_by)} of {held.approvers})"
