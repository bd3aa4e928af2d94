"""The pure part of `interlock doctor`: planted faults, each of which is found where it is."""

from __future__ import annotations

import shlex
import stat

import msgspec
import pytest

from interlock.watermarks import Beat
from invariants.model.event import SECOND_NS, Origin
from monitor.doctor.diagnosis import Diagnosis, NotLearnt, command, ok, trouble, unknown, worst
from monitor.doctor.events import Sample, judge_events
from monitor.doctor.gate import Files, GateFacts, judge_gate
from monitor.doctor.heartbeats import HeartbeatFacts, judge_heartbeats
from monitor.doctor.log_dir import LogDirFacts, judge_log_dir
from monitor.doctor.monitor import MonitorFacts, judge_monitor
from monitor.doctor.rights import FileFacts, FolderFacts, SocketFacts, judge_file, judge_socket
from monitor.doctor.running_program import Page
from monitor.doctor.state import StateFacts, StoreFacts, judge_state
from monitor.doctor.versions import VersionFacts, judge_versions
from monitor.gate_server.openapi import open_api
from monitor.ingest.provenance import Provenance
from monitor.transport.base import Record

NOW_NS = 1_800_000_000 * SECOND_NS
NASTY = "a\x1b[2J\u202e\u200bb"
"""Clears a terminal, reverses text, and hides a blank."""


def outcomes(diagnoses: list[Diagnosis]) -> dict[str, str]:
    """The outcome of each check; one that is there twice must agree with itself."""
    found: dict[str, str] = {}
    for one in diagnoses:
        assert found.setdefault(one.check, one.outcome) == one.outcome
    return found


def the(diagnoses: list[Diagnosis], check: str) -> Diagnosis:
    (found,) = [one for one in diagnoses if one.check == check]
    return found


@pytest.mark.parametrize(
    ("diagnoses", "outcome"),
    [
        ([], "unknown"),
        ([ok("a", "", "")], "ok"),
        ([ok("a", "", ""), unknown("b", "", "")], "unknown"),
        ([unknown("b", "", ""), trouble("c", "", ""), ok("a", "", "")], "trouble"),
        ([ok("a", "", ""), unknown("b", "", "", is_required=False)], "ok"),
        ([ok("a", "", ""), trouble("b", "", "", is_required=False)], "ok"),
        ([unknown("b", "", "", is_required=False)], "unknown"),
    ],
)
def test_the_worst_required_outcome_counts(diagnoses: list[Diagnosis], outcome: str) -> None:
    """Nothing that was not found out counts as ok, and neither does an empty examination."""
    assert worst(diagnoses) == outcome


@pytest.mark.parametrize("name", ["x; rm -rf ~", "$(reboot)", "a b", "-rf", "it's"])
def test_a_command_quotes_names(name: str) -> None:
    """A name that an attacker chose is one word of the command that an operator copies."""
    assert shlex.split(command("chmod", "go-w", name).strip("`")) == ["chmod", "go-w", name]


@pytest.mark.parametrize("name", [NASTY, "a`b", "a\nb"])
def test_a_name_that_cannot_be_shown_is_in_no_command(name: str) -> None:
    """Better no command than one that shows something else than it does."""
    assert command("chmod", "go-w", name) == ""


# Events.


def record(value: object, topic: str = "agent.events", arrival_ns: int = NOW_NS) -> Record:
    raw = value if isinstance(value, bytes) else msgspec.json.encode(value)
    return Record(Origin(topic, "0", 7), None, raw, arrival_ns=arrival_ns)


def event(kind: str = "tool.requested", ts: int = NOW_NS, **more: object) -> dict[str, object]:
    return {"v": 1, "session": "s", "kind": kind, "ts": ts, "seq": 1, "tool": "t", **more}


def judged(*records: Record, **more: object) -> list[Diagnosis]:
    sample = Sample(records, NOW_NS, has_broker_times=True, **more)  # type: ignore[arg-type]
    return judge_events("source", sample, Provenance(), 5 * SECOND_NS)


def test_valid_events_are_ok() -> None:
    """All four checks of the latest records."""
    assert outcomes(judged(record(event()))) == {
        "events.schema": "ok",
        "events.kinds": "ok",
        "clock.producers": "ok",
        "clock.broker": "ok",
    }


