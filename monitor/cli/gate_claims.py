"""`interlock gate list` and `interlock gate retire`: the gates that publish to one Kafka."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

from invariants.model.errors import ConfigError
from invariants.model.event import SECOND_NS
from monitor.cli.arguments import with_output
from monitor.cli.output import EXIT_FINE, complain, say, say_json, table
from monitor.clock import SystemClock
from monitor.config.load import load_settings
from monitor.findings.count_text import count_of
from monitor.presentation import visible
from monitor.transport.address import KafkaAddress, parse_source_url
from monitor.transport.base import ClaimLog


def add_parts(parts: Any) -> None:
    """Declare the parts of `interlock gate` that are about claims."""
    lister = parts.add_parser(
        "list",
        help="the gates that publish to a Kafka, with the number of their sessions",
        description="Shows the gates that have claimed sessions on a Kafka. "
        "Example: interlock gate list --publish kafka://localhost:9092",
    )
    lister.set_defaults(run=run_list)
    retirer = parts.add_parser(
        "retire",
        help="state that a gate is gone for good: its claims of sessions end",
        description="Use it when the state directory of a gate is lost. It waits for the gate's "
        "`gate.claim_lease`, unless the gate was stopped. The gate never answers again, and other "
        "gates may begin sessions with the same ids, without their past. "
        "Example: interlock gate retire 1f0c22ab --publish kafka://localhost:9092",
    )
    retirer.add_argument("name", help="the gate's name, as `interlock gate list` shows it")
    retirer.set_defaults(run=run_retire)
    for part in (lister, retirer):
        part.add_argument("--publish", required=True, help="kafka://HOST:PORT, as of the gates")
        part.add_argument("--config", help="a YAML file with settings")
        with_output(part)


def run_list(arguments: argparse.Namespace) -> int:
    """Print the gates."""
    from monitor.gate.retire import read_claims

    with _opened(arguments) as log:
        view = read_claims(log, SystemClock())
    found = []
    for name, count in view.gates():
        last = view.last_run(name)
        found.append((name, last[1].state if last else "", count))
    if arguments.output == "json":
        say_json([{"gate": name, "state": state, "claims": count} for name, state, count in found])
    else:
        for line in table((visible(name), state, count_of(n, "claim")) for name, state, n in found):
            say(line)
    return EXIT_FINE


def run_retire(arguments: argparse.Namespace) -> int:
    """Retire a gate, and print how many claims it had."""
    from monitor.gate.retire import retire

    with _opened(arguments) as log:
        count = retire(log, arguments.name, SystemClock(), _wait)
    if arguments.output == "json":
        say_json({"gate": arguments.name, "claims": count})
    else:
        say(f"retired `{visible(arguments.name)}`: {count_of(count, 'claim')} released")
    return EXIT_FINE


def _wait(wait_ns: int) -> None:
    complain(f"note: waits {wait_ns // SECOND_NS} s, until the gate cannot answer any more")
    time.sleep(wait_ns / SECOND_NS)


@contextmanager
def _opened(arguments: argparse.Namespace) -> Iterator[ClaimLog]:
    from monitor.transport.kafka.claim_log import KafkaClaimLog

    address = parse_source_url(arguments.publish)
    if not isinstance(address, KafkaAddress):
        raise ConfigError(
            "`--publish` must be `kafka://HOST:PORT`: in a log directory, the claims of a gate are "
            "the files of `interlock.claims` that contain its name"
        )
    settings = load_settings(arguments.config).kafka.client_settings()
    with closing(KafkaClaimLog(address.bootstrap, settings=settings)) as log:
        yield log
