"""`interlock mcp-proxy`: asks a gate before each call of a tool of an MCP server.

The proxy belongs to the agents' package, and runs without the monitor, too.
"""

from __future__ import annotations

import argparse

from invariants.model.errors import ConfigError
from monitor.cli.arguments import HELP, Verbs


def add(verbs: Verbs) -> None:
    """Declare the verb."""
    from interlock.mcp_proxy.command import DESCRIPTION, add_flags

    parser = verbs.add_parser("mcp-proxy", help=HELP["mcp-proxy"], description=DESCRIPTION)
    add_flags(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Relay until a side ends or a signal asks to stop."""
    from interlock.errors import SettingError
    from interlock.mcp_proxy.command import run as run_proxy

    try:
        return run_proxy(arguments)
    except SettingError as error:
        raise ConfigError(str(error)) from None
