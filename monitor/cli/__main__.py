"""`interlock`: combines the verbs and turns each error into one line and an exit code.

0: success; 1: violations or failed tests; 2: usage error or an invalid file; 3: error at run time.
"""

from __future__ import annotations

import argparse
import gc
import os
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from monitor.cli.arguments import HELP, Parser
from monitor.cli.collector import lasting
from monitor.cli.output import EXIT_RUNTIME, EXIT_USAGE, complain

VERBS = tuple(HELP)


def build_parser(only: str | None = None) -> argparse.ArgumentParser:
    """The whole command line, for completion and for the docs.

    With `only`, that verb alone is declared, and with `""` the name of each: the modules of verbs
    take long to import.
    """
    parser = Parser(
        prog="interlock",
        description="Checks the actions of AI agents against invariants, and stops sessions that "
        "violate them.",
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")
    verbs = parser.add_subparsers(title="verbs", required=True, metavar="VERB")
    for verb in VERBS:
        if only == "":
            verbs.add_parser(verb, help=HELP[verb], add_help=False)
        elif only in (None, verb):
            import_module(f"monitor.cli.{verb.replace('-', '_')}").add(verbs)
    completion = verbs.add_parser("completion", help="print a shell completion script")
    completion.add_argument(
        "shell", choices=("bash", "zsh", "tcsh"), help="the shell to complete in"
    )
    completion.set_defaults(run=_completion)
    return parser


class _Version(argparse.Action):
    """Reads the version only if it is asked for: the metadata take long to import."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        print(f"interlock {_version()}")
        parser.exit()


def _only(arguments: Sequence[str]) -> str | None:
    """The verb whose arguments must be declared to read these: `""` for none, None for any."""
    first = arguments[0] if arguments else "--help"
    if first in VERBS:
        return first
    return "" if first in ("-h", "--help", "--version") or not first.startswith("-") else None


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb. An error that a user can fix is printed in one line, without a traceback."""
    given = sys.argv[1:] if arguments is None else arguments
    only = _only(given)
    if only == "":
        build_parser(only).parse_args(given)  # It exits, before anything else is imported.
    return _run(given, only)


def _run(given: Sequence[str], only: str | None) -> int:
    from invariants.model.errors import InterlockError
    from monitor.log import configure_log

    try:
        with lasting():
            parser = build_parser(only)
        parsed = parser.parse_args(given)
        # For verbs without their own log: a warning of a library is one line there too.
        configure_log("warning", "auto")
        code: int = parsed.run(parsed)
    except InterlockError as error:
        complain(str(error))
        return EXIT_USAGE
    except BrokenPipeError:
        raise  # An OSError, but not a fault: `entry_point` exits quietly.
    except OSError as error:
        complain(f"interlock: {_os_text(error)}")
        return EXIT_RUNTIME
    except KeyboardInterrupt:
        return 130
    finally:
        gc.unfreeze()
    return code


def _os_text(error: OSError) -> str:
    """The operation that the system refused, and the file, as text."""
    if error.filename is None or error.strerror is None:
        return str(error)
    as_another = isinstance(error, PermissionError)
    mend = "; use an account with access, or change the file's permissions" if as_another else ""
    return f"`{os.fsdecode(error.filename)}` cannot be used: {error.strerror}{mend}"


def entry_point() -> None:
    """The command line as a process; `interlock_command` calls it."""
    if sys.argv[1:2] == ["run"]:
        # Until the verb installs its own handlers: a stop before anything runs is clean.
        signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        code = main()
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader closed the pipe (`interlock findings list | head`): this is not an error.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    sys.exit(code)


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("interlock")
    except PackageNotFoundError:
        return "unknown"


def _completion(arguments: argparse.Namespace) -> int:
    try:
        shtab = import_module("shtab")
    except ImportError:
        complain("shell completion needs one more package: pip install 'interlock[completion]'")
        return EXIT_RUNTIME
    print(shtab.complete(build_parser(), shell=arguments.shell))
    return 0


if __name__ == "__main__":
    entry_point()
