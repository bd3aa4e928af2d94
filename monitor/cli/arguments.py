"""Shared by all verbs of the command line: their declaration, and refusals of a command.

`interlock --help` imports this and little else: functions import what they alone need.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NoReturn

from monitor.cli.output import EXIT_USAGE, complain

if TYPE_CHECKING:
    from pathlib import Path

HELP: Final[Mapping[str, str]] = {
    "init": "set up a project: a gate's settings, first invariants, the lines for its framework",
    "ingest": "turn a trace of another program into events",
    "infer": "propose what each tool of an agent is, for the lists of the packs",
    "run": "check a source against invariants",
    "check": "find every fault in invariant files",
    "test": "run the examples in invariant files",
    "fmt": "format invariant files",
    "explain": "explain a finding or an invariant",
    "graph": "draw an invariant",
    "rules": "print alerts for Prometheus, one for each invariant",
    "findings": "list, show and export findings",
    "control": "list, wait, quarantine, release, kill or retire",
    "schema": "print a JSON Schema",
    "packs": "list the invariants that ship with Interlock, or print a pack",
    "gate": "judge calls of agents before they run",
    "approvals": "list, show, grant or deny calls that wait at a gate",
    "exceptions": "list, make or revoke signed exceptions of a gate",
    "mcp-proxy": "ask a gate before each call of a tool of an MCP server",
    "enforce": "preview what a gate would have refused in recordings",
    "kafka": "create the topics",
    "doctor": "find what is wrong with an installation, and the command that mends it",
    "bench": "measure the engine, or the time from a violation to a refused call",
    "train": "learn usual behaviour from recorded sessions",
    "record": "record a topic or a log directory for a replay",
    "replay": "replay a recording, or show the state at any event",
    "report": "write an incident as one self-contained HTML page",
}
"""Every verb, in the order of the help, with the line about it: the help reads no verb's module."""

_TOPIC_PART: Final = re.compile(r"[A-Za-z0-9._-]{1,200}\Z")
DIGITS_MAX: Final = 19
"""SQLite can store any number with fewer digits."""

Verbs = Any
"""The object that `ArgumentParser.add_subparsers` returns; its type is private to argparse."""


class Parser(argparse.ArgumentParser):
    """An `ArgumentParser` that refuses a repeated flag, and reports a fault in one line.

    argparse uses the last of two flags: `--invariants a --invariants b` would test only against
    `b`. A flag that may be repeated is declared with `action="append"`.
    """

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._given: set[str] = set()
        self.register("action", None, _StoreOnce)
        self.register("action", "store", _StoreOnce)
        self.register("action", argparse.BooleanOptionalAction, _BooleanOnce)

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """Like argparse. Raises ConfigError for a repeated flag."""
        self._given = set()
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        """Print the fault and refer to --help: the usage of some verbs fills a screen."""
        complain(f"{self.prog}: {message}; see `{self.prog} --help`")
        raise SystemExit(EXIT_USAGE)

    def note_flag(self, action: argparse.Action, flag: str | None) -> None:
        """Record that a flag was given; positional arguments have none."""
        if flag is None:
            return
        if action.dest in self._given:
            from invariants.model.errors import ConfigError

            names = "` or `".join(name for name in action.option_strings if name.startswith("--"))
            mend = ", with commas between several values" if action.metavar == "PATHS" else ""
            raise ConfigError(
                f"`{names}` is given twice, and only one would count; give it once{mend}"
            )
        self._given.add(action.dest)


class _StoreOnce(argparse.Action):
    """argparse's `store`, for flags that may occur once."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        assert isinstance(parser, Parser), "subparsers have the class of their parser"
        parser.note_flag(self, option_string)
        setattr(namespace, self.dest, values)


class _BooleanOnce(argparse.BooleanOptionalAction):
    """`--x` and `--no-x` are one flag: together they contradict each other."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        assert isinstance(parser, Parser), "subparsers have the class of their parser"
        parser.note_flag(self, option_string)
        super().__call__(parser, namespace, values, option_string)


def whole_number(least: int) -> Callable[[str], int]:
    """An argument type: a whole number of at least `least`."""

    def read(text: str) -> int:
        is_number = text.isascii() and text.isdigit() and len(text) < DIGITS_MAX
        if not is_number or int(text) < least:
            raise argparse.ArgumentTypeError(
                f"`{text[:40]}` is not a whole number of at least {least}"
            )
        return int(text)

    return read


def names(text: str) -> tuple[str, ...]:
    """An argument type: names of principals that can be a part of a topic's, with commas."""
    found = tuple(part for part in text.split(",") if part)
    for name in found:
        if not _TOPIC_PART.match(name):
            raise argparse.ArgumentTypeError(
                f"`{name[:40]}` cannot be a part of a topic's name; expected letters, digits, `.`, "
                "`_`, `-`"
            )
    return found


def with_output(parser: argparse.ArgumentParser) -> None:
    """Add `--output`: every verb that prints results can print them as JSON."""
    parser.add_argument(
        "--output",
        choices=("text", "json"),
        default="text",
        help="text for people (default) or JSON for programs",
    )


def with_invariants(parser: argparse.ArgumentParser) -> None:
    """Add the argument of verbs that read invariant files."""
    from pathlib import Path

    parser.add_argument(
        "invariants",
        nargs="+",
        type=Path,
        metavar="FILE",
        help="a file, a folder of *.yaml files, or pack:NAME",
    )


def paths(text: str) -> tuple[Path, ...]:
    """An argument type: paths separated by commas, like those of `interlock run`."""
    from pathlib import Path

    return tuple(Path(part) for part in text.split(",") if part)


def with_state_dir(parser: argparse.ArgumentParser) -> None:
    """Add the argument of verbs that read a monitor's store."""
    parser.add_argument(
        "--state-dir",
        default="interlock-state",
        help="the state directory of the monitor (interlock-state)",
    )


def duration_ns(flag: str, text: str) -> int:
    """The duration given as a flag, in nanoseconds. Raises ConfigError for any other text."""
    from invariants.model.errors import ConfigError
    from monitor.config.setting import UNITS_NS

    for unit in sorted(UNITS_NS, key=len, reverse=True):
        number = text.removesuffix(unit)
        if number != text and number.isascii() and number.isdigit() and int(number) > 0:
            return int(number) * UNITS_NS[unit]
    raise ConfigError(
        f"`{flag} {text[:40]}` is not a valid duration; write a number and a unit, such as 30m"
    )
