"""The pure part of `interlock doctor` about brokers and invariants: planted faults."""

from __future__ import annotations

import threading
from pathlib import Path

import msgspec
import pytest

from invariants.model.errors import ConfigError
from monitor.authoring.packs import DEFAULT, PREFIX
from monitor.doctor.broker import judge_broker
from monitor.doctor.diagnosis import Diagnosis, NotLearnt, worst
from monitor.doctor.invariants import judge_invariants
from monitor.doctor.look_at_software import look_at_invariants
from monitor.doctor.needs import Needs, agent_needs, gate_needs, monitor_needs
from monitor.doctor.timed import together
from monitor.topics import (
    APPROVALS,
    CLAIMS,
    CONTROL,
    DEAD_LETTERS,
    ENFORCEMENT,
    EVENTS,
    FINDINGS,
    GATE,
    POLICIES,
)
from monitor.transport.address import KafkaAddress
from monitor.transport.kafka.broker_facts import (
    TOPIC_DENIED,
    UNKNOWN_TOPIC,
    BrokerFacts,
    TopicFacts,
)
from monitor.transport.kafka.topic_config import topic_settings

ADDRESS = KafkaAddress("b-1:9092")
MONITOR = monitor_needs(ADDRESS, reads_all=False, trust_ts=False)


def topic(name: str) -> TopicFacts:
    """A topic as `interlock kafka init` makes it, on three brokers."""
    return TopicFacts(
        partitions=12,
        replicas_min=3,
        in_sync_min=3,
        operations=frozenset({"READ", "WRITE", "DESCRIBE_CONFIGS"}),
        settings={**topic_settings(POLICIES[name]), "min.insync.replicas": "2"},
    )


WELL = {name: topic(name) for name in POLICIES}


def broker(
    needs: Needs = MONITOR, name: str = EVENTS, *, may_read: bool | None = True, **changes: object
) -> list[Diagnosis]:
    """All diagnoses if one topic is changed."""
    topics = {**WELL, name: msgspec.structs.replace(WELL[name], **changes)}
    return judge_broker(needs, BrokerFacts((4, 1), 3, topics, may_read))


@pytest.mark.parametrize("needs", [MONITOR, gate_needs(ADDRESS), agent_needs(ADDRESS)])
def test_topics_as_they_should_be(needs: Needs) -> None:
    """For a monitor, a gate and an agent."""
    assert {one.outcome for one in broker(needs)} == {"ok"}
    assert len({one.check for one in broker(needs)}) == 5


def test_the_needs_are_those_of_the_page() -> None:
    """As docs/running.md lists them."""
    assert {name: set(operations) for name, operations in MONITOR.operations.items()} == {
        EVENTS: {"READ"},
        APPROVALS: {"READ"},
        ENFORCEMENT: {"READ"},
        GATE: {"READ"},
        CONTROL: {"READ", "WRITE"},
        FINDINGS: {"WRITE"},
        DEAD_LETTERS: {"WRITE"},
    }
    assert MONITOR.group == "interlock"
    assert monitor_needs(ADDRESS, reads_all=True, trust_ts=False).group is None


def _of_settings(changes: dict[str, object]) -> set[str]:
    """`settings` if they are known: then they can be compared."""
    return {"settings"} if changes.get("settings") else set()


def changed(**settings: str) -> dict[str, object]:
    told = dict(WELL[EVENTS].settings or {})
    return {"settings": {**told, **{k.replace("__", "."): v for k, v in settings.items()}}}


