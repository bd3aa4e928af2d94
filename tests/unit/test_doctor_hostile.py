"""Whatever peers, files and packages say, `interlock doctor` has a result, and shows no control
character.
"""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from monitor.doctor.broker import judge_broker
from monitor.doctor.diagnosis import Diagnosis, NotLearnt, command
from monitor.doctor.gate import Files, GateFacts, judge_gate
from monitor.doctor.monitor import MonitorFacts, judge_monitor
from monitor.doctor.needs import monitor_needs
from monitor.doctor.running_program import Page
from monitor.doctor.versions import VersionFacts, judge_versions
from monitor.project.facts import modules_of, packages_of
from monitor.topics import POLICIES
from monitor.transport.address import KafkaAddress
from monitor.transport.kafka.broker_facts import BrokerFacts, TopicFacts

NAMES = [*POLICIES, "agent.events.x"]
SETTINGS = ["cleanup.policy", "retention.ms", "min.insync.replicas", "message.timestamp.type"]
TEXTS = st.text(max_size=40) | st.sampled_from(["\x1b[2J", "answering", "ok", "unknown", "-1", "٣"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["info", "title", "paths", "get"]) | TEXTS, inner, max_size=3
        )
    ),
    max_leaves=8,
)
PAGES = st.builds(
    Page,
    st.sampled_from([200, 204, 401, 404, 503]),
    TEXTS,
    TEXTS
    | JSON.map(json.dumps)
    | TEXTS.map(lambda text: f'interlock_build_info{{program="{text}"}} 1'),
)
LEARNT = PAGES | TEXTS.map(lambda text: NotLearnt(repr(text)))
TOPICS = st.dictionaries(
    st.sampled_from(NAMES),
    st.builds(
        TopicFacts,
        st.sampled_from([0, 0, 0, 3, 29, 5]),
        st.integers(0, 12),
        st.integers(0, 2),
        st.integers(0, 3),
        st.integers(0, 3),
        st.none() | st.frozensets(st.sampled_from(["READ", "WRITE"]) | TEXTS, max_size=3),
        st.none() | st.dictionaries(st.sampled_from(SETTINGS), TEXTS, max_size=4),
    ),
)


def assert_shown(diagnoses: list[Diagnosis]) -> None:
    assert diagnoses
    for one in diagnoses:
        assert (one.place + one.text + one.mend).isprintable()


@given(st.builds(GateFacts, *[LEARNT] * 6, st.none() | st.floats()), TEXTS, st.none() | TEXTS)
def test_any_gate(facts: GateFacts, address: str, digest: str | None) -> None:
    assert_shown(judge_gate(address, facts, 5.0, Files(digest and repr(digest))))


@given(st.builds(MonitorFacts, *[LEARNT] * 3), TEXTS)
def test_any_monitor(facts: MonitorFacts, address: str) -> None:
    assert_shown(judge_monitor(address, facts, "p-1"))


@given(TOPICS, st.none() | st.booleans())
def test_any_broker(topics: dict[str, TopicFacts], may_read: bool | None) -> None:
    needs = monitor_needs(KafkaAddress("b:1"), reads_all=False, trust_ts=False)
    assert_shown(judge_broker(needs, BrokerFacts((4, 0), 1, topics, may_read)))


@given(st.lists(TEXTS, max_size=4), st.dictionaries(TEXTS, TEXTS, max_size=4))
def test_any_packages(requirements: list[str], installed: dict[str, str]) -> None:
    facts = VersionFacts((3, 11, 0), {"interlock": "0.1"}, tuple(requirements), installed)
    assert_shown(judge_versions(facts))


@given(st.lists(TEXTS, max_size=4))
def test_any_command_is_shown_whole_or_not_at_all(words: list[str]) -> None:
    assert command("chmod", *words).isprintable()


@given(
    st.sampled_from(["requirements.txt", "pyproject.toml", "package.json"]),
    TEXTS | JSON.map(json.dumps),
)
def test_any_project(name: str, text: str) -> None:
    assert all(isinstance(one, str) for one in packages_of(name, text) | modules_of(text))
