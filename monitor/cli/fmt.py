"""`interlock fmt`: invariant files in one canonical form with the same meaning."""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from invariants.model.errors import ConfigError, InterlockError, SpecError
from invariants.spec.format import rewrite
from monitor.authoring.atomic_write import replace_text
from monitor.authoring.packs import PREFIX
from monitor.authoring.paths import FILE_BYTES_MAX, decoded, read_text, spec_paths
from monitor.cli.arguments import HELP, Verbs
from monitor.cli.output import EXIT_FINE, EXIT_RUNTIME, EXIT_USAGE, EXIT_VIOLATIONS, complain, say

STDIN = "-"


@dataclass(frozen=True, slots=True)
class _Read:
    """A file as read; `path` is None for standard input."""

    name: str
    path: Path | None
    text: str


def add(verbs: Verbs) -> None:
    """Declare the verb."""
    parser = verbs.add_parser(
        "fmt",
        help=HELP["fmt"],
        description="Writes the formulas of invariant files in one canonical form, and normalises "
        "white space. Comments, the order of keys and the quotes of everything else stay. The new "
        "text is loaded first, and written only if its meaning is the same. With --check or "
        "--diff, exit code 1 if a file would change.",
    )
    parser.add_argument(
        "files", nargs="+", metavar="FILE", help="a file, a folder of *.yaml files, or - for stdin"
    )
    parser.add_argument(
        "--check", action="store_true", help="only list the files that would change"
    )
    parser.add_argument("--diff", action="store_true", help="only show the changes")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Format every file; an error in one does not affect the others."""
    is_dry = arguments.check or arguments.diff
    code = EXIT_FINE
    for name in arguments.files:
        try:
            for read in _reads(name, is_dry):
                code = max(code, _format(read, arguments, is_dry))
        except InterlockError as error:
            complain(str(error))
            code = max(code, EXIT_USAGE)
    return code


def _reads(name: str, is_dry: bool) -> Iterator[_Read]:
    if name == STDIN:
        data = sys.stdin.buffer.read(FILE_BYTES_MAX + 1)
        text, fault = decoded(data, STDIN)
        if fault is not None:
            raise SpecError([fault])
        yield _Read("stdin", None, text)
        return
    for path in spec_paths(Path(name)):
        if name.startswith(PREFIX) and not is_dry:
            raise ConfigError(
                f"`{name}` ships with Interlock and is not rewritten; `interlock packs show` "
                "prints it, so that you can change a copy"
            )
        text, fault = read_text(path)
        if fault is not None:
            raise SpecError([fault])
        yield _Read(str(path), path, text)


def _format(read: _Read, arguments: argparse.Namespace, is_dry: bool) -> int:
    result = rewrite(read.text, read.name)
    if not result.is_same:
        complain(f"{read.name}: not changed: its canonical form would have another meaning")
        return EXIT_RUNTIME
    is_changed = result.text != read.text
    if arguments.diff and is_changed:
        for line in _diff(read, result.text):
            say(line)
    elif arguments.check and is_changed:
        say(f"{read.name}: would change")
    elif read.path is None and not is_dry:
        sys.stdout.write(result.text)
    elif read.path is not None and is_changed:
        replace_text(read.path, result.text)
        say(f"{read.name}: changed")
    return EXIT_VIOLATIONS if is_dry and is_changed else EXIT_FINE


def _diff(read: _Read, after: str) -> Iterator[str]:
    before, now = read.text.split("\n"), after.split("\n")
    yield from difflib.unified_diff(before, now, read.name, read.name, lineterm="")