@pytest.mark.parametrize(
    ("changes", "check", "outcome", "is_required"),
    [
        ({"error": UNKNOWN_TOPIC}, "broker.topics", "trouble", True),
        ({"error": 5}, "broker.topics", "unknown", True),
        ({"without_leader": 1}, "broker.topics", "trouble", True),
        ({"partitions": 11}, "broker.topics", "trouble", True),
        ({"settings": None}, "broker.settings", "unknown", False),
        (changed(cleanup__policy="compact"), "broker.settings", "trouble", True),
        (changed(cleanup__policy="compact,delete"), "broker.settings", "trouble", True),
        (changed(message__timestamp__type="CreateTime"), "broker.settings", "trouble", True),
        (changed(compression__type="producer"), "broker.settings", "trouble", False),
        (changed(retention__ms="3600000"), "broker.settings", "trouble", False),
        (changed(retention__ms="x\x1b"), "broker.settings", "unknown", True),
        ({"in_sync_min": 1}, "broker.copies", "trouble", True),
        (changed(min__insync__replicas="1"), "broker.copies", "trouble", False),
        (changed(min__insync__replicas="²"), "broker.copies", "unknown", True),
        ({"error": TOPIC_DENIED}, "broker.rights", "trouble", True),
        ({"operations": frozenset({"WRITE"})}, "broker.rights", "trouble", True),
        ({"operations": None}, "broker.rights", "unknown", True),
    ],
)
def test_a_fault_of_a_topic_is_found(
    changes: dict[str, object], check: str, outcome: str, is_required: bool
) -> None:
    """One diagnosis of the check, about the topic, with a way to mend it where there is one."""
    wrong = [one for one in broker(**changes) if one.outcome != "ok"]  # type: ignore[arg-type]
    (found,) = [one for one in wrong if one.check == check]
    # What cannot be examined without the topic or its settings is not ok either.
    assert {one.outcome for one in wrong if one.check != check} <= {"unknown"}
    assert bool(wrong[1:]) is bool({"error", "settings"} & changes.keys() - _of_settings(changes))
    assert (found.check, found.outcome, found.is_required) == (check, outcome, is_required)
    assert "agent.events" in found.place and "\x1b" not in str(found)
    assert found.mend or outcome == "unknown"


def test_records_that_are_kept_for_ever_are_well() -> None:
    """A retention of -1, and one that is longer."""
    for text in ("-1", "999999999999"):
        assert worst(broker(**changed(retention__ms=text))) == "ok"  # type: ignore[arg-type]


def test_a_control_topic_that_deletes_loses_stops() -> None:
    """Compaction alone keeps each stop as long as it is in force."""
    settings = dict(WELL[CONTROL].settings or {}) | {"cleanup.policy": "delete"}
    (found,) = [one for one in broker(name=CONTROL, settings=settings) if one.outcome != "ok"]
    assert "still in force would be deleted" in found.text
    assert found.mend == (
        "`kafka-configs --bootstrap-server b-1:9092 --entity-type topics --entity-name "
        "interlock.control --alter --add-config cleanup.policy=compact`"
    )


def test_the_topic_of_gates_need_not_exist() -> None:
    """For a monitor; a gate needs it."""
    assert worst(broker(name=GATE, error=UNKNOWN_TOPIC)) == "ok"
    assert worst(broker(gate_needs(ADDRESS), GATE, error=UNKNOWN_TOPIC)) == "trouble"
    denied = broker(name=GATE, error=TOPIC_DENIED)
    assert worst(denied) == "ok" and any(one.outcome == "trouble" for one in denied)
    assert worst(broker(gate_needs(ADDRESS), CLAIMS, error=TOPIC_DENIED)) == "trouble"


def test_a_topic_that_the_broker_does_not_mention_is_missing() -> None:
    """A broker that answers nonsense: no topic at all is not a fine one."""
    assert worst(judge_broker(MONITOR, BrokerFacts((), 0, {}, None))) == "trouble"


def test_the_group() -> None:
    """Missing is trouble; a broker that cannot say is a doubt."""
    assert worst(broker(may_read=False)) == "trouble"
    doubtful = broker(may_read=None)
    assert [(one.outcome, one.is_required) for one in doubtful if one.outcome != "ok"] == [
        ("unknown", False)
    ]


