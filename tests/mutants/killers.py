"""The tests that mutants are held against, in the order in which they kill soonest.

Run in the folder of a copy (by `forking.py`) with the file that was mutated. Ends with 0 where
every test passes, with 1 at the first that fails, with 2 where the copy could not even be loaded.
What fails first depends on the file, so the stages are ordered by it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from tests.mutants.mutant import KILLER

LAWS_CASES = "200"  # Chosen: of every law, about a second.

CASES = (
    "tests/conformance/test_cases.py",
    "tests/unit/test_bounds.py",
    "tests/unit/test_machine_steps.py",
    "tests/unit/test_fifo.py",
    "tests/unit/test_keyed.py",
    "tests/unit/test_state_bytes.py",
    "tests/unit/test_proof.py",
    "tests/laws/test_reference.py",
)
STATES = ("tests/laws/test_states.py",)
READING = (
    "tests/unit/test_predicate.py",
    "tests/unit/test_patterns.py",
    "tests/golden/test_diagnostics.py",
    "tests/unit/test_check.py",
    "tests/unit/test_load.py",
    "tests/unit/test_formula_format.py",
    "tests/unit/test_formula_parser.py",
)
CEL = (
    "tests/unit/test_cel_values.py",
    "tests/unit/test_cel_functions.py",
    "tests/unit/test_cel_check.py",
    "tests/unit/test_cel_addresses.py",
    "tests/unit/test_cel_fold.py",
    "tests/unit/test_cel_names.py",
    "tests/unit/test_cel_sql.py",
    "tests/unit/test_absent_fields.py",
    "tests/unit/test_budget.py",
    "tests/unit/test_texts.py",
)
SHELL = (
    "tests/unit/test_shell_commands.py",
    "tests/unit/test_shell_code.py",
    "tests/unit/test_possible.py",
    "tests/unit/test_cel_unknown_words.py",
)
SOURCES = (
    "tests/unit/test_tokens_of_text.py",
    "tests/unit/test_sources.py",
    "tests/unit/test_addresses_of_text.py",
    "tests/unit/test_engine_sources.py",
    "tests/laws/test_sources.py",
    "tests/laws/test_addresses.py",
    "tests/laws/test_repaired_addresses.py",
)
SOURCE_FILES = (
    "sources",
    "tokens_of_text",
    "showing",
    "state_sources",
    "text_keys",
    "addresses_of_text",
    "normal_urls",
    "normal_hosts",
    "bare_urls",
    "account_keys",
    "broken_words",
)
BIRTHS = (
    "tests/laws/test_birth.py",
    "tests/unit/test_births.py",
    "tests/unit/test_engine_births.py",
)
TIMES = (
    "tests/unit/test_unsure_time.py",
    "tests/unit/test_file_sort.py",
    "tests/laws/test_unsure_time.py",
)
DIGESTS = ("tests/unit/test_digest.py", "tests/laws/test_digests.py")
LAWS = (
    "tests/laws/test_machine_is_reference.py",
    "tests/laws/test_report.py",
    "tests/laws/test_witness.py",
    "tests/laws/test_absences.py",
    "tests/laws/test_exhaustive.py",
)
WHOLE = (
    "tests/unit/test_program.py",
    "tests/unit/test_engine.py",
    "tests/unit/test_wider.py",
    "tests/laws/test_sessions.py",
    "tests/laws/test_wider.py",
)
FILES = (
    "tests/unit/test_file_end.py",
    "tests/unit/test_file_sort.py",
    "tests/unit/test_finished_file.py",
    "tests/unit/test_evidence_file.py",
    "tests/unit/test_http_hostile.py",
    "tests/laws/test_finished_files.py",
)
OF_FILES = ("file_end", "file_sort", "finished_file", "evidence_file", "order", "loop", "service")
OF_FILES += ("timeline", "engine", "http_request", "http_server")
OF_WORDS = ("possible", "pattern_reader", "pattern_states", "unknown_text")
FIRST_READ = ("load", "check", "shape", "patterns", "predicate")


WRITTEN = (
    "tests/unit/test_unread.py",
    "tests/unit/test_merge.py",
    "tests/unit/test_logdir_flood.py",
    "tests/laws/test_logdir_order.py",
    "tests/unit/test_cel_values.py",
    "tests/unit/test_engine.py",
    "tests/unit/test_client_event_json.py",
    "tests/laws/test_reading.py",
    "tests/laws/test_reading_numbers.py",
)
"""What is written, read, and told of what cannot be read."""

WHOSE = (
    "tests/unit/test_owners.py",
    "tests/unit/test_trace_key.py",
    "tests/laws/test_principals.py",
)
"""Whose session an event belongs to."""

VOUCHERS = (
    "tests/unit/test_vouchers.py",
    "tests/unit/test_watermarks.py",
    "tests/unit/test_watch.py",
    "tests/unit/test_control_feed.py",
)
"""Whose word a guard needs."""

PAGE = ("tests/unit/test_report_parts.py", "tests/unit/test_report_page.py")
"""The incident report."""

ALL = (CASES, LAWS, STATES, READING, CEL, WHOLE, SOURCES, DIGESTS, WRITTEN, FILES, WHOSE, BIRTHS)
ALL += (VOUCHERS, TIMES, PAGE, SHELL)


def stages(file: str) -> tuple[tuple[str, ...], ...]:
    """Groups of test files, the likeliest to notice a change of `file` first."""
    first = likeliest(file)
    return (*first, *(group for group in ALL if group not in first))


def likeliest(file: str) -> tuple[tuple[str, ...], ...]:
    """The groups that are about this file."""
    stem = Path(file).stem
    if file.startswith("replay/report/"):
        return (PAGE,)
    if stem in ("watermarks", "watch", "control_record"):
        return VOUCHERS, WHOSE
    if stem in ("owners", "order", "trace_key"):
        return TIMES, WHOSE, WRITTEN
    if file.startswith(("interlock/", "monitor/decode/")) or stem in (
        "missing",
        "unread",
        "merge",
        "logdir",
        "log_waits",
        "finding_make",
    ):
        return (WRITTEN,)
    if stem == "unsure_time":
        return (TIMES,)
    if stem in ("birth", "births"):
        return (BIRTHS,)
    if stem in SOURCE_FILES:
        return (SOURCES,)
    if stem in OF_FILES:
        return WHOLE, FILES
    if stem in ("digest", "references"):
        return DIGESTS, SOURCES
    if file.startswith("invariants/cel/shell/") or stem in OF_WORDS:
        return SHELL, CEL
    if file.startswith("invariants/cel/"):
        return CEL, READING
    if stem.startswith(FIRST_READ):
        return (READING,)
    match stem:
        case "event" | "same_meaning":
            return (CEL,)
        case "binding":
            return CASES, READING
        case "fact":
            return CASES, READING
        case "program":
            return WHOLE, SOURCES
        case "report":
            return (LAWS[1:2],)
        case "state" | "codec" | "aggregate_cell" | "slices":
            return STATES, CASES
        case _:
            return ()


class Chosen:
    """A plugin of pytest: runs `test` alone if it is named, and writes down which test failed."""

    def __init__(self, test: str) -> None:
        self.test = test

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        if self.test:
            items[:] = [item for item in items if item.nodeid == self.test]

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.failed:
            Path(KILLER).write_text(report.nodeid, "utf-8")


def main(file: str, first: str) -> int:
    """Run `first` and the stages until a test fails; without a `file` the test `first` alone."""
    import pytest

    import invariants

    os.environ["INTERLOCK_LAWS_CASES"] = LAWS_CASES
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # Some have been loaded before the fork.
    here = Path.cwd()
    assert Path(str(invariants.__file__)).is_relative_to(here), "the copy is what is tested"
    quiet = ["-q", "-x", "--no-header", "--tb=line"]
    quiet += ["-p", "no:cacheprovider", "-p", "pytest_timeout"]
    test = "" if file else first
    begin = ((first.split("::", maxsplit=1)[0],),) if first else ()
    for stage in begin + (stages(file) if file else ()):
        code = pytest.main([*quiet, *stage], [Chosen(test)])
        if code:
            return int(code)
    return 0
