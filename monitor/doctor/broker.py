"""Facts about a broker -> diagnoses: topics, their settings and copies, and access rights. Pure.

The requirements are those of docs/running.md: `interlock run` refuses some of them at its start,
and others are noticed only when a broker fails, or when a topic has deleted what is still needed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from monitor.doctor.diagnosis import (
    Diagnosis,
    Learnt,
    NotLearnt,
    command,
    ok,
    trouble,
    unknown,
)
from monitor.doctor.needs import Needs, policy_of
from monitor.presentation import visible
from monitor.topics import DAY_MS, TopicPolicy
from monitor.transport.kafka.broker_facts import (
    TOPIC_DENIED,
    UNKNOWN_TOPIC,
    BrokerFacts,
    TopicFacts,
)

REACH, TOPICS, SETTINGS = "broker.reach", "broker.topics", "broker.settings"
COPIES, RIGHTS = "broker.copies", "broker.rights"
DEPENDENT = (TOPICS, SETTINGS, COPIES, RIGHTS)
FOREVER_MS = -1
"""`retention.ms` of a topic that deletes nothing."""


def judge_broker(needs: Needs, learnt: Learnt[BrokerFacts]) -> list[Diagnosis]:
    """All checks of the topics and rights that a role needs on its brokers."""
    place = f"{needs.role} {needs.bootstrap}"
    if isinstance(learnt, NotLearnt):
        mend = f"check the address: {command('nc', '-vz', *_first_of(needs.bootstrap))}"
        first = trouble(REACH, place, learnt.reason, mend)
        return [first, *(unknown(name, place, "no broker answered") for name in DEPENDENT)]
    version = ".".join(map(str, learnt.version))
    reached = ok(REACH, place, f"{learnt.brokers} broker(s), version {version} or later")
    parts = {
        TOPICS: list(_topics(needs, learnt.topics)),
        SETTINGS: list(_settings(needs, learnt.topics)),
        COPIES: list(_copies(needs, learnt.topics)),
        RIGHTS: list(_rights(needs, learnt)),
    }
    there = [name for name, _ in _there(needs, learnt.topics)]
    lost_count = len([name for name in needs.operations if name not in (*needs.optional, *there)])
    diagnoses = [reached]
    for name, found in parts.items():
        if not found and lost_count and name != TOPICS:
            text = f"{lost_count} of the topics that the {needs.role} needs could not be examined"
            found.append(unknown(name, place, text))
        text = f"as needed by the {needs.role}: {len(there)} topics"
        diagnoses += found or [ok(name, place, text)]
    return diagnoses


def _topics(needs: Needs, topics: Mapping[str, TopicFacts]) -> Iterator[Diagnosis]:
    """Existence, equal numbers of partitions, and leaders."""
    for name in needs.operations:
        found = topics.get(name, TopicFacts(UNKNOWN_TOPIC))
        if found.error == UNKNOWN_TOPIC and name not in needs.optional:
            yield trouble(TOPICS, _of(name), "the topic does not exist", _init(needs))
        elif found.error not in (0, UNKNOWN_TOPIC, TOPIC_DENIED):
            text = f"the broker answers with error {found.error}"
            yield unknown(TOPICS, _of(name), text)
        elif found.without_leader:
            text = f"{found.without_leader} of {found.partitions} partitions have no leader"
            yield trouble(TOPICS, _of(name), text, "start the brokers that hold its copies")
    counts = {
        name: topics[name].partitions
        for name in needs.together
        if name in topics and not topics[name].error
    }
    if len(set(counts.values())) > 1:
        listed = ", ".join(f"{_of(name)} has {count}" for name, count in sorted(counts.items()))
        yield trouble(
            TOPICS,
            ", ".join(_of(name) for name in sorted(counts)),
            f"topics keyed by session have different numbers of partitions: {listed}",
            "create new topics with equal numbers; a changed number moves sessions",
        )


def _settings(needs: Needs, topics: Mapping[str, TopicFacts]) -> Iterator[Diagnosis]:
    for name, found in _there(needs, topics):
        if found.settings is None:
            # The monitor starts without this right, and so does a gate.
            text = "the broker does not show its settings: the right DESCRIBE_CONFIGS is missing"
            mend = _grant("DESCRIBE_CONFIGS", "topic", name)
            yield unknown(SETTINGS, _of(name), text, mend, is_required=False)
            continue
        policy = policy_of(name)
        if policy is not None:
            yield from _policy(needs, name, policy, found.settings)


def _policy(
    needs: Needs, name: str, policy: TopicPolicy, said: Mapping[str, str]
) -> Iterator[Diagnosis]:
    cleanup = said.get("cleanup.policy", "")
    if cleanup != policy.cleanup:
        text = f"`cleanup.policy` is `{visible(cleanup)}`"
        loss = "old stops and claims would never be removed"
        if "delete" in cleanup:
            loss = "records that are still in force would be deleted"
        if policy.cleanup == "delete":
            loss = "records of one session replace each other"
        mend = _alter(needs, name, "cleanup.policy", policy.cleanup)
        yield trouble(SETTINGS, _of(name), f"{text}, not `{policy.cleanup}`: {loss}", mend)
    if said.get("message.timestamp.type") != "LogAppendTime" and not needs.trust_ts:
        text = "`message.timestamp.type` is not `LogAppendTime`: producers choose their times"
        mend = _alter(needs, name, "message.timestamp.type", "LogAppendTime")
        is_read = needs.role == "monitor" and name in needs.together
        yield trouble(SETTINGS, _of(name), text, mend, is_required=is_read)
    if said.get("compression.type") not in ("uncompressed", "gzip"):
        text = "it stores batches as producers compress them, and those that are neither gzip nor "
        text += "uncompressed are skipped"
        mend = _alter(needs, name, "compression.type", "uncompressed")
        yield trouble(SETTINGS, _of(name), text, mend, is_required=False)
    yield from _retention(needs, name, policy, said.get("retention.ms", ""))


def _retention(needs: Needs, name: str, policy: TopicPolicy, said: str) -> Iterator[Diagnosis]:
    if policy.retention_ms is None or policy.cleanup != "delete":
        return
    try:
        kept_ms = int(said)
    except ValueError:
        yield unknown(SETTINGS, _of(name), f"`retention.ms` is `{visible(said)}`, not a number")
        return
    if kept_ms != FOREVER_MS and kept_ms < policy.retention_ms:
        text = f"records are kept for {_days(kept_ms)}, not {_days(policy.retention_ms)}: "
        text += "a monitor that was down for longer loses evidence"
        mend = _alter(needs, name, "retention.ms", str(policy.retention_ms))
        yield trouble(SETTINGS, _of(name), text, mend, is_required=False)


def _copies(needs: Needs, topics: Mapping[str, TopicFacts]) -> Iterator[Diagnosis]:
    """Copies in step, compared with `min.insync.replicas`: with fewer, nobody can write."""
    for name, found in _there(needs, topics):
        if found.settings is None:
            text = (
                "the broker does not show its settings, so the copies that it needs are not known"
            )
            yield unknown(COPIES, _of(name), text, is_required=False)
            continue
        said = found.settings.get("min.insync.replicas", "")
        if not (said.isascii() and said.isdigit() and len(said) < 6):
            text = f"`min.insync.replicas` is `{visible(said)}`, not a number"
            yield unknown(COPIES, _of(name), text)
        elif found.in_sync_min < int(said):
            text = f"a partition has {found.in_sync_min} copies in step, and needs {said}: "
            text += "nothing can be written to it"
            yield trouble(COPIES, _of(name), text, "start the brokers that hold its copies")
        elif found.replicas_min > 1 and int(said) < 2:
            text = f"it has {found.replicas_min} copies and `min.insync.replicas` is {said}: a "
            text += "record that was acknowledged may be lost with one broker"
            mend = _alter(needs, name, "min.insync.replicas", "2")
            yield trouble(COPIES, _of(name), text, mend, is_required=False)


def _rights(needs: Needs, facts: BrokerFacts) -> Iterator[Diagnosis]:
    for name, operations in needs.operations.items():
        found = facts.topics.get(name, TopicFacts(UNKNOWN_TOPIC))
        is_needed = name not in needs.optional
        if found.error == TOPIC_DENIED:
            for operation in sorted(operations):
                text = f"the {needs.role} may not {operation} this topic, or it does not exist: "
                text += "the broker does not distinguish"
                mend = _grant(operation, "topic", name)
                yield trouble(RIGHTS, _of(name), text, mend, is_required=is_needed)
        elif found.error:
            continue  # Reported with the topics.
        elif found.operations is None:
            yield unknown(RIGHTS, _of(name), "the broker does not say which operations are allowed")
        else:
            for operation in sorted(operations - found.operations):
                text = f"the {needs.role} may not {operation} this topic"
                mend = _grant(operation, "topic", name)
                yield trouble(RIGHTS, _of(name), text, mend, is_required=is_needed)
    if needs.group is None:
        return
    place = f"group `{needs.group}`"
    if facts.may_read_group is None:
        text = "the broker says only of a group that exists if it may be joined"
        yield unknown(RIGHTS, place, text, is_required=False)
    elif not facts.may_read_group:
        text = f"the {needs.role} may not READ the group"
        yield trouble(RIGHTS, place, text, _grant("READ", "group", needs.group))


def _there(needs: Needs, topics: Mapping[str, TopicFacts]) -> Iterator[tuple[str, TopicFacts]]:
    for name in needs.operations:
        found = topics.get(name)
        if found is not None and not found.error:
            yield name, found


def _of(name: str) -> str:
    return f"topic `{visible(name)}`"


def _days(time_ms: int) -> str:
    return f"{time_ms / DAY_MS:.3g} days"


def _first_of(bootstrap: str) -> tuple[str, str]:
    host, _, port = bootstrap.split(",", maxsplit=1)[0].rpartition(":")
    return host.strip("[]"), port


def _init(needs: Needs) -> str:
    return command("interlock", "kafka", "init", "--bootstrap", needs.bootstrap)


def _alter(needs: Needs, topic: str, setting: str, value: str) -> str:
    return command(
        "kafka-configs", "--bootstrap-server", needs.bootstrap, "--entity-type", "topics",
        "--entity-name", topic, "--alter", "--add-config", f"{setting}={value}",
    )  # fmt: skip


def _grant(operation: str, kind: str, name: str) -> str:
    return command(
        "kafka-acls", "--bootstrap-server", "HOST:PORT", "--add", "--allow-principal",
        "User:NAME", "--operation", operation, f"--{kind}", name,
    )  # fmt: skip