def test_without_a_broker_nothing_else_is_known() -> None:
    """The first check has the reason, and the others are not ok."""
    first, *others = judge_broker(MONITOR, NotLearnt("no broker answered"))
    assert (first.check, first.outcome) == ("broker.reach", "trouble")
    assert {one.outcome for one in others} == {"unknown"}


# Invariants.

GOOD = """version: 1
predicates:
  deletes: kind == "tool.requested" && tool == "delete"
invariants:
  - id: nothing-deleted
    summary: nothing is deleted
    severity: warning
    never: deletes
    examples:
      - {name: one, events: [{kind: tool.requested, tool: delete}], violated_at: [0]}
"""


def checked(folder: Path, text: str, **more: object) -> list[Diagnosis]:
    (folder / "a.yaml").write_text(text)
    locations = (str(folder / "a.yaml"),)
    options = {"cap": None, "is_gated": False, **more}
    return judge_invariants(locations, look_at_invariants(locations), **options)  # type: ignore[arg-type]


def test_invariants_that_are_well(tmp_path: Path) -> None:
    """They load, and their examples pass."""
    assert {one.outcome for one in checked(tmp_path, GOOD)} == {"ok"}


def test_a_faulty_file_is_trouble_with_its_place(tmp_path: Path) -> None:
    """Each error is one diagnosis; the examples are then not known."""
    found = checked(tmp_path, GOOD.replace("never: deletes", "never: delets"))
    assert [(one.check, one.outcome) for one in found] == [
        ("invariants.check", "trouble"),
        ("invariants.examples", "unknown"),
    ]
    assert "a.yaml:8:" in found[0].text


def test_an_example_that_fails_is_trouble(tmp_path: Path) -> None:
    """As with `interlock test`."""
    found = checked(tmp_path, GOOD.replace("violated_at: [0]", "violated_at: []"))
    assert worst(found) == "trouble" and "`interlock test " in str(found)


def test_a_gate_that_enforces_nothing_is_doubtful(tmp_path: Path) -> None:
    """It allows every call; with `mode: enforce` it does not."""
    (doubt,) = [one for one in checked(tmp_path, GOOD, is_gated=True) if one.outcome != "ok"]
    assert doubt.check == "invariants.mode" and not doubt.is_required
    assert worst(checked(tmp_path, GOOD, is_gated=True, cap="enforce")) == "ok"


def test_files_that_cannot_be_read_are_not_ok() -> None:
    """Whatever the reason."""
    found = judge_invariants(["x"], NotLearnt("gone"), None, is_gated=False)
    assert {one.outcome for one in found} == {"unknown"}


def test_the_default_packs_are_well() -> None:
    """They are named by the setting, and their examples were tested before they shipped."""
    facts = look_at_invariants((PREFIX + DEFAULT,))
    found = judge_invariants([PREFIX + DEFAULT], facts, "enforce", is_gated=True)
    assert worst(found) == "ok" and not facts.examples


# Probes beside each other.


def test_a_probe_that_fails_or_hangs_costs_no_other_its_answer() -> None:
    """Each has its result, or the reason why there is none; no text has control characters."""
    never = threading.Event()

    def fails() -> int:
        raise ConfigError("a\x1bb")

    def is_refused() -> int:
        raise PermissionError(13, "Permission denied", "/x")

    found = together(
        {"hangs": never.wait, "fails": fails, "refused": is_refused, "works": lambda: 7}, 0.5
    )
    never.set()
    assert found["works"] == 7
    assert found["fails"] == NotLearnt("a\\x1bb")
    assert found["refused"] == NotLearnt("`/x`: Permission denied")
    assert found["hangs"] == NotLearnt("no result within 0.5 s")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_bug_in_a_probe_is_not_ok() -> None:
    """The thread ends with its traceback, and its check could not find out."""

    def is_wrong() -> int:
        raise AssertionError("planted")

    found = together({"wrong": is_wrong, "works": lambda: 0}, 30.0)
    assert isinstance(found["wrong"], NotLearnt) and "a bug in Interlock" in found["wrong"].reason
    assert found["works"] == 0