def test_no_records_are_not_ok() -> None:
    """Nothing was read, so nothing is known, whether the source is empty or slow."""
    assert not [one for one in judged() if one.outcome == "ok"]
    (slow,) = judged(is_whole=False)
    assert (slow.outcome, slow.is_required) == ("unknown", True)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"{", "not_json"),
        (b'{"session":"s","kind":"k","ts":1,"tool":"a","tool":"b"}', "repeated_key"),
        ({"v": 2, "session": "s", "kind": "k", "ts": 1}, "version"),
        (b"", "empty"),
    ],
)
def test_a_record_that_is_not_an_event_is_trouble(value: object, reason: str) -> None:
    """The reason is named, with the place of the first."""
    found = the(judged(record(event()), record(value)), "events.schema")
    assert found.outcome == "trouble"
    assert reason in found.text and "agent.events/0@7" in found.text


def test_the_content_of_a_record_is_not_shown() -> None:
    """Neither a value nor a key that an agent wrote."""
    hostile = b'{"session": "secret-0", "' + NASTY.encode() + b'": "secret-1"'
    told = str(judged(record(hostile)))
    assert "secret-" not in told and "\x1b" not in told


def test_a_kind_that_its_topic_may_not_assert_is_trouble() -> None:
    """An agent that publishes approvals is found before it is needed."""
    found = the(judged(record(event("approval.granted"))), "events.kinds")
    assert found.outcome == "trouble" and "`approval.granted` on `agent.events`" in found.text


def test_clocks_that_run_ahead_are_trouble() -> None:
    """A producer's against the broker's, and the broker's against ours; behind is delay."""
    ahead = NOW_NS + 6 * SECOND_NS
    assert outcomes(judged(record(event(ts=ahead))))["clock.producers"] == "trouble"
    found = judged(record(event(), arrival_ns=ahead))
    assert outcomes(found)["clock.broker"] == "trouble"
    old = judged(record(event(), arrival_ns=NOW_NS - 3600 * SECOND_NS))
    assert outcomes(old)["clock.broker"] == "unknown"


def test_skipped_batches_and_an_unfinished_reading_are_not_ok() -> None:
    """Records that nobody read are not valid ones."""
    assert outcomes(judged(record(event()), skipped_count=1))["events.schema"] == "trouble"
    assert outcomes(judged(record(event()), is_whole=False))["events.schema"] == "unknown"
    lost = judge_events("source", NotLearnt("broken"), Provenance(), 0)
    assert [(one.outcome, one.text) for one in lost] == [("unknown", "broken")]


# The gate.

WELL = GateFacts(
    ready=Page(200, "ok", "answering\n"),
    interface=Page(200, "ok", open_api().decode()),
    own_answers=Page(404, "unknown", ""),
    approvals=Page(403, "forbidden", ""),
    exceptions=Page(403, "forbidden", ""),
    metrics=Page(200, "ok", 'interlock_gate_build_info{program="p-1",version="0.1"} 1.0'),
    ahead_s=0.2,
)


def gate(**changes: object) -> list[Diagnosis]:
    return judge_gate("unix:g", msgspec.structs.replace(WELL, **changes), 5.0, Files("p-1"))


def test_a_gate_that_is_well_is_ok() -> None:
    """And what we may do there is said."""
    found = gate()
    assert set(outcomes(found).values()) == {"ok"}
    assert the(found, "gate.principal").text == (
        "may ask before calls, may not decide about held calls, may not make exceptions"
    )


NO_ANSWER = NotLearnt("Connection refused")
OLD_INTERFACE = open_api().replace(b'"/v1/withdraw"', b'"/v1/other"').decode()


