"""A recording of very many sessions, each with findings and large texts, as one bounded page.

`make report-bound` runs it with the 10,000 sessions of docs/report.md and prints its figures.
"""

from __future__ import annotations

import gzip
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from replay.report.build import LINES_MAX, PAGE_BYTES_MAX

COUNT: Final = "INTERLOCK_REPORT_SESSIONS"
SESSIONS: Final = int(os.environ.get(COUNT, "150"))
WHOLE: Final = 10_000
MEMORY_BYTES_MAX: Final = 512 * 1024 * 1024
"""Chosen: far below what holding 10,000 sessions with their texts would take."""
START_NS: Final = 1_767_225_600_000_000_000
INVARIANTS: Final = """\
version: 1
predicates:
  secret: kind == "tool.completed" && tool == "vault"
  posts: kind == "tool.requested" && tool == "post"
  fails: kind == "tool.failed"
invariants:
  - id: no-post-after-secret
    summary: Nothing is posted once a secret was read
    severity: critical
    on_unknown: violate
    never: posts and once secret
  - id: no-failure
    severity: warning
    never: fails
"""


def _events(number: int) -> Iterator[dict[str, Any]]:
    """Fifteen events; five findings in each session, and six in every tenth."""
    session = f"session-{number:05}"
    text = f"<b>{number}</b> & more " * 100
    calls = [("vault", "completed"), *[("post", "completed")] * 5]
    calls += [("read", "failed" if number % 10 == 0 else "completed")]
    seq = 0

    def event(kind: str, **more: Any) -> dict[str, Any]:
        nonlocal seq
        ts = START_NS + (number * 20 + seq) * 1_000_000
        made = {"session": session, "seq": seq, "ts": ts, "kind": kind, "agent": "many", **more}
        seq += 1
        return made

    yield event("session.started")
    for index, (tool, outcome) in enumerate(calls):
        call = {"tool": tool, "call": f"c{index}", "args": {"text": text}}
        yield event("tool.requested", **call)
        yield event(f"tool.{outcome}", **call, result=text)


def _used(command: list[str], folder: Path) -> tuple[resource.struct_rusage, int]:
    """The resources that the command took, and its status. Not those of all children, which are the
    largest that any test before it has started.
    """
    # The command reads its settings from such variables, and refuses one that it does not know.
    env = {name: text for name, text in os.environ.items() if name != COUNT}
    with (folder / "stderr").open("w") as stderr:
        process = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=stderr)
        _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return used, process.returncode


def test_a_page_of_many_sessions_is_bounded(
    tmp_path: Path, left_out: Callable[[str], None]
) -> None:
    """In bytes and in memory; every session is shown, named or counted."""
    if SESSIONS < WHOLE:
        left_out(f"a report of {WHOLE:,} sessions, {SESSIONS} here: `make report-bound`")
    recording, out = tmp_path / "many.jsonl.gz", tmp_path / "page.html"
    with gzip.open(recording, "wt", compresslevel=1) as file:
        for number in range(SESSIONS):
            file.writelines(json.dumps(event) + "\n" for event in _events(number))
    (tmp_path / "many.yaml").write_text(INVARIANTS)
    command = [sys.executable, "-m", "monitor.cli", "report", str(recording), "-o", str(out)]
    began_s = time.monotonic()
    used, status = _used([*command, "--invariants", str(tmp_path / "many.yaml")], tmp_path)
    assert status == 0, (tmp_path / "stderr").read_text()
    taken_s = time.monotonic() - began_s
    memory_bytes = used.ru_maxrss * 1024
    page = out.read_text()
    whole = page.count('<section class="session"')
    print(
        f"\n{SESSIONS:,} sessions, {SESSIONS * 15:,} events: {taken_s:.0f} s, "
        f"of the processor {used.ru_utime + used.ru_stime:.0f} s, "
        f"{memory_bytes / 2**20:.0f} MiB, page of {out.stat().st_size:,} bytes, {whole} whole"
    )
    assert out.stat().st_size <= PAGE_BYTES_MAX
    assert memory_bytes <= MEMORY_BYTES_MAX
    assert whole >= 20
    named, counted = page.partition('<section id="sessions"')[2].partition("</table>")[::2]
    assert named.count("<tr data-session") == min(SESSIONS, LINES_MAX)
    if SESSIONS > LINES_MAX:
        assert f"{SESSIONS - LINES_MAX:,} more sessions with findings" in counted
