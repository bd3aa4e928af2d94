"""`interlock exceptions`, and `interlock gate break-glass`: an operator's signed exceptions.

A statement is made and signed here, with a key that never leaves this machine. The gate checks the
right and the signature, and records both.
"""

from __future__ import annotations

import argparse
import os
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from invariants.model.errors import ConfigError
from monitor.cli.arguments import HELP, Verbs, duration_ns, with_output
from monitor.cli.gate_flags import add_gate
from monitor.cli.output import EXIT_FINE, say, say_json
from monitor.findings.count_text import count_of
from monitor.presentation import time_text, visible

if TYPE_CHECKING:
    from monitor.exceptions.statement import Statement
    from monitor.principals.model import ExceptionSort

PATH = "/v1/exceptions"
NAME_CHARS_MAX = 80


def add(verbs: Verbs) -> None:
    """Declare the verb and its parts."""
    parser = verbs.add_parser(
        "exceptions",
        help=HELP["exceptions"],
        description="An exception lets calls run, for a time, that an invariant of a gate would "
        "refuse. The violations are reported all the same. "
        "Example: interlock exceptions list --gate unix:gate.sock",
    )
    parts = parser.add_subparsers(title="parts", required=True, metavar="keygen|list|add|revoke")
    maker = parts.add_parser(
        "keygen",
        help="make a pair of keys, and print the public one for the file of principals",
        description="Writes a private key, which INTERLOCK_KEY_PASSPHRASE or a passphrase that is "
        "asked for encrypts, and prints the line `public_key: ...` for the file of principals.",
    )
    maker.add_argument("--key", required=True, metavar="FILE", help="the new file of the key")
    maker.set_defaults(run=run_keygen)
    lister = parts.add_parser("list", help="the exceptions in force, the oldest first")
    lister.set_defaults(run=run_list)
    adder = parts.add_parser("add", help="sign an exception of one invariant, and put it in force")
    adder.add_argument("--invariant", required=True, metavar="ID", help="the invariant's id")
    add_statement(adder)
    adder.set_defaults(run=run_add)
    revoker = parts.add_parser("revoke", help="end an exception, or a break-glass, before its time")
    revoker.add_argument("id", help="its id (x-...), as `exceptions list` shows it")
    revoker.add_argument("--reason", default="", help="stored in the record")
    revoker.set_defaults(run=run_revoke)
    for part in (lister, adder, revoker):
        add_gate(part)
        with_output(part)


def add_break_glass(parts: Any) -> None:
    """Declare `interlock gate break-glass`."""
    breaker = parts.add_parser(
        "break-glass",
        help="open a gate that is wrong, for a limited time, with an alert",
        description="Until the end of the time the gate refuses no call that this concerns, and "
        "stops nobody for one. Everything is judged, recorded and reported. Stops by operators and "
        "monitors stay: release them with `interlock control release`. End it earlier with "
        "`interlock exceptions revoke ID`.",
    )
    add_statement(breaker)
    breaker.set_defaults(run=run_break_glass)
    add_gate(breaker)
    with_output(breaker)


def add_statement(parser: argparse.ArgumentParser) -> None:
    """Declare the flags of a statement."""
    whom = parser.add_mutually_exclusive_group(required=True)
    whom.add_argument("--principal", default="", metavar="NAME", help="whose calls it concerns")
    whom.add_argument("--everybody", action="store_true", help="it concerns all principals but you")
    parser.add_argument("--session", default="", metavar="ID", help="only this session of NAME")
    parser.add_argument(
        "--for", required=True, dest="span", metavar="DURATION", help="how long, such as 30m"
    )
    parser.add_argument("--reason", required=True, help="why; stored in the record")
    parser.add_argument("--owner", required=True, help="the person or team that answers for it")
    parser.add_argument(
        "--key", required=True, metavar="FILE", help="your private key, of `exceptions keygen`"
    )


def run_keygen(arguments: argparse.Namespace) -> int:
    """Make a pair of keys."""
    from monitor.cli.signing_key import make_key_file

    public = make_key_file(arguments.key)
    say(f'public_key: "{public}"')
    return EXIT_FINE


def run_list(arguments: argparse.Namespace) -> int:
    """Print the exceptions in force."""
    from monitor.cli.gate_requests import open_gate
    from monitor.gate.wire import InForce

    with open_gate(arguments) as gate:
        found = gate.get(PATH, InForce)
    if arguments.output == "json":
        say_json(found)
        return EXIT_FINE
    for one in found.exceptions:
        say(_line(one))
        say(f"    {visible(one.reason)} ({visible(one.owner)}; signed by {visible(one.issuer)})")
    say(f"{count_of(len(found.exceptions), 'exception')} in force")
    return EXIT_FINE


def run_add(arguments: argparse.Namespace) -> int:
    """Put an exception in force."""
    return _make(arguments, "exception", arguments.invariant)


def run_break_glass(arguments: argparse.Namespace) -> int:
    """Open the gate."""
    return _make(arguments, "break-glass", "")


def run_revoke(arguments: argparse.Namespace) -> int:
    """End one before its time."""
    from monitor.cli.gate_requests import open_gate
    from monitor.exceptions.statement import Statement

    with open_gate(arguments) as gate:
        path = f"{PATH}/{quote(arguments.id, safe='')}"
        ended = gate.post(path, {"reason": arguments.reason}, Statement)
    if arguments.output == "json":
        say_json(ended)
    else:
        say(f"{visible(ended.id, NAME_CHARS_MAX)} is over")
    return EXIT_FINE


def _make(arguments: argparse.Namespace, sort: ExceptionSort, invariant: str) -> int:
    from monitor.cli.gate_requests import open_gate
    from monitor.cli.signing_key import read_key_file
    from monitor.exceptions.signing import sign
    from monitor.exceptions.statement import (
        Statement,
        StatementError,
        read_statement,
        statement_text,
    )
    from monitor.gate.wire import InForce

    span_ns = duration_ns("--for", arguments.span)
    key = read_key_file(arguments.key)
    with open_gate(arguments) as gate:
        there = gate.get(PATH, InForce)
        now_ns = time.time_ns()
        text = statement_text(
            Statement(
                id=f"x-{os.urandom(16).hex()}",
                sort=sort,
                gate=there.gate,
                issuer=there.operator,
                issued_ns=now_ns,
                expires_ns=now_ns + span_ns,
                invariant=invariant,
                principal=arguments.principal,
                session=arguments.session,
                reason=arguments.reason,
                owner=arguments.owner,
            )
        )
        try:
            read_statement(text)
        except StatementError as error:
            raise ConfigError(str(error)) from None
        taken = gate.post(PATH, sign(key, text), Statement)
    if arguments.output == "json":
        say_json(taken)
    else:
        say(_line(taken))
        say(f"end it earlier with `interlock exceptions revoke {visible(taken.id)}`")
    return EXIT_FINE


def _line(one: Statement) -> str:
    what = "break-glass"
    if one.sort == "exception":
        what = f"exception of {visible(one.invariant, NAME_CHARS_MAX)}"
    whom = visible(one.principal, NAME_CHARS_MAX) or "everybody"
    if one.session:
        whom += f"/{visible(one.session, NAME_CHARS_MAX)}"
    id_ = visible(one.id, NAME_CHARS_MAX)
    return f"{id_}  {what}  for {whom}  until {time_text(one.expires_ns)}"
