"""`interlock ingest`: traces of other programs, as events of our own."""

from __future__ import annotations

import argparse
import dataclasses
import gzip
import sys
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from invariants.model.errors import ConfigError
from monitor.cli.arguments import HELP, Verbs, with_output
from monitor.cli.output import (
    EXIT_FINE,
    EXIT_UNJUDGED,
    say,
    say_json,
)

if TYPE_CHECKING:
    from monitor.traces.model import Format
    from monitor.traces.native import Assembled

STDIN: Final = "-"
_GZIP: Final = b"\x1f\x8b"


def add(verbs: Verbs) -> None:
    """Declare the verb."""
    parser = verbs.add_parser(
        "ingest",
        help=HELP["ingest"],
        description="Reads a trace that another program has recorded, and writes its events as one "
        "JSON object a line, for `interlock run --source` and `interlock replay`. The format is "
        "recognised by the names of fields. Exits with 0 if all of the trace was understood, and "
        "with 4 if a part of it was not. "
        "Example: interlock ingest session.jsonl --to events.jsonl",
    )
    parser.add_argument("trace", metavar="FILE", help="a file, also compressed by gzip; - is stdin")
    parser.add_argument(
        "--to", metavar="FILE", default=STDIN, help="a file that does not exist yet (-: stdout)"
    )
    parser.add_argument("--format", metavar="NAME", default="", help="instead of recognising it")
    parser.add_argument(
        "--session",
        metavar="ID",
        default="",
        help="of events for which the trace names none; by default of the file's content",
    )
    with_output(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Read, convert, write; say what was not read and what the trace does not tell."""
    from monitor.traces.native import whole_session

    if arguments.to != STDIN and Path(arguments.to).exists():
        raise ConfigError(f"{arguments.to} exists; name a new file")
    content = content_of(arguments.trace)
    found = _format(arguments.format, content)
    if isinstance(found, str):
        raise ConfigError(f"{arguments.trace}: {found}")
    made = _assembled(found, content, arguments.session or whole_session(content))
    try:
        _write(arguments.to, made.lines)
    except OSError as error:
        raise ConfigError(f"{arguments.to}: {error.strerror}") from None
    _tell(arguments, found, made)
    return EXIT_UNJUDGED if made.unread_count or not made.lines else EXIT_FINE


def content_of(name: str) -> bytes:
    """The bytes of a file or of `-`, unpacked. Raises ConfigError."""
    from monitor.traces.documents import FILE_BYTES_MAX

    try:
        return _content(name, FILE_BYTES_MAX)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError(f"{name}: {reason}") from None


def _content(name: str, bytes_max: int) -> bytes:
    """The bytes of the trace, unpacked. Raises OSError, ValueError."""
    with sys.stdin.buffer if name == STDIN else Path(name).open("rb") as file:
        content = file.read(bytes_max + 1)
    if content.startswith(_GZIP):
        unpack = zlib.decompressobj(16 + zlib.MAX_WBITS)
        content = unpack.decompress(content, bytes_max + 1)
        if not unpack.eof and len(content) <= bytes_max:
            raise ValueError("the compressed data ends too early")
    if len(content) > bytes_max:
        raise ValueError(f"it has more than {bytes_max} bytes; split it by session")
    return content


def _format(name: str, content: bytes) -> Format | str:
    """The format of the trace, or why there is none."""
    from monitor.traces.documents import documents
    from monitor.traces.formats import FORMATS, recognised
    from monitor.transport.file.foreign import recognise

    known = ", ".join(format_.name for format_ in FORMATS)
    if name:
        named = next((one for one in FORMATS if one.name == name), None)
        return named or f"`--format`: known are {known}"
    found = recognised(documents(content))
    if found is not None:
        return found
    looks = recognise(content[:65_536].split(b"\n"))
    like = f"this looks like {looks}, which is not read yet" if looks else "its format is not known"
    return f"{like}; known are {known}"


def _assembled(format_: Format, content: bytes, whole: str) -> Assembled:
    from monitor.traces.documents import documents
    from monitor.traces.formats import items
    from monitor.traces.native import assemble

    return assemble(items(format_, documents(content)), whole)


def _write(name: str, lines: list[bytes]) -> None:
    text = b"".join(line + b"\n" for line in lines)
    if name == STDIN:
        sys.stdout.buffer.write(text)
        sys.stdout.buffer.flush()
        return
    with Path(name).open("xb") as file:
        file.write(gzip.compress(text, mtime=0) if name.endswith(".gz") else text)


def _tell(arguments: argparse.Namespace, format_: Format, made: Assembled) -> None:
    """On standard output, unless the events are there."""
    told = _report(format_, made)
    if arguments.output == "json" and arguments.to != STDIN:
        say_json(told)
        return
    lines = [
        f"{arguments.trace}: {format_.title} ({format_.version})",
        f"{len(made.lines)} events of {len(made.sessions)} sessions",
        *[f"passed over: {count} of: {what}" for what, count in sorted(made.passed.items())],
    ]
    if made.doubles_count:
        lines.append(f"twice in the trace, and written once: {made.doubles_count}")
    if made.cut_count:
        lines.append(f"cut to the size of an event: {made.cut_count}; their attributes say so")
    lines += [f"absent from the trace: {what}: {n}" for what, n in told["lacks"].items() if n]
    lines += [f"NOT READ: {place}: {reason}" for place, reason in made.unread]
    if made.unread_count > len(made.unread):
        lines.append(f"NOT READ: {made.unread_count - len(made.unread)} more")
    if not made.lines:
        lines.append("NOTHING in this trace is an event")
    for line in lines:
        if arguments.to == STDIN:
            print(line, file=sys.stderr)
        else:
            say(line)


def _report(format_: Format, made: Assembled) -> dict[str, Any]:
    return {
        "format": format_.name,
        "version": format_.version,
        "events": len(made.lines),
        "sessions": len(made.sessions),
        "passed": dict(sorted(made.passed.items())),
        "doubles": made.doubles_count,
        "cut": made.cut_count,
        "lacks": dataclasses.asdict(made.lacks),
        "unread_count": made.unread_count,
        "unread": [{"place": place, "reason": reason} for place, reason in made.unread],
    }
