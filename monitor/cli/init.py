"""`interlock init`: sets up a project, or the runtime of an agent."""

from __future__ import annotations

from monitor.cli.arguments import HELP, Verbs
from monitor.cli.init_claude_code import add_claude_code
from monitor.cli.init_project import add_project


def add(verbs: Verbs) -> None:
    """Declare the verb."""
    parser = verbs.add_parser(
        "init",
        help=HELP["init"],
        description="Writes the first files of a project: settings of a gate, invariants with "
        "their examples, and a job that checks them. It reads which framework the project uses, "
        "and prints the lines that connect it. It never changes a file that is there. "
        "Example: interlock init",
    )
    add_project(parser)
    parts = parser.add_subparsers(title="parts", metavar="claude-code")
    add_claude_code(parts)
