"""A gate's log is judged as the gate judged it: by the stream, by replays, as a plain file.

Cases are drawn by seed (`tests/support/asked.py`): random invariants at a real gate, denied and
held calls, approvals, expiry. A failure shows the case.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from random import Random
from shutil import copyfile
from typing import Final

import msgspec

from monitor.config.table import Settings, make_settings
from monitor.findings.grouping import Groups
from monitor.findings.model import Finding
from monitor.service.program import KEY_FILE, open_program
from tests.laws.conftest import CASES, FIRST_SEED
from tests.laws.test_finished_files import Told, ran, replayed
from tests.laws.test_gate_and_stream import arrived, replay_of, stream_of
from tests.support.asked import Played, draw_case

CASES_HERE: Final = max(40, CASES // 10)


def settings_of(folder: Path, source: Path) -> Settings:
    """Of a monitor with the invariants and the key of a gate."""
    (folder / "monitor").mkdir()
    copyfile(folder / "state" / KEY_FILE, folder / "monitor" / KEY_FILE)
    return make_settings(
        {
            "source": str(source),
            "invariants": (str(folder / "invariants.yaml"),),
            "state_dir": str(folder / "monitor"),
            "http.enabled": False,
            "store.synchronous": "normal",
        }
    )


def grouped(found: list[Finding]) -> dict[str, Finding]:
    """The findings as they are told: doubts that belong together are one, and so is a run."""
    return {finding.id: finding for finding in Groups().take(found)}


def findings_in(told: Told) -> dict[str, Finding]:
    return {finding.id: finding for found in told[0].values() for finding in found}


def closed_runs(found: dict[str, Finding]) -> dict[str, Finding]:
    """Without runs in scopes that have no end: a file that ends reports them as they are then."""
    return {
        id_: finding
        for id_, finding in found.items()
        if finding.run is None or finding.scope_kind == "session"
    }


def test_a_gates_log_is_found_the_same_everywhere(tmp_path: Path) -> None:
    """`gate == stream == replay of the stream == run of the log as a file == replay of the file`,
    each finding in every field, with its id and its prevention; whatever delays, copies and ticks
    the stream has. A file has no ticks: there, each session ends behind all windows.
    """
    told: Counter[str] = Counter()
    for seed in range(FIRST_SEED, FIRST_SEED + CASES_HERE):
        case, random, folder = draw_case(seed), Random(seed), tmp_path / str(seed)
        played = Played(folder, case)
        played.begin()
        for act in case.acts:
            played.act(act)
        played.end()
        played.close()
        values = [msgspec.json.encode(record) for record in played.here.records()]
        log = folder / "log.jsonl"
        log.write_bytes(b"".join(value + b"\n" for value in values))
        settings = settings_of(folder, log)
        program = open_program(settings, folder / "monitor", keeps_image=False)
        lines = arrived(random, values)
        streamed = stream_of(program, settings, lines)
        what = case.shown()
        assert {finding.id: finding for finding in streamed} == played.here.found, what
        assert replay_of(program, settings, lines) == streamed, what
        is_sorted, now_ns = random.random() < 0.3, played.here.clock.time_ns
        read = ran(settings, is_sorted=is_sorted, now_ns=now_ns)
        assert closed_runs(findings_in(read)) == closed_runs(grouped(played.here.told)), what
        assert findings_in(replayed(settings, is_sorted=is_sorted, now_ns=now_ns)) == findings_in(
            read
        ), what
        told.update(f"{f.type} {f.prevention}" for f in streamed)
    print(dict(told))
    assert min(told["violated prevented"], told["violated detected"]) > CASES_HERE
