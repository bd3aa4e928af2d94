"""The flags of commands that ask a gate; they import nothing, as every start reads them."""

from __future__ import annotations

import argparse


def add_gate(parser: argparse.ArgumentParser) -> None:
    """Declare the flags that name a gate, and the operator."""
    parser.add_argument(
        "--gate",
        required=True,
        metavar="ADDRESS",
        help="the gate's `--listen`: unix:PATH or http://127.0.0.1:PORT",
    )
    parser.add_argument(
        "--token-file",
        metavar="FILE",
        help="a file with the operator's token (else INTERLOCK_GATE_TOKEN or "
        "INTERLOCK_GATE_TOKEN_FILE; a Unix socket needs none if the gate knows the user)",
    )


def add_topics(parser: argparse.ArgumentParser) -> None:
    """Declare the flags for gates that are reached by topics."""
    parser.add_argument(
        "--operator",
        metavar="NAME",
        help="with `--gate kafka://HOST:PORT`: decide as NAME, by interlock.approvals.NAME",
    )
    parser.add_argument("--config", help="a YAML file with settings, for Kafka")
