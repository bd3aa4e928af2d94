"""`interlock doctor`: examines an installation without changing it, and says how to mend it."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING, Any, Final

import msgspec

from invariants.model.errors import ConfigError
from monitor.cli.arguments import HELP, Verbs, duration_ns, whole_number, with_output
from monitor.cli.output import (
    EXIT_FINE,
    EXIT_UNJUDGED,
    EXIT_VIOLATIONS,
    coloured,
    safe,
    say,
    say_json,
)
from monitor.clock import SystemClock
from monitor.config.load import CONFIG_VARIABLE, add_flags, load_settings
from monitor.config.table import make_settings
from monitor.log import configure_log

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitor.config.table import Settings
    from monitor.doctor.diagnosis import Diagnosis, Outcome

CODES: Final = {"ok": EXIT_FINE, "trouble": EXIT_VIOLATIONS, "unknown": EXIT_UNJUDGED}
_COLOURS: Final = {"ok": "good", "trouble": "critical", "unknown": "warning"}
_SAMPLE_MAX: Final = 10_000


def add(verbs: Verbs) -> None:
    """Declare the verb."""
    parser = verbs.add_parser(
        "doctor",
        help=HELP["doctor"],
        description="Examines the broker, the gate, the clocks, the rights of files, the latest "
        "events, the installed versions, the invariants and the state directory that the settings "
        "name. It changes nothing. Exit code 0 if every required check is ok, 1 if one found "
        "trouble, and 4 if one could not find out. "
        "Example: interlock doctor --config interlock.yaml",
    )
    parser.add_argument("--config", help="a YAML file with settings (else INTERLOCK_CONFIG)")
    parser.add_argument(
        "--gate",
        metavar="ADDRESS",
        help="the gate that an agent asks: unix:PATH or http://127.0.0.1:PORT (else the first "
        "socket of gate.listen)",
    )
    parser.add_argument(
        "--token-file",
        metavar="FILE",
        help="a file with the agent's or the operator's token (else INTERLOCK_GATE_TOKEN or "
        "INTERLOCK_GATE_TOKEN_FILE)",
    )
    parser.add_argument(
        "--target",
        metavar="ADDRESS",
        help="where an agent without a gate publishes: log:DIRECTORY or kafka://HOST:PORT/TOPIC",
    )
    parser.add_argument(
        "--latest",
        type=whole_number(1),
        default=100,
        metavar="N",
        help="read the latest N records of each partition or file (100)",
    )
    parser.add_argument(
        "--timeout", default="15s", metavar="DURATION", help="the time for each check (15s)"
    )
    with_output(parser)
    add_flags(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Examine, and print every diagnosis."""
    from monitor.doctor.diagnosis import worst
    from monitor.doctor.examination import examine_all
    from monitor.doctor.plan import Asked

    # The reasons are in the diagnoses: libraries would report each of their attempts.
    configure_log("critical", "auto")
    settings, fault = _settings(arguments)
    asked = Asked(
        settings,
        fault,
        config=arguments.config or os.environ.get(CONFIG_VARIABLE),
        gate=arguments.gate,
        target=arguments.target,
        token_file=arguments.token_file,
        sample_count=min(arguments.latest, _SAMPLE_MAX),
        seconds=max(2.0, duration_ns("--timeout", arguments.timeout) / 1e9),
    )
    diagnoses = examine_all(asked, SystemClock())
    outcome = worst(diagnoses)
    if arguments.output == "json":
        say_json({"outcome": outcome, "checks": msgspec.to_builtins(diagnoses)})
    else:
        _say(diagnoses, outcome)
    return CODES[outcome]


def _settings(arguments: argparse.Namespace) -> tuple[Settings, str]:
    """The settings, and their faults: what does not depend on them is examined all the same."""
    try:
        return load_settings(arguments.config, flags=vars(arguments)), ""
    except ConfigError as error:
        return make_settings({}), str(error)


def _say(diagnoses: Sequence[Diagnosis], outcome: Outcome) -> None:
    for one in diagnoses:
        optional = "" if one.is_required else " (optional)"
        word = coloured(f"{one.outcome:8}", _COLOURS[one.outcome])
        say(safe(f"{word}{one.check}: {one.place}: {one.text}{optional}"))
        if one.mend and one.outcome != "ok":
            say(safe(f"        mend: {one.mend}"))
    counts: dict[str, Any] = dict.fromkeys(CODES, 0)
    for one in diagnoses:
        counts[one.outcome] += 1
    told = ", ".join(f"{count} {name}" for name, count in counts.items())
    say(f"{told}: {coloured(outcome, _COLOURS[outcome])}")
