"""`interlock mcp-proxy`, and `python -m interlock.mcp_proxy` where only the client is there."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import re
import signal
import sys
import uuid
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from ..client import Client
from ..errors import SettingError
from ..options import ClientOptions
from .asked_calls import AskedCalls
from .relay import Relay
from .stdio import run_server
from .tools import Tools

DESCRIPTION: Final = (
    "Stands between a client and a server of MCP, and asks a gate before each call of a tool. A "
    "call that is refused is not made, and its result is one sentence for the model. "
    "Example: interlock mcp-proxy --gate unix:gate.sock --name github -- npx -y some-mcp-server"
)
EXIT_USAGE: Final = 2
_NAME: Final = re.compile(r"[A-Za-z0-9-]+(_[A-Za-z0-9-]+)*\Z")
_LISTEN: Final = re.compile(r"(127\.\d+\.\d+\.\d+|localhost|\[::1\]):(\d{1,5})\Z")


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Declare the flags, and the command of the server behind them."""
    parser.add_argument("--gate", required=True, help="unix:PATH, or http://127.0.0.1:PORT")
    parser.add_argument("--token-file", help="a file with the token of the gate's principal")
    parser.add_argument(
        "--name", default="", help="the server's name: its tools are mcp__NAME__TOOL in events"
    )
    for what in ("agent", "user", "tenant"):
        parser.add_argument(f"--{what}", default="", help=f"the {what} of the session")
    parser.add_argument("--session", help="the id of a session that others share, and end")
    parser.add_argument("--parent", help="the session that starts this one")
    parser.add_argument(
        "--hold",
        type=float,
        default=300.0,
        help="seconds that a held call waits for an operator (300)",
    )
    parser.add_argument(
        "--ask", type=float, default=10.0, help="seconds that a call waits for a gate's answer (10)"
    )
    parser.add_argument("--listen", help="127.0.0.1:PORT, in place of standard input and output")
    parser.add_argument("--to", help="the URL of a server that is reached over HTTP")
    parser.add_argument(
        "server",
        nargs=argparse.REMAINDER,
        metavar="-- COMMAND",
        help="starts a server on its stdio",
    )


def run(arguments: argparse.Namespace) -> int:
    """Relay until a side ends or a signal asks to stop; the exit code.

    Raises
    ------
    SettingError
        A flag cannot be used.
    OSError
        The server cannot be started, or the port is taken.
    """
    command, listen = _checked(arguments)
    options = ClientOptions(ask_s_max=arguments.ask, hold_s_max=arguments.hold)
    names = {what: getattr(arguments, what) for what in ("agent", "user", "tenant")}
    token = Path(arguments.token_file) if arguments.token_file else None
    with Client(gate=arguments.gate, token=token, options=options, **names) as client:
        open_calls = partial(_open_calls, client, arguments)
        return asyncio.run(_run(arguments, command, listen, open_calls))


def main() -> int:
    """As a program of its own."""
    parser = argparse.ArgumentParser(prog="interlock.mcp_proxy", description=DESCRIPTION)
    add_flags(parser)
    try:
        return run(parser.parse_args())
    except SettingError as error:
        _say(str(error))
        return EXIT_USAGE
    except OSError as error:
        _say(f"`{error.filename}`: {error.strerror}" if error.filename else str(error))
        return 3


def _checked(arguments: argparse.Namespace) -> tuple[list[str], tuple[str, int]]:
    """The command of the server, or the address to listen on."""
    command = arguments.server[1:] if arguments.server[:1] == ["--"] else arguments.server
    if arguments.name and not _NAME.match(arguments.name):
        raise SettingError("`--name`: letters, digits and `-`, with single `_` between them")
    if bool(command) == bool(arguments.to) or bool(arguments.to) != bool(arguments.listen):
        raise SettingError("give `-- COMMAND` of a server, or both `--listen` and `--to`")
    if command:
        return command, ("", 0)
    match = _LISTEN.match(arguments.listen)
    if match is None or int(match[2]) >= 2**16:
        raise SettingError("`--listen`: expected a loopback address and a port: 127.0.0.1:PORT")
    to = urlsplit(arguments.to)
    if (
        to.scheme not in ("http", "https")
        or not to.hostname
        or to.query
        or to.fragment
        or to.username
    ):
        raise SettingError("`--to`: expected http:// or https://, a host and a path, and no more")
    return [], (match[1].strip("[]"), int(match[2]))


def _open_calls(client: Client, arguments: argparse.Namespace) -> AskedCalls:
    is_shared = arguments.session is not None
    session = client.session(arguments.session, parent=arguments.parent, is_resumable=is_shared)
    server = arguments.name or "mcp"
    # Others may have calls of the same ids in a session that is shared.
    return AskedCalls(session, f"{server}-{uuid.uuid4().hex[:8]}:" if is_shared else f"{server}:")


async def _run(
    arguments: argparse.Namespace,
    command: list[str],
    listen: tuple[str, int],
    open_calls: Callable[[], AskedCalls],
) -> int:
    stopped, tools = asyncio.Event(), Tools(arguments.name)
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):  # Windows ends the process.
            asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    if command:
        calls = open_calls()
        code = await run_server(command, calls, Relay(tools), _say, stopped)
        calls.close()
        return code
    try:
        # A library that servers on standard input and output do not need.
        from .http_server import serving
    except ImportError:
        raise SettingError("`--listen` needs aiohttp; install `interlock-client[mcp]`") from None
    async with serving(
        *listen, arguments.to, tools=tools, open_calls=open_calls, note=_say
    ) as address:
        _say(f"listens at {address}")
        await stopped.wait()
    return 0


def _say(text: str) -> None:
    """One line for people; standard output belongs to the client."""
    sys.stderr.write(f"interlock mcp-proxy: {text}\n")
    sys.stderr.flush()
