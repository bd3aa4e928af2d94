"""Recording a log directory: what goes into the file, and what does not."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from invariants.model.errors import ConfigError
from monitor.cli.record import parse_time
from monitor.config.kafka import KafkaSettings
from monitor.config.severity import SeveritySettings
from monitor.config.table import Settings
from monitor.transport.address import FileAddress, KafkaAddress, LogDirAddress
from monitor.transport.readonly.open import open_bystander
from replay.capture.header import make_header
from replay.capture.recorder import Recorder, RecordingChoice
from replay.recording.format import ControlLine, FindingLine, Line, RecordLine, TickLine, content_of
from replay.recording.reader import RecordedFile
from replay.recording.writer import RecordingWriter
from replay.timeline.program import find_program, name_key
from tests.support.recordings import WATCHED, close_all, event, timeline_of, told
from tests.support.rim import SECOND_NS, START_NS, HandClock, make_finding

KEY = "f00d" * 16


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    close_all()


class TickingClock(HandClock):
    """A clock that goes on whenever it is looked at."""

    def now_ns(self) -> int:
        self.move(0.001)
        return super().now_ns()


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


def put(log: Path, topic: str, *contents: Any, writer: str = "w", number: int = 1) -> None:
    folder = log / topic
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{writer}-{number}.jsonl").open("ab") as file:
        for content in contents:
            value = content if isinstance(content, bytes) else msgspec.json.encode(content)
            file.write(value + b"\n")


def recorded(
    log: Path, wanted: RecordingChoice | None = None, settings: Settings | None = None
) -> tuple[RecordedFile, list[Line]]:
    """Record the directory as it stands, and read the recording."""
    wanted, settings = (
        wanted or RecordingChoice(),
        settings or Settings(state_dir=str(log / "none")),
    )
    address, clock = LogDirAddress(str(log)), TickingClock(START_NS + 100 * SECOND_NS)
    place = open_bystander(address, {}, clock.now_ns)
    header = make_header(
        settings, address, place.topics, wanted, created_ns=clock.now_ns(), release="1"
    )
    path = log.parent / "r.jsonl.gz"
    writer = RecordingWriter(path, header, is_replacing=True)
    looks = iter(range(50))
    with closing(place.source):
        writer.end(Recorder(place, writer, header, wanted, clock).run(lambda: next(looks) > 40))
    file = RecordedFile(str(path))
    lines = list(file.lines())
    file.close()
    assert file.damage is None and file.end is not None
    assert file.end.reason == "the end of the input"
    return file, lines


def ids(lines: list[Line]) -> list[str]:
    values = [content_of(line) for line in lines if isinstance(line, RecordLine)]
    contents = [msgspec.json.decode(value or b"") for value in values]
    return [f"{content['session']}/{content['seq']}" for content in contents]


def test_writers_are_merged_in_the_order_of_the_live_monitor(log: Path) -> None:
    """Files of several writers and topics come in one order, by time; bytes stay as they were."""
    odd = b'{"ts":%d, "session":"a","seq" :1,"kind":"x"}' % (START_NS + 2 * SECOND_NS)
    put(log, "agent.events", event("a", 0, "x", 0), odd, writer="one")
    put(log, "agent.events", event("b", 0, "x", 1), writer="two")
    put(log, "interlock.approvals", event("a", 2, "approval.granted", 3, call="c"))
    file, lines = recorded(log)
    assert ids(lines) == ["a/0", "b/0", "a/1", "a/2"]
    assert odd in [content_of(line) for line in lines if isinstance(line, RecordLine)]
    assert isinstance(lines[-1], TickLine)
    assert file.end is not None and all(span.starts_log for span in file.end.streams)


def test_what_stands_beside_the_events_is_recorded_too(log: Path) -> None:
    """Live findings, control records without heartbeats, and records that are no event."""
    put(log, "agent.events", event("a", 0, "x"), b"no event")
    put(log, "interlock.findings", msgspec.to_builtins(make_finding("f-9")))
    put(log, "interlock.control", {"key": "heartbeat", "value": {"state": "active"}})
    put(log, "interlock.control", {"key": "session:a", "value": {"state": "killed"}})
    file, lines = recorded(log)
    assert [line for line in lines if isinstance(line, FindingLine)] == [told(make_finding("f-9"))]
    control = [line for line in lines if isinstance(line, ControlLine)]
    assert [(line.key, content_of(line)) for line in control] == [
        ("session:a", b'{"state":"killed"}')
    ]
    assert file.end is not None and (file.end.findings, file.end.control) == ("whole", "whole")
    assert file.end.counts["event"] == 2


def test_one_session_alone(log: Path) -> None:
    """Nothing of other sessions is in a recording of one."""
    put(log, "agent.events", event("a", 0, "x"), event("b", 0, "secret-of-b"))
    put(log, "interlock.findings", msgspec.to_builtins(make_finding("f-1", session="b")))
    put(log, "interlock.control", {"key": "session:b", "value": {"state": "killed"}})
    _, lines = recorded(log, RecordingChoice(session="a"))
    assert ids(lines) == ["a/0"]
    text = gzip.decompress((log.parent / "r.jsonl.gz").read_bytes())
    assert b"secret-of-b" not in text and b"f-1" not in text and b"session:b" not in text


def test_a_stretch_of_time(log: Path) -> None:
    """`--from` counts, `--until` does not."""
    put(log, "agent.events", *(event("a", n, "x", n) for n in range(6)))
    begin, end = START_NS + 2 * SECOND_NS, START_NS + 4 * SECOND_NS
    file, lines = recorded(log, RecordingChoice(from_ns=begin, until_ns=end))
    assert ids(lines) == ["a/2", "a/3"]
    assert file.end is not None and not any(span.starts_log for span in file.end.streams)


def test_files_that_retention_took_are_noticed(log: Path) -> None:
    """A writer's file number 2 without number 1 is not the beginning of a log."""
    put(log, "agent.events", event("a", 5, "x"), number=2)
    put(log, "interlock.findings", msgspec.to_builtins(make_finding()), number=3)
    file, _ = recorded(log)
    assert file.end is not None
    assert not any(span.starts_log for span in file.end.streams)
    assert file.end.findings == "partial"


