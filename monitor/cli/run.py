"""`interlock run`: the monitor, on a live source or a finished file."""

from __future__ import annotations

import argparse
import gc
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import msgspec

from monitor.cli.arguments import HELP, Verbs, whole_number, with_output
from monitor.cli.collector import lasting
from monitor.cli.finished_file import FinishedFile
from monitor.cli.output import (
    EXIT_FINE,
    EXIT_UNJUDGED,
    EXIT_VIOLATIONS,
    coloured,
    complain,
    json_text,
    say,
    say_json,
    table,
)
from monitor.cli.signals import Stopper
from monitor.clock import SystemClock
from monitor.config.load import add_flags, load_settings, require
from monitor.config.secrets_named import secrets_of
from monitor.config.table import Settings
from monitor.findings.count_text import count_of
from monitor.findings.model import SEVERITIES, Finding, Severity
from monitor.ingest.rejected import Rejected
from monitor.ingest.rejected_log import RejectedLines, RejectedLog
from monitor.log import configure_log
from monitor.log import say as log
from monitor.presentation import line, unjudged_text
from monitor.service.batch import Batch
from monitor.store.records import Committed
from monitor.transport.address import parse_source_url
from monitor.transport.base import LineSource
from monitor.transport.file.reader import FileSource

if TYPE_CHECKING:
    from monitor.service.assemble import Service

PROGRESS_EVERY_S: Final = 1.0


