"""A survey of a broker, for `interlock doctor`: it creates nothing, writes nothing, joins no group.

Input: addresses, topics and a group. Output: `BrokerFacts`, which `monitor/doctor/broker.py`
judges.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .broker_facts import BrokerFacts, TopicFacts
from .client import AuthorizationError, ConfigResource, ConfigResourceType, KafkaError, open_admin


def survey(
    bootstrap: str, topics: Sequence[str], group: str | None, settings: Mapping[str, object]
) -> BrokerFacts:
    """Describe a broker and these topics.

    Raises
    ------
    ConfigError
        The client's settings cannot be used.
    ConnectionError, OSError
        No broker answered, or its answer cannot be read.
    """
    admin = open_admin(bootstrap, settings)
    try:
        return BrokerFacts(
            tuple(admin._manager.broker_version),
            len(admin.describe_cluster()["brokers"]),
            {one["name"]: _topic(admin, one) for one in admin.describe_topics(list(topics))},
            None if group is None else _may_read_group(admin, group),
        )
    except KafkaError as error:
        raise OSError(f"the broker could not be queried: {error}") from error
    finally:
        admin.close()


def _topic(admin: Any, said: Mapping[str, Any]) -> TopicFacts:
    if said["error_code"]:
        return TopicFacts(said["error_code"])
    partitions = said["partitions"]
    operations = said["authorized_operations"]
    return TopicFacts(
        partitions=len(partitions),
        without_leader=sum(one["leader_id"] < 0 for one in partitions),
        replicas_min=min((len(one["replica_nodes"]) for one in partitions), default=0),
        in_sync_min=min((len(one["isr_nodes"]) for one in partitions), default=0),
        operations=frozenset(operations) if operations else None,
        settings=_settings(admin, said["name"]),
    )


def _settings(admin: Any, topic: str) -> Mapping[str, str] | None:
    """The topic's settings; None if the broker does not show them."""
    asked = [ConfigResource(ConfigResourceType.TOPIC, topic)]
    try:
        answer = admin.describe_configs(asked, config_filter="all")
    except AuthorizationError:
        return None
    said = answer.get("topic", {}).get(topic, {})
    return {name: str(one["value"]) for name, one in said.items()} or None


def _may_read_group(admin: Any, group: str) -> bool | None:
    try:
        described = admin.describe_groups([group])
    except AuthorizationError:
        return False
    except KafkaError:
        return None  # A new broker has no coordinator yet.
    allowed = described.get(group, {}).get("authorized_operations")
    return "READ" in allowed if allowed else None