def test_an_empty_directory_gives_an_empty_recording(log: Path) -> None:
    """Nothing to record ends at once, with a trailer that says so."""
    log.mkdir()
    file, lines = recorded(log)
    assert lines == [] and file.end is not None and file.end.reason == "the end of the input"


def test_the_header_carries_the_invariants_and_their_lists(log: Path, tmp_path: Path) -> None:
    """What was live can be judged again from the recording alone, lists' files included."""
    put(log, "agent.events", event("a", 0, "tool.requested", tool="bad", args={}))
    folder = tmp_path / "watched"
    folder.mkdir()
    (folder / "names.txt").write_text("bad\n")
    text = WATCHED.replace('tool == "post"', "tool in lists.names")
    text = text.replace("version: 1\n", "version: 1\nlists:\n  names: {file: names.txt}\n")
    (folder / "w.yaml").write_text(text)
    settings = Settings(invariants=(str(folder),), state_dir=str(log))
    file, _ = recorded(log, settings=settings)
    (folder / "names.txt").unlink()
    assert [(f.name, list(f.lists)) for f in file.header.files] == [
        ("watched/w.yaml", ["names.txt"])
    ]
    live = find_program(file.header, (), None)
    assert live.unevaluable == () and live.origin == "recorded"
    timeline = timeline_of(log.parent / "r.jsonl.gz", live.program)
    assert timeline.records_count == 1


def test_files_too_large_for_the_header_are_named(
    log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Past its bound the header names a file without its text; a replay asks for it."""
    monkeypatch.setattr("replay.timeline.program.EMBEDDED_BYTES_MAX", 10)
    log.mkdir()
    (tmp_path / "w.yaml").write_text(WATCHED)
    settings = Settings(invariants=(str(tmp_path / "w.yaml"),), state_dir=str(log))
    file, _ = recorded(log, settings=settings)
    with pytest.raises(ConfigError, match="does not contain"):
        find_program(file.header, (), None)
    assert find_program(file.header, [tmp_path / "w.yaml"], None).unevaluable == ()


def test_no_secret_gets_into_a_header(log: Path, tmp_path: Path) -> None:
    """Neither keys and passwords nor the paths of their files; the key is named by a digest."""
    log.mkdir()
    secret = tmp_path / "very-private"
    secret.write_text(KEY)
    settings = Settings(
        digest_key_file=str(secret),
        webhook_url="https://hooks.example/token-77",
        webhook_secret_file=str(secret),
        kafka=KafkaSettings(sasl_plain_username="user-77", sasl_plain_password_file=str(secret)),
    )
    file, _ = recorded(log, settings=settings)
    text = gzip.decompress((log.parent / "r.jsonl.gz").read_bytes()).decode()
    for word in (KEY, "very-private", "token-77", "user-77", "password", "webhook"):
        assert word not in text
    assert file.header.key_digest == name_key(KEY.encode())


def test_settings_that_verdicts_depend_on_are_in_the_header(log: Path) -> None:
    """A replay judges with the bounds and times that were live."""
    log.mkdir()
    settings = Settings(
        state_dir=str(log), slices_max=7, skew_ns=9, mode="observe",
        severity=SeveritySettings(gap="critical"),
        asserts={"agent.events": frozenset({"x", "a"})},
    )  # fmt: skip
    header = recorded(log, settings=settings)[0].header
    held = header.settings
    assert (held.slices_max, held.skew_ns, held.mode) == (7, 9, "observe")
    assert held.severities["gap"] == "critical"
    assert held.asserts == {"agent.events": ["a", "x"]}
    assert held.idle_close_ns == Settings().idle_close_ns
    kafka = KafkaAddress("b:9092", trust_ts=True)
    made = make_header(replace(settings), kafka, [], RecordingChoice(), created_ns=0, release="")
    assert made.settings.trust_ts and made.settings.idle_close_ns is None


def test_a_finished_file_is_no_place_to_record() -> None:
    """It is a recording already."""
    with pytest.raises(ConfigError, match="already a recording"):
        open_bystander(FileAddress("e.jsonl"), {}, lambda: 0)


def test_times_of_flags() -> None:
    """RFC 3339 with a zone; anything else is a usage error."""
    assert parse_time("--from", "2026-01-01T00:00:00.5Z") == START_NS + SECOND_NS // 2
    assert parse_time("--from", "2026-01-01T01:00:00+01:00") == START_NS
    assert parse_time("--from", None) is None
    for text in ("yesterday", "2026-01-01T00:00:00", "1066-10-14T00:00:00Z", "\x1b[2J"):
        with pytest.raises(ConfigError, match="expected RFC 3339"):
            parse_time("--from", text)
