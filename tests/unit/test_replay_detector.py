"""A detector in a replay: the same alarms as live, compared where its model is there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from detectors.contract import Score
from invariants.model.event import Event
from monitor.detection.scoring import Scoring
from monitor.findings.model import Finding
from monitor.trace_key import TraceKey
from replay.compare.findings import compare
from replay.recording.reader import RecordedFile
from replay.report.scores import scores_of
from replay.timeline.timeline import LiveDetector, Timeline
from tests.support.recordings import event, header_of, program_of, record, told, write

LINES = [record(event("s", n, "tool.requested", n, tool="x", args={}), n) for n in range(6)]


class EveryThird:
    """Counts events, and calls the third strange."""

    digest = "model-1"

    def initial(self, *, is_whole: bool) -> int:
        return 0 if is_whole else -1_000

    def step(self, state: int, event: Event) -> tuple[int, Score | None]:
        state += 1
        return state, Score(float(state), 3.0, 0.01, state == 3)

    def encode(self, state: int) -> bytes:
        return b"%d" % state

    def decode(self, data: bytes) -> int:
        return int(data)


@pytest.fixture
def live() -> LiveDetector:
    return LiveDetector(EveryThird(), Scoring(EveryThird(), "critical"))


@pytest.fixture
def timelines() -> Iterator[list[Timeline]]:
    opened: list[Timeline] = []
    yield opened
    for timeline in opened:
        timeline.close()


def play(path: Path, detector: LiveDetector | None, opened: list[Timeline]) -> Timeline:
    with closing(RecordedFile(str(path))) as file:
        opened.append(Timeline(file, program_of(), detector=detector))
    return opened[-1]


def test_a_replay_gives_the_alarms_of_the_model(
    tmp_path: Path, live: LiveDetector, timelines: list[Timeline], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once a session, at the same event, also over snapshots between every two inputs."""
    monkeypatch.setattr("replay.timeline.timeline.SNAPSHOT_EVERY", 1)
    timeline = play(write(tmp_path / "r.jsonl", LINES), live, timelines)
    found = [one for one in timeline.findings() if one.finding.type == "anomaly"]
    assert [(one.input_number, one.finding.severity) for one in found] == [(2, "critical")]
    scores = scores_of(timeline, TraceKey("", "s"))
    assert [(one.position, one.score) for one in scores] == [(n, float(n + 1)) for n in range(6)]


def test_alarms_are_compared_where_the_model_is_there(
    tmp_path: Path, live: LiveDetector, timelines: list[Timeline]
) -> None:
    """With the model both must be equal; without it alarms are set aside, and that is said."""
    header = header_of(model_digest="model-1")
    path = write(tmp_path / "r.jsonl", LINES, header)
    alarm: Finding = next(iter(play(path, live, timelines).findings())).finding
    write(path, [*LINES, told(alarm)], header)
    with_model = compare(play(path, live, timelines), ())
    assert with_model.is_equal and with_model.compared_count == 1
    without = compare(play(path, None, timelines), ())
    assert without.is_equal and without.compared_count == 0
    assert [(n.what, n.findings_count) for n in without.not_compared] == [("detector", 1)]
    forged = msgspec.structs.replace(alarm, id="f-x")
    write(path, [*LINES, told(forged), told(alarm)], header)
    assert not compare(play(path, live, timelines), ()).is_equal
    write(path, LINES, header_of(model_digest="model-2"))
    other = compare(play(path, live, timelines), ())
    assert other.is_equal and [n.what for n in other.not_compared] == ["detector"]
