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

GATED = ("tests/unit/test_gate_closed.py", "tests/unit/test_gate_answer.py")
"""Calls that a gate did not allow."""

GATE = (
    "tests/unit/test_gate.py",
    "tests/unit/test_gate_note.py",
    "tests/laws/test_gate.py",
    "tests/laws/test_gate_restarts.py",
    "tests/laws/test_gate_log.py",
)
"""The gate, and what others find in its log."""

MCP = (
    "tests/unit/test_mcp_message.py",
    "tests/unit/test_mcp_relay.py",
    "tests/unit/test_mcp_http.py",
    "tests/unit/test_mcp_stdio.py",
    "tests/laws/test_mcp_relay.py",
)
"""Calls of MCP that a gate did not judge."""

INFER = ("tests/unit/test_infer.py", "tests/unit/test_infer_command.py")
"""Proposals of what tools are."""

PAGE = ("tests/unit/test_report_parts.py", "tests/unit/test_report_page.py")
"""The incident report."""

ALL = (CASES, LAWS, STATES, READING, CEL, WHOLE, SOURCES, DIGESTS, WRITTEN, FILES, WHOSE, BIRTHS)
ALL += (VOUCHERS, TIMES, PAGE, GATED, GATE, MCP, SHELL, INFER)


LIKELIEST: tuple[tuple[tuple[str, ...], tuple[tuple[str, ...], ...]], ...] = (
    (("replay/report/",), (PAGE,)),
    (("interlock/gate/",), (GATED,)),
    (("monitor/infer/",), (INFER,)),
    (("interlock/mcp_proxy/",), (MCP,)),
    (("monitor/gate/", "monitor/kernel/prevented"), (GATE,)),
    (
        ("interlock/watermarks", "interlock/control_record", "monitor/ingest/watermark"),
        (VOUCHERS, WHOSE),
    ),
    (
        (
            "monitor/kernel/owners",
            "monitor/ingest/sequence",
            "monitor/ingest/effective_time",
            "monitor/trace_key",
        ),
        (TIMES, WHOSE, WRITTEN),
    ),
    (("monitor/ingest/file_sort", "monitor/kernel/file_end"), (WHOLE, FILES)),
    (
        ("interlock/", "monitor/ingest/", "monitor/transport/logdir/", "monitor/kernel/unread"),
        (WRITTEN,),
    ),
    (("invariants/model/missing", "monitor/kernel/build_finding"), (WRITTEN,)),
    (("invariants/runtime/unsure_time",), (TIMES,)),
    (("invariants/runtime/birth", "monitor/kernel/births"), (BIRTHS,)),
    (
        (
            "invariants/taint/event_view",
            "invariants/model/event",
            "invariants/analysis/equivalence",
        ),
        (CEL,),
    ),
    (
        ("invariants/taint/", "invariants/runtime/data_source", "invariants/codec/taint"),
        (SOURCES,),
    ),
    (
        ("monitor/kernel/kernel", "monitor/service/", "monitor/cli/finished_file"),
        (WHOLE, FILES),
    ),
    (("monitor/evidence_file", "monitor/telemetry/", "replay/timeline/timeline"), (WHOLE, FILES)),
    (("invariants/compile/digest", "invariants/cel/references"), (DIGESTS, SOURCES)),
    (
        ("invariants/shell/", "invariants/values/possible", "invariants/values/pattern"),
        (SHELL, CEL),
    ),
    (("invariants/values/unknown_text",), (SHELL, CEL)),
    (("invariants/cel/", "invariants/sql/", "invariants/values/"), (CEL, READING)),
    (("invariants/check/normal_form", "invariants/model/fact"), (CASES, READING)),
    (("invariants/spec/", "invariants/check/", "invariants/runtime/predicate"), (READING,)),
    (("invariants/runtime/program", "invariants/runtime/scope_program"), (WHOLE, SOURCES)),
    (("invariants/runtime/report_mode",), (LAWS[1:2],)),
    (
        ("invariants/codec/", "invariants/operators/codec", "invariants/operators/aggregate_cell"),
        (STATES, CASES),
    ),
)
"""The groups that are about a file, by how its path begins; the first that fits."""


def stages(file: str) -> tuple[tuple[str, ...], ...]:
    """Groups of test files, the likeliest to notice a change of `file` first."""
    first = likeliest(file)
    return (*first, *(group for group in ALL if group not in first))


def likeliest(file: str) -> tuple[tuple[str, ...], ...]:
    """The groups that are about this file."""
    return next((groups for begins, groups in LIKELIEST if file.startswith(begins)), ())


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