def add(verbs: Verbs) -> None:
    """Declare the verb."""
    parser = verbs.add_parser(
        "run",
        help=HELP["run"],
        description="Reads events, evaluates invariants, stores and publishes findings, and stops "
        "sessions if an invariant in mode `enforce` requires it. For a finished file it prints the "
        "findings and exits with 1 if an invariant was violated, else with 4 if not everything "
        "could be judged.",
    )
    parser.add_argument("--config", help="a YAML file with settings (else INTERLOCK_CONFIG)")
    parser.add_argument(
        "--allow-rejected",
        type=whole_number(0),
        default=0,
        metavar="N",
        help="for a finished file: up to N records that cannot be read do not change the exit code "
        "(0)",
    )
    parser.add_argument(
        "--sort",
        action="store_true",
        help="for a finished file: judge each session in the order of `seq`, else of `ts`",
    )
    with_output(parser)
    add_flags(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run until the source ends or a signal asks to stop."""
    # Before anything is opened: a stop during the opening is clean too.
    stopper = Stopper()
    settings = load_settings(arguments.config, flags=vars(arguments))
    require(settings, "source", "invariants")
    assert settings.source is not None, "`require` checked it"
    is_file = parse_source_url(settings.source).is_finished
    log_level = "warning" if is_file and settings.log_level == "info" else settings.log_level
    configure_log(log_level, settings.log_format, secrets_of(settings))
    # A finished file is read anew each time, unless a state directory is set.
    is_passing = is_file and settings.state_dir == Settings().state_dir
    with ExitStack() as stack:
        if is_passing:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="interlock-"))
            settings = replace(settings, state_dir=folder, store_synchronous="normal")
        if is_file:
            settings = replace(settings, http_enabled=False)
        return _watch(settings, arguments, stack, stopper, is_passing=is_passing)


def _watch(
    settings: Settings,
    arguments: argparse.Namespace,
    stack: ExitStack,
    stopper: Stopper,
    *,
    is_passing: bool,
) -> int:
    printer = _Printer(arguments.output, arguments.allow_rejected)
    stack.callback(gc.unfreeze)
    with lasting():
        # The whole monitor, with its store, metrics and clients: other verbs do not import it.
        from monitor.service.assemble import open_service

        service = open_service(
            settings,
            SystemClock(),
            stack,
            printer.take,
            is_sorted=arguments.sort,
            is_passing=is_passing,
        )
    printer.attach(service)
    for warning in (*map(str, service.program.warnings), *service.surroundings.warnings):
        log("warning", "at_start", text=warning)
    log(
        "info",
        "watching",
        source=settings.source,
        invariants=len(service.program.invariants),
        program=service.program_digest,
        http_port=service.http_port,
    )
    service.loop.start()
    service.loop.run(stopper.is_asked)
    if service.surroundings.is_finished_file:
        return printer.summary()
    log("info", "stopped", events=service.teller.events_count)
    return EXIT_FINE


class _Printer:
    """Prints findings as they are stored, progress on a terminal, and a summary at the end."""

    def __init__(self, output: str, rejected_max: int = 0) -> None:
        self._output = output
        self._rejected_max = rejected_max
        self._rejected = RejectedLines()
        self._rejected_log = RejectedLog(log, time.monotonic_ns)
        self._service: Service | None = None
        self._file: FinishedFile | None = None
        self._counts: Counter[str] = Counter()
        self._held: dict[str, None] = {}
        """Ids of runs of violations that may continue; a file can have millions of them."""
        self._by_invariant: dict[tuple[Severity, str, str], Counter[str]] = {}
        self._shows_progress = sys.stderr.isatty()
        self._next_progress_s = time.monotonic() + PROGRESS_EVERY_S

    def attach(self, service: Service) -> None:
        """Set the service whose batches are printed."""
        self._service = service
        self._file = FinishedFile(service)

    def take(self, batch: Batch, committed: Committed) -> None:
        """Print the new findings of a batch."""
        for rejected, _ in batch.dead_letters:
            self._reject(rejected)
        if self._file is not None:
            self._file.look()
        for finding in committed.findings:
            if (before := committed.before.get(finding.id)) is not None:
                self._count(before, -1)
            self._count(finding, 1)
            if self._is_held(finding):
                self._held[finding.id] = None
            else:
                self._held.pop(finding.id, None)
                self._print(finding)
        if self._shows_progress and time.monotonic() >= self._next_progress_s:
            self._next_progress_s = time.monotonic() + PROGRESS_EVERY_S
            self._progress()

    def _count(self, finding: Finding, count: int) -> None:
        self._counts[finding.type] += count
        row = (finding.severity, finding.invariant or "(engine)", finding.type)
        self._by_invariant.setdefault(row, Counter())[finding.session] += count

    def _is_held(self, finding: Finding) -> bool:
        """True for a run of violations that may continue: it is printed once, when it is over."""
        assert self._service is not None, "attached before the first batch"
        is_over = finding.run is None or finding.run.over is not None
        return self._service.surroundings.is_finished_file and not is_over

    def summary(self) -> int:
        """The exit code of a finished file: 1 if an invariant was violated, 4 if not all was
        judged.

        Each finding of `UNJUDGED_TYPES` and each open verdict means that something was not judged.
        """
        assert self._service is not None and self._file is not None, "attached before all batches"
        for finding in map(self._service.store.finding, self._held):
            if finding is not None:
                self._print(finding)
        events_count, end = self._service.teller.events_count, self._file.end()
        unjudged = unjudged_text(self._counts.elements())
        for text in (*self._rejected.texts(), *end.notices, *filter(None, [unjudged])):
            complain(f"note: {text}")
        if self._output == "text":
            for invariant in self._service.teller.dormant():
                complain(
                    f"note: no event of this file could violate `{invariant}`, by its kind and tool"
                )
            if end.open.count:
                say(end.open_text)
            for text in self._table():
                say(text)
            say(
                f"{count_of(events_count, 'event')}, {count_of(self._counts.total(), 'finding')}, "
                f"{self._counts['violated']} of them violations, "
                + count_of(
                    self._rejected.count,
                    "record that is not an event",
                    "records that are not events",
                )
            )
        elif end.open.count or end.notices or self._rejected.count:
            content = {**msgspec.to_builtins(end), "rejected_count": self._rejected.count}
            say_json({"type": "end_of_file", **content})
        if self._counts["violated"]:
            return EXIT_VIOLATIONS
        is_read = self._rejected.count <= self._rejected_max
        return EXIT_FINE if end.is_whole and is_read and not unjudged else EXIT_UNJUDGED

    def _table(self) -> list[str]:
        """The findings, one invariant per line, the most severe first; empty without findings."""
        if not self._by_invariant:
            return []
        found = sorted(
            self._by_invariant.items(), key=lambda item: (-SEVERITIES.index(item[0][0]), item[0])
        )
        rows = [("severity", "invariant", "verdict", "findings", "sessions")]
        for (severity, name, kind), counts in found:
            sessions = +counts  # A group whose severity rose has left its former row.
            if not sessions:
                continue
            row = (severity, name, kind, str(sessions.total()), str(len(sessions)))
            rows.append(row)
        return table(rows)

    def _reject(self, rejected: Rejected) -> None:
        assert self._service is not None, "attached before the first batch"
        source = self._service.surroundings.source
        if isinstance(source, LineSource):
            self._rejected.take(rejected, source.line_of)
        else:
            self._rejected_log.take(rejected)

    def _print(self, finding: Finding) -> None:
        if self._output == "json":
            say(json_text(msgspec.json.encode(finding)))
        else:
            say(coloured(line(finding), finding.severity))

    def _progress(self) -> None:
        assert self._service is not None, "attached before the first batch"
        source = self._service.surroundings.source
        text = f"{self._service.teller.events_count} events"
        if isinstance(source, FileSource):
            progress = source.progress()
            if progress.total_bytes:
                text += f", {100 * progress.read_bytes // progress.total_bytes} %"
        sys.stderr.write(f"\r\x1b[2K{text}\r")
        sys.stderr.flush()