@pytest.mark.parametrize(
    ("changes", "check", "outcome"),
    [
        ({"ready": NO_ANSWER}, "gate.reach", "trouble"),
        ({"ready": NO_ANSWER}, "gate.principal", "unknown"),
        ({"ready": NO_ANSWER}, "gate.program", "unknown"),
        ({"ready": Page(503, "", "not ready: disk full")}, "gate.ready", "trouble"),
        ({"ready": Page(404, "unknown", "")}, "gate.ready", "trouble"),
        ({"ready": Page(200, "ok", f"answering, but {NASTY}")}, "gate.ready", "trouble"),
        ({"metrics": Page(200, "ok", "")}, "gate.program", "trouble"),
        ({"metrics": NO_ANSWER}, "gate.program", "unknown"),
        ({"interface": NO_ANSWER}, "gate.interface", "unknown"),
        ({"interface": Page(200, "ok", "<html>")}, "gate.interface", "trouble"),
        ({"interface": Page(200, "ok", "[" * 5000)}, "gate.interface", "trouble"),
        (
            {"interface": Page(200, "ok", '{"info": {"title": "Interlock gate"}, "paths": [1]}')},
            "gate.interface",
            "trouble",
        ),
        ({"interface": Page(200, "ok", OLD_INTERFACE)}, "gate.interface", "trouble"),
        ({"own_answers": Page(401, "unauthenticated", "")}, "gate.principal", "trouble"),
        ({"own_answers": Page(200, "ok", "{}")}, "gate.principal", "unknown"),
        ({"own_answers": Page(429, "crowded", NASTY)}, "gate.principal", "unknown"),
        ({"own_answers": NO_ANSWER}, "gate.principal", "unknown"),
        ({"ahead_s": -60.0}, "clock.gate", "trouble"),
        ({"ahead_s": 60.0}, "clock.gate", "trouble"),
        ({"ahead_s": None}, "clock.gate", "unknown"),
    ],
)
def test_a_fault_of_a_gate_is_found(changes: dict[str, object], check: str, outcome: str) -> None:
    """Each check has an answer that makes it fail."""
    found = gate(**changes)
    assert the(found, check).outcome == outcome
    assert "\x1b" not in str(found)


def test_the_program_of_a_gate() -> None:
    """That of the files is ok; another is a doubt; without files nothing is said."""
    other = judge_gate("g", WELL, 5.0, Files("p-2"))
    assert (the(other, "gate.program").outcome, worst(other)) == ("trouble", "ok")
    assert the(judge_gate("g", WELL, 5.0, Files(None)), "gate.program").outcome == "unknown"
    assert "gate.program" not in outcomes(judge_gate("g", WELL, 5.0, None))


def test_a_gate_that_does_not_let_us_in() -> None:
    """It runs: to start it again would not help."""
    found = the(gate(ready=NotLearnt("Permission denied")), "gate.reach")
    assert "gate.socket_access" in found.mend and "serve" not in found.mend


def test_an_older_gate_is_named_by_what_it_lacks() -> None:
    """The page that the client would miss."""
    found = the(gate(interface=Page(200, "ok", OLD_INTERFACE)), "gate.interface")
    assert "POST /v1/withdraw" in found.text


def test_a_slow_answer_is_no_skew() -> None:
    """The doubt about the time of an answer is not a difference of clocks."""
    assert the(gate(ahead_s=9.0, round_trip_s=8.0), "clock.gate").outcome == "ok"


# Heartbeats.


def beats(**ages_s: float) -> list[Diagnosis]:
    """One voucher for each age; those whose names begin with `o` only observe."""
    found = {
        name: Beat(NOW_NS - int(age * SECOND_NS), topics=("agent.events",), observes=name[0] == "o")
        for name, age in ages_s.items()
    }
    facts = HeartbeatFacts(found, NOW_NS)
    return judge_heartbeats("kafka://b:1/agent.events", "agent.events", facts, SECOND_NS)


@pytest.mark.parametrize(
    ("ages_s", "outcome"),
    [
        ({}, "trouble"),
        ({"a": 7}, "ok"),
        ({"a": 15.5}, "trouble"),
        ({"a": 7, "b": 3600}, "trouble"),
        ({"a": 7, "observer": 3600}, "ok"),
        ({"observer": 3600}, "trouble"),
        ({"a": -2}, "trouble"),
        ({"a": -0.5}, "ok"),
    ],
)
def test_heartbeats(ages_s: dict[str, float], outcome: str) -> None:
    """Guards wait for each monitor that can stop sessions, and for no other."""
    assert worst(beats(**ages_s)) == outcome
    assert worst(judge_heartbeats("log:x", "t", NotLearnt("no topic"), 0)) == "unknown"


def test_a_monitor_of_another_topic_does_not_count() -> None:
    """It says nothing about the events of this agent."""
    facts = HeartbeatFacts({"a": Beat(NOW_NS, topics=("agent.events.x",))}, NOW_NS)
    assert worst(judge_heartbeats("kafka://b:1", "agent.events", facts, 0)) == "trouble"


def test_a_voucher_that_is_gone_is_retired() -> None:
    """By the command for this source, with the name as one word."""
    (found,) = beats(**{"group:a b": 99})
    assert "`interlock control retire 'group:a b' --source kafka://b:1`" in found.mend


# The monitor.

METRICS = 'x 1\ninterlock_build_info{program="p-1",version="0.1"} 1.0\n'
WATCHING = MonitorFacts(Page(200, "ok", ""), Page(200, "ok", "watching"), Page(200, "ok", METRICS))


