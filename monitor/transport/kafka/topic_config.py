"""The topics of Interlock on a broker: creating them, and refusing unreliable ones.

Input: `monitor.topics.POLICIES`. An existing topic is never changed: differences are reported.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from invariants.model.errors import ConfigError

from ...topics import OPTIONAL, POLICIES, READ_TOGETHER, TopicPolicy
from .client import (
    ConfigResource,
    ConfigResourceType,
    KafkaError,
    TopicAlreadyExistsError,
    open_admin,
)
from .rights import TOPIC_DENIED, missing_text, principal_text

PARTITIONS: Final = 12  # Chosen: divides evenly among 1, 2, 3, 4, 6 and 12 monitors.
COMPACT_AFTER_MS: Final = 3_600_000
UNKNOWN_TOPIC: Final = 3
"""The protocol's error code for a topic that is not there."""


@dataclass(frozen=True, slots=True)
class TopicReport:
    """One topic after `init_topics`: True if it was created now, and its differences."""

    topic: str
    is_created: bool
    differences: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CheckedTopics:
    """The topics that exist and may be read, and their permitted but doubtful properties."""

    topics: tuple[str, ...]
    warnings: tuple[str, ...]


def topic_settings(policy: TopicPolicy) -> dict[str, str]:
    """The broker's settings of a topic kept by `policy`.

    The append time is the broker's, since agents choose their own. Stored uncompressed: whatever
    codec a producer uses, readers need none and cannot be sent a decompression bomb.
    """
    settings = {
        "cleanup.policy": policy.cleanup,
        "message.timestamp.type": "LogAppendTime",
        "compression.type": "uncompressed",
    }
    if policy.retention_ms is not None:
        settings["retention.ms"] = str(policy.retention_ms)
    if policy.cleanup == "compact":
        settings["max.compaction.lag.ms"] = str(COMPACT_AFTER_MS)
    return settings


def init_topics(
    bootstrap: str,
    partitions: int | None = None,
    replication_factor: int = -1,
    *,
    settings: Mapping[str, object] | None = None,
    topics: Mapping[str, TopicPolicy] = POLICIES,
) -> tuple[TopicReport, ...]:
    """Create missing topics; report the differences of existing ones.

    It is safe to run twice, even concurrently. Partition counts are never changed: keys would move,
    and a session with them. Without `partitions`, a new topic gets as many as the existing topics
    keyed by session have, else 12. `replication_factor` -1 is the broker's default.

    Raises
    ------
    OSError
        No broker answered, or it refused.
    """
    who = principal_text(settings or {})
    admin = open_admin(bootstrap, settings or {})
    try:
        counts = _partition_counts(admin, dict.fromkeys((*topics, *READ_TOGETHER)), who)
        missing = topics.keys() - counts.keys()
        partitions = partitions or _usual_count(counts)
        for topic in sorted(missing):
            policy = topics[topic]
            count = policy.partitions or partitions
            _create(admin, topic, policy, count, replication_factor)
        return tuple(
            TopicReport(topic, topic in missing, _differences(admin, topic, policy, partitions))
            for topic, policy in topics.items()
        )
    except KafkaError as error:
        raise OSError(f"the topics could not be created: {error}") from error
    finally:
        admin.close()


def _usual_count(counts: Mapping[str, int]) -> int:
    """A topic that is added later must have as many as the others, or no monitor would read it."""
    existing = {counts[topic] for topic in READ_TOGETHER if topic in counts}
    return existing.pop() if len(existing) == 1 else PARTITIONS


def check_topics(
    bootstrap: str,
    topics: Sequence[str] = READ_TOGETHER,
    settings: Mapping[str, object] | None = None,
    *,
    trust_ts: bool = False,
    optional: Collection[str] = OPTIONAL,
) -> CheckedTopics:
    """Refuse topics that would make verdicts wrong; an absent one of `optional` is left out.

    Raises
    ------
    ConfigError
        A topic is missing or may not be read, partition counts differ, or append times are the
        producer's.
    ConnectionError, OSError
        No broker answered, or it refused.
    """
    who = principal_text(settings or {})
    admin = open_admin(bootstrap, settings or {})
    try:
        counts = _partition_counts(admin, topics, who, may_be_denied=optional)
        absent = [topic for topic in topics if topic not in counts and topic not in optional]
        found = {topic: _settings_of(admin, topic) for topic in topics if topic in counts}
    except KafkaError as error:
        raise OSError(f"the topics could not be queried: {error}") from error
    finally:
        admin.close()
    faults = _faults(counts, absent, found, trust_ts=trust_ts)
    if faults:
        raise ConfigError("\n".join(faults))
    there = tuple(topic for topic in topics if topic in counts)
    return CheckedTopics(there, (*_unseen(who, found), *_compressed(found)))


