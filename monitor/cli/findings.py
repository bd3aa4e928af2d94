"""`interlock findings`: findings from the monitor's store, even while the monitor runs."""

from __future__ import annotations

import argparse
import sys
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import msgspec

from interlock.limits import NUMBER_MAX
from invariants.model.errors import InterlockError
from monitor.cli.arguments import (
    HELP,
    Verbs,
    duration_ns,
    whole_number,
    with_output,
    with_state_dir,
)
from monitor.cli.output import EXIT_FINE, coloured, complain, say, say_json
from monitor.clock import SystemClock
from monitor.findings.model import SEVERITIES
from monitor.presentation import line, page
from monitor.store.records import FindingFilter, StoredFinding
from monitor.store.store import STORE_FILE, Store

EXPORTS: Final = ("sarif", "ocsf", "junit", "cef", "chrome-trace", "markdown", "loki")


def add(verbs: Verbs) -> None:
    """Declare the verb and its parts."""
    parser = verbs.add_parser(
        "findings",
        help=HELP["findings"],
        description="Reads the store of a monitor, which may be running. "
        "Example: interlock findings list --severity critical",
    )
    parts = parser.add_subparsers(title="parts", required=True, metavar="list|show|export")
    lister = parts.add_parser("list", help="findings, the newest first")
    _with_filter(lister)
    lister.add_argument("--limit", type=whole_number(1), default=50, help="at most this many (50)")
    lister.add_argument(
        "--page", type=whole_number(1), default=1, help="the page, each of --limit findings (1)"
    )
    shower = parts.add_parser("show", help="show one finding in full")
    shower.add_argument("id", help="its id, the beginning of its id, or its incident (i-...)")
    for part, run in ((lister, run_list), (shower, run_show)):
        with_state_dir(part)
        with_output(part)
        part.set_defaults(run=run)
    exporter = parts.add_parser("export", help="write findings in a format of other programs")
    _with_filter(exporter)
    exporter.add_argument("--format", required=True, choices=EXPORTS, help="the format")
    with_state_dir(exporter)
    exporter.set_defaults(run=run_export)


def _with_filter(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--session", default="", help="only of this session")
    parser.add_argument("--invariant", default="", help="only of this invariant")
    parser.add_argument("--severity", choices=SEVERITIES, help="only of this severity")
    parser.add_argument(
        "--incident",
        default="",
        help="the finding of this incident (i-...), the id shown to agents",
    )
    parser.add_argument(
        "--since", default="", help="stored in the last such period, such as 30m or 12h"
    )


def run_list(arguments: argparse.Namespace) -> int:
    """Print findings that match."""
    with closing(open_store(arguments.state_dir)) as store:
        skipped = (arguments.page - 1) * arguments.limit
        wanted = _wanted(store, arguments, arguments.limit, skipped)
        found = store.findings(wanted)
        matching_count = store.count_findings(wanted)
    if arguments.output == "json":
        say_json([as_json(stored) for stored in found])
    else:
        for stored in found:
            say(coloured(line(stored.finding), stored.finding.severity))
        of_all = f" of {matching_count}" if matching_count > len(found) else ""
        say(f"{len(found)}{of_all} finding(s)")
    if matching_count > wanted.skipped + len(found):
        complain(
            f"note: this is not all; `--page {arguments.page + 1}` shows the next page, "
            f"`--limit {matching_count}` all"
        )
    return EXIT_FINE


def run_export(arguments: argparse.Namespace) -> int:
    """Write all findings that match, the oldest first, to standard output."""
    from monitor.export.formats import FORMATS

    with closing(open_store(arguments.state_dir)) as store:
        wanted = _wanted(store, arguments, NUMBER_MAX)
        found = [stored.finding for stored in store.findings(wanted)]
    found.reverse()
    sys.stdout.buffer.write(FORMATS[arguments.format](found))
    sys.stdout.buffer.flush()
    return EXIT_FINE


def _wanted(
    store: Store, arguments: argparse.Namespace, limit: int, skipped: int = 0
) -> FindingFilter:
    incident = arguments.incident
    return FindingFilter(
        id_prefix=find(store, incident).finding.id if incident else "",
        session=arguments.session,
        invariant=arguments.invariant,
        severity=arguments.severity,
        since_ns=_since_ns(arguments.since),
        limit=limit,
        skipped=skipped,
    )


def _since_ns(text: str) -> int:
    """The time before now by this duration; 0 for an empty text."""
    return SystemClock().now_ns() - duration_ns("--since", text) if text else 0


def run_show(arguments: argparse.Namespace) -> int:
    """Print everything about one finding."""
    with closing(open_store(arguments.state_dir)) as store:
        stored = find(store, arguments.id)
        actions = store.actions_of(stored.finding.id)
    if arguments.output == "json":
        say_json({**as_json(stored), "actions": [msgspec.to_builtins(a.action) for a in actions]})
    else:
        for text in page(stored.finding, actions):
            say(text)
    return EXIT_FINE


def open_store(state_dir: str) -> Store:
    """The store of a state directory, opened for reading only."""
    path = Path(state_dir) / STORE_FILE
    if not path.exists():
        raise NotFoundError(
            f"`{state_dir}` does not contain a store; give the `--state-dir` of a monitor that has "
            "run"
        )
    return Store(path, clock=SystemClock(), is_read_only=True)


def find(store: Store, prefix: str) -> StoredFinding:
    """The only finding whose id has this prefix, or that has this incident (`i-...`).

    Raises NotFoundError if there is none, or more than one.
    """
    if prefix.startswith("i-"):
        id_ = store.finding_of_incident(prefix)
        if id_ is None:
            raise NotFoundError(f"no finding has the incident `{prefix[:60]}`")
        prefix = id_
    found = store.findings(FindingFilter(id_prefix=prefix, limit=2))
    if not found:
        raise NotFoundError(f"no finding has an id that begins with `{prefix[:60]}`")
    if len(found) > 1:
        raise NotFoundError(f"more than one finding begins with `{prefix[:60]}`; give more of it")
    return found[0]


def as_json(stored: StoredFinding) -> dict[str, Any]:
    """A finding for programs, with the time of storage and its publication status."""
    content: dict[str, Any] = msgspec.to_builtins(stored.finding)
    return {**content, "stored_ns": stored.stored_ns, "is_published": stored.is_published}


class NotFoundError(InterlockError):
    """The requested item does not exist."""
