"""`interlock kafka init`: creates the topics with the policies that the monitor relies on."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from monitor.cli.arguments import HELP, Verbs, names, whole_number, with_output
from monitor.cli.output import EXIT_FINE, EXIT_VIOLATIONS, say, say_json
from monitor.config.load import load_settings
from monitor.topics import APPROVALS, POLICIES


def add(verbs: Verbs) -> None:
    """Declare the verb."""
    parser = verbs.add_parser(
        "kafka",
        help=HELP["kafka"],
        description="Creates missing topics and reports the differences of existing ones. You can "
        "run it again safely; it never changes partition counts. "
        "Example: interlock kafka init --bootstrap localhost:9092",
    )
    parts = parser.add_subparsers(title="parts", required=True, metavar="init")
    init = parts.add_parser("init", help="create missing topics")
    init.add_argument("--bootstrap", required=True, help="brokers, as HOST:PORT,HOST:PORT")
    init.add_argument(
        "--partitions",
        type=whole_number(1),
        help="of each new topic; default: as many as the existing ones have, else 12",
    )
    init.add_argument("--replication-factor", type=int, default=-1, help="-1: the broker's default")
    init.add_argument(
        "--operators",
        type=names,
        default=(),
        metavar="NAMES",
        help="operators who decide about held calls by topics, with commas: creates "
        "interlock.approvals.NAME for each",
    )
    init.add_argument("--config", help="a YAML file with settings")
    with_output(init)
    init.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Create and report; 1 if an existing topic differs from the policy that the monitor needs."""
    # Kafka's client takes long to import, and the other verbs do not need it.
    from monitor.transport.kafka.topic_config import init_topics

    settings = load_settings(arguments.config)
    reports = init_topics(
        arguments.bootstrap,
        arguments.partitions,
        arguments.replication_factor,
        settings=settings.kafka.client_settings(),
        topics={
            **POLICIES,
            **{f"{APPROVALS}.{n}": POLICIES[APPROVALS] for n in arguments.operators},
        },
    )
    if arguments.output == "json":
        say_json([asdict(report) for report in reports])
    else:
        for report in reports:
            what = "created" if report.is_created else "exists"
            say(f"{report.topic}: {what}")
            for difference in report.differences:
                say(f"  differs: {difference}")
    return EXIT_VIOLATIONS if any(report.differences for report in reports) else EXIT_FINE