@pytest.mark.parametrize(
    ("changes", "digest", "outcomes_"),
    [
        ({}, "p-1", ("ok", "ok")),
        ({}, "p-2", ("ok", "trouble")),
        ({}, None, ("ok", "unknown")),
        ({"healthy": Page(503, "", NASTY)}, "p-1", ("trouble", "ok")),
        ({"ready": Page(503, "", "no source")}, "p-1", ("trouble", "ok")),
        ({"ready": Page(421, "", "")}, "p-1", ("trouble", "ok")),
        ({"ready": NO_ANSWER}, "p-1", ("trouble", "unknown")),
        ({"healthy": NO_ANSWER}, "p-1", ("trouble", "unknown")),
        ({"metrics": NO_ANSWER}, "p-1", ("ok", "unknown")),
        ({"metrics": Page(404, "", METRICS)}, "p-1", ("ok", "trouble")),
        ({"metrics": Page(200, "ok", "interlock_build_info 1")}, "p-1", ("ok", "trouble")),
        ({"metrics": Page(200, "ok", METRICS.replace("p-1", NASTY))}, "p-1", ("ok", "trouble")),
    ],
)
def test_a_fault_of_a_monitor_is_found(
    changes: dict[str, object], digest: str | None, outcomes_: tuple[str, str]
) -> None:
    """Its loop, its source, and the program that it runs."""
    found = judge_monitor("h:1", msgspec.structs.replace(WATCHING, **changes), digest)
    assert tuple(one.outcome for one in found) == outcomes_
    assert "\x1b" not in str(found)


# Files.


def above(mode: int, uid: int = 0) -> tuple[FolderFacts, ...]:
    """Its folder, and a folder above that."""
    return FolderFacts("/f", 0o755, 0), FolderFacts("/", mode, uid)


def file(mode: int, sort: str = "secret", **more: object) -> list[Diagnosis]:
    facts = {"mode": mode, "uid": 7, "folders": above(0o755), **more}
    return judge_file(FileFacts("s", f"/f/{NASTY}", sort, **facts), 7)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("mode", "more", "outcome"),
    [
        (0o600, {}, "ok"),
        (0o400, {}, "ok"),
        (0o644, {}, "trouble"),
        (0o602, {}, "trouble"),
        (0o644, {"sort": "deciding"}, "ok"),
        (0o664, {"sort": "deciding"}, "unknown"),  # A doubt alone.
        (0o666, {"sort": "deciding"}, "trouble"),
        (0o644, {"sort": "state"}, "trouble"),
        (0o700, {"sort": "state"}, "ok"),
        (0o600, {"folders": above(0o777)}, "trouble"),
        (0o600, {"folders": above(0o1777)}, "ok"),
        (0o600, {"folders": above(0o775)}, "unknown"),
        (0o600, {"error": "it cannot be examined"}, "unknown"),
        (0, {"is_absent": True}, "trouble"),
        (0, {"is_absent": True, "sort": "state"}, "ok"),
    ],
)
def test_rights_of_files(mode: int, more: dict[str, object], outcome: str) -> None:
    """Nobody else reads a secret, and nobody else writes what decides."""
    found = file(mode, **more)
    assert worst(found) == outcome
    assert "\x1b" not in str(found) and "\u202e" not in str(found)


def test_a_group_that_reads_a_secret_and_another_owner_are_doubts() -> None:
    """They may be meant; they are shown, and do not change the exit code."""
    listed = file(stat.S_IFDIR | 0o755, sort="state")
    for found in (file(0o640), file(0o600, uid=8), file(0o600, folders=above(0o755, 8)), listed):
        assert [(one.outcome, one.is_required) for one in found] == [("trouble", False)]


@pytest.mark.parametrize(
    ("mode", "access", "outcome"),
    [
        (0o660, "group", "ok"),
        (0o666, "group", "trouble"),
        (0o600, "group", "trouble"),
        (0o666, "all", "ok"),
        (0o600, "owner", "ok"),
        (0o660, "owner", "trouble"),
    ],
)
def test_rights_of_a_socket(mode: int, access: str, outcome: str) -> None:
    """Those who may connect are those of the setting: not more, and not fewer."""
    facts = SocketFacts("/run/g", access, mode=stat.S_IFSOCK | mode, is_socket=True)
    assert judge_socket(facts).outcome == outcome
    other = msgspec.structs.replace(facts, is_socket=False)
    assert judge_socket(other).outcome == "trouble"


