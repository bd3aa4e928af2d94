"""What all verbs of the command line share: how they are declared."""

from __future__ import annotations

import argparse
from typing import Any

Verbs = Any
"""The object that `ArgumentParser.add_subparsers` gives; argparse keeps its type private."""


def with_output(parser: argparse.ArgumentParser) -> None:
    """Every verb that prints results can print them for programs."""
    parser.add_argument(
        "--output",
        choices=("text", "json"),
        default="text",
        help="text for people (default) or JSON for programs",
    )


def with_state_dir(parser: argparse.ArgumentParser) -> None:
    """Verbs that read what a monitor has stored."""
    parser.add_argument(
        "--state-dir",
        default="interlock-state",
        help="the state directory of the monitor (interlock-state)",
    )