def check_claims(bootstrap: str, topic: str, settings: Mapping[str, object]) -> None:
    """Refuse a topic of claims that forgets some of them. If the broker does not show its settings,
    nothing is checked.

    Raises
    ------
    ConfigError
        It is not compacted, or deletes records as well.
    OSError
        The broker did not answer.
    """
    admin = open_admin(bootstrap, settings)
    try:
        policy = _settings_of(admin, topic).get("cleanup.policy", "compact")
    except KafkaError as error:
        raise OSError(f"`{topic}` could not be queried: {error}") from error
    finally:
        admin.close()
    if policy != "compact":
        raise ConfigError(
            f"topic `{topic}` has `cleanup.policy={policy}`: claims of sessions would be deleted, "
            "and two gates could have one session; set `cleanup.policy=compact` on it"
        )


def _unseen(who: str, found: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    """Topics whose settings the broker does not show: the timestamps of their records must
    suffice.
    """
    topics = ", ".join(f"`{topic}`" for topic, said in found.items() if not said)
    if topics:
        yield (
            f"{who} may not DESCRIBE_CONFIGS {topics}: it was not checked that they have "
            "`message.timestamp.type=LogAppendTime`. If a record has no append time, a notice "
            "`unstamped` reports it, and its time of reading counts as arrival"
        )


def _compressed(found: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    return (
        f"topic `{topic}` stores batches as producers compress them; batches that are neither "
        "uncompressed nor gzip are skipped: set `compression.type=uncompressed`"
        for topic, said in found.items()
        if said and said.get("compression.type") not in ("uncompressed", "gzip")
    )


def _faults(
    counts: Mapping[str, int],
    absent: Sequence[str],
    found: Mapping[str, Mapping[str, str]],
    *,
    trust_ts: bool,
) -> list[str]:
    faults = [f"topic `{name}` does not exist; run `interlock kafka init`" for name in absent]
    if len(set(counts.values())) > 1:
        told = ", ".join(f"`{topic}` {count}" for topic, count in sorted(counts.items()))
        faults.append(
            f"topics keyed by session must have the same number of partitions, but have: {told}; "
            "create new topics with equal counts (changing a count moves sessions)"
        )
    for topic, said in found.items():
        if said and said.get("message.timestamp.type") != "LogAppendTime" and not trust_ts:
            faults.append(
                f"topic `{topic}` has times that producers choose; set "
                "`message.timestamp.type=LogAppendTime` on it, or `trust_ts: true` for a backfill"
            )
    return faults


def _create(
    admin: Any, topic: str, policy: TopicPolicy, partitions: int, replication_factor: int
) -> None:
    wanted = {
        "num_partitions": partitions,
        "replication_factor": replication_factor,
        "configs": topic_settings(policy),
    }
    try:
        admin.create_topics({topic: wanted}, wait_for_metadata=True)
    except TopicAlreadyExistsError:
        # Another process created it between our check and now: it is reported like any other.
        return


def _partition_counts(
    admin: Any,
    topics: Mapping[str, object] | Sequence[str],
    who: str = "the administrator",
    *,
    may_be_denied: Collection[str] = (),
) -> dict[str, int]:
    described = admin.describe_topics(list(topics))
    denied = {one["name"] for one in described if one["error_code"] == TOPIC_DENIED}
    refused = [name for name in topics if name in denied and name not in may_be_denied]
    if refused:
        raise ConfigError("\n".join(missing_text(who, "READ", "topic", name) for name in refused))
    for one in described:
        if one["error_code"] not in (0, UNKNOWN_TOPIC) and one["name"] not in denied:
            raise OSError(f"topic `{one['name']}`: the broker answers error {one['error_code']}")
    return {one["name"]: len(one["partitions"]) for one in described if not one["error_code"]}


def _settings_of(admin: Any, topic: str) -> dict[str, str]:
    asked = [ConfigResource(ConfigResourceType.TOPIC, topic)]
    answer = admin.describe_configs(asked, config_filter="all")
    return {name: said["value"] for name, said in answer["topic"][topic].items()}


def _differences(admin: Any, topic: str, policy: TopicPolicy, partitions: int) -> tuple[str, ...]:
    said = _settings_of(admin, topic)
    if not said:
        return ("its settings cannot be read: the right DESCRIBE_CONFIGS is missing",)
    told = [
        f"`{name}` is `{said.get(name)}`, not `{value}`"
        for name, value in topic_settings(policy).items()
        if said.get(name) != value
    ]
    count = _partition_counts(admin, [topic])[topic]
    partitions = policy.partitions or partitions
    if count != partitions:
        told.append(f"it has {count} partitions, not {partitions} (never changed: keys would move)")
    return tuple(told)