def test_a_log_directory() -> None:
    """Missing, closed, or one in which users write in the names of others."""
    assert worst(judge_log_dir("agent", "/l", LogDirFacts(is_there=False))) == "trouble"
    assert worst(judge_log_dir("agent", "/l", LogDirFacts(True, closed=("t",)))) == "trouble"
    assert worst(judge_log_dir("agent", "/l", LogDirFacts(True, shared=("x",)))) == "trouble"
    assert worst(judge_log_dir("agent", "/l", LogDirFacts(True))) == "ok"
    assert worst(judge_log_dir("agent", "/l", NotLearnt("x"))) == "unknown"


# The state and the software.

GIB = 1024**3


def state(program: str | None = "p", **changes: object) -> list[Diagnosis]:
    well = StateFacts(True, 0, GIB, 10**6, StoreFacts(2, "p"))
    return judge_state("/s", msgspec.structs.replace(well, **changes), program)


@pytest.mark.parametrize(
    ("changes", "check", "outcome"),
    [
        ({}, "state.space", "ok"),
        ({"holder": 4711}, "state.lock", "ok"),
        ({"holder": NO_ANSWER}, "state.lock", "unknown"),
        ({"bytes_free": 255 * 1024**2}, "state.space", "trouble"),
        ({"files_free": 3}, "state.space", "trouble"),
        ({"files_free": None}, "state.space", "ok"),
        ({"bytes_free": NO_ANSWER}, "state.space", "unknown"),
        ({"store": StoreFacts(3, "p")}, "state.store", "trouble"),
        ({"store": StoreFacts(is_ours=False)}, "state.store", "trouble"),
        ({"store": NO_ANSWER}, "state.store", "unknown"),
        ({"store": None}, "state.store", "ok"),
        ({"store": StoreFacts(2, NASTY)}, "state.program", "trouble"),
        ({"program": None}, "state.program", "unknown"),
    ],
)
def test_a_fault_of_the_state_is_found(
    changes: dict[str, object], check: str, outcome: str
) -> None:
    """Room, use, and the versions of what is stored."""
    found = state(**changes)  # type: ignore[arg-type]
    assert the(found, check).outcome == outcome
    assert "\x1b" not in str(found)


def versions(**changes: object) -> list[Diagnosis]:
    well = VersionFacts(
        python=(3, 11, 7),
        packages={"interlock": "0.1.0", "interlock-client": "0.1.0"},
        requirements=(
            "msgspec>=0.19",
            "kafka-python[crc32c]<4,>=3.0.12",
            'aiohttp>=3.14; extra == "gate"',
        ),
        installed={"msgspec": "0.19", "kafka-python": "3.0.12"},
    )
    return judge_versions(msgspec.structs.replace(well, **changes))


@pytest.mark.parametrize(
    ("changes", "check", "outcome"),
    [
        ({}, "versions.libraries", "ok"),
        ({"python": (3, 10, 14)}, "versions.python", "trouble"),
        (
            {"packages": {"interlock": "0.1.0", "interlock-client": "0.2"}},
            "versions.packages",
            "trouble",
        ),
        ({"packages": {"interlock": None}}, "versions.packages", "unknown"),
        ({"requirements": ()}, "versions.libraries", "unknown"),
        ({"requirements": ("msgspec ~= 0.19",)}, "versions.libraries", "unknown"),
        ({"requirements": ("msgspec @ file:///x",)}, "versions.libraries", "unknown"),
        (
            {"installed": {"msgspec": "0.18.9", "kafka-python": "3.1"}},
            "versions.libraries",
            "trouble",
        ),
        (
            {"installed": {"msgspec": "0.20", "kafka-python": "4.0"}},
            "versions.libraries",
            "trouble",
        ),
        ({"installed": {"msgspec": "0.20"}}, "versions.libraries", "trouble"),
        ({"installed": {"msgspec": "x", "kafka-python": "3.1"}}, "versions.libraries", "unknown"),
        ({"extras": frozenset({"gate"})}, "versions.libraries", "trouble"),
        (
            {"installed": {"msgspec": "0.19", "kafka-python": "3.0.12", "aiohttp": "3.0"}},
            "versions.libraries",
            "ok",
        ),
    ],
)
def test_a_fault_of_versions_is_found(changes: dict[str, object], check: str, outcome: str) -> None:
    """Too old, too new, missing, of two releases, or in a form that is not read."""
    assert the(versions(**changes), check).outcome == outcome
