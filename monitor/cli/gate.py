"""`interlock gate serve`: judges the calls of agents before they run.

`gate_claims.py` has the other parts of the verb.
"""

from __future__ import annotations

import argparse
import gc
from contextlib import ExitStack

from monitor.cli.arguments import HELP, Verbs
from monitor.cli.collector import lasting
from monitor.cli.exceptions import add_break_glass
from monitor.cli.gate_claims import add_parts
from monitor.cli.gate_library import require_library
from monitor.cli.output import EXIT_FINE
from monitor.cli.signals import Stopper
from monitor.clock import SystemClock
from monitor.config.load import add_flags, load_settings, require
from monitor.config.secrets_named import secrets_of
from monitor.log import configure_log
from monitor.log import say as log


def add(verbs: Verbs) -> None:
    """Declare the verb."""
    parser = verbs.add_parser(
        "gate",
        help=HELP["gate"],
        description="Serves a gate, which agents ask before each call, or opens one. "
        "Example: interlock gate serve --invariants pack:default --listen unix:gate.sock "
        "--publish log:agents",
    )
    parts = parser.add_subparsers(
        title="parts", required=True, metavar="serve|break-glass|list|retire"
    )
    serve = parts.add_parser(
        "serve",
        help="answer until a signal asks to stop",
        description="Evaluates invariants at each call before it runs, writes each answer to its "
        "log, and publishes that. SIGTERM and SIGINT finish what is in flight.",
    )
    serve.add_argument("--config", help="a YAML file with settings (else INTERLOCK_CONFIG)")
    add_flags(serve, short="gate")
    serve.set_defaults(run=run)
    add_break_glass(parts)
    add_parts(parts)


def run(arguments: argparse.Namespace) -> int:
    """Serve until a signal asks to stop."""
    stopper = Stopper()
    settings = load_settings(arguments.config, flags=vars(arguments))
    require(settings, "invariants", "gate.listen", "gate.publish")
    configure_log(settings.log_level, settings.log_format, secrets_of(settings))
    require_library("aiohttp", "a gate needs")
    with ExitStack() as stack:
        stack.callback(gc.unfreeze)
        with lasting():
            # The server and its library take long to import: other verbs do not need them.
            from monitor.gate_server.start import open_served

            served = open_served(settings, SystemClock(), stack)
        served.run(stopper.is_asked)
    log("info", "gate_stopped")
    return EXIT_FINE
