"""The monitor's access rights on a broker with access control, checked before anything is read.

Input: the topics to read, and the group. Output: every missing right at once, each with the
principal, the operation and the resource. The broker itself reports the rights of the connection
(`authorized_operations`). A broker without access control reports that everything is allowed; one
that is too old to answer is not queried further. The check writes nothing and joins no group.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from invariants.model.errors import ConfigError

from ...topics import CONTROL, DEAD_LETTERS, FINDINGS, OPTIONAL
from .client import AuthorizationError, KafkaError, open_admin

TOPIC_DENIED: Final = 29
"""The protocol's error code for a topic that the connection may not see."""
WRITTEN: Final[Mapping[str, Collection[str]]] = {
    CONTROL: ("READ", "WRITE"),
    FINDINGS: ("WRITE",),
    DEAD_LETTERS: ("WRITE",),
}
"""The monitor's operations on topics from which it reads no events."""
UNTIL_THEN: Final = "if gates write it, no monitor judges their sessions until then"


def check_rights(
    bootstrap: str, topics: Sequence[str], group: str | None, settings: Mapping[str, object]
) -> tuple[str, ...]:
    """Refuse to start without a right that is needed later; returns warnings.

    A topic that need not exist is not needed if the broker denies it: it answers the same for one
    that does not exist.

    Raises
    ------
    ConfigError
        With every missing right, a line each.
    ConnectionError, OSError
        No broker answered, or it refused.
    """
    needed = {**dict.fromkeys(topics, ("READ",)), **WRITTEN}
    who = principal_text(settings)
    admin = open_admin(bootstrap, settings)
    try:
        denied, missing = _missing_of_topics(admin, needed)
        lines = [
            missing_text(who, operation, "topic", topic)
            for topic, operations in missing.items()
            for operation in operations
        ]
        if group is not None and not _may_read_group(admin, group):
            lines.append(missing_text(who, "READ", "group", group))
    except KafkaError as error:
        raise OSError(f"the access rights could not be queried: {error}") from error
    finally:
        admin.close()
    if lines:
        raise ConfigError("\n".join(lines))
    return tuple(f"{missing_text(who, 'READ', 'topic', topic)}; {UNTIL_THEN}" for topic in denied)


def missing_text(who: str, operation: str, kind: str, name: str) -> str:
    """One missing right, and how it is granted."""
    flag = f"--{kind} {name}"
    hidden = " (or it does not exist: the broker does not distinguish)" if kind == "topic" else ""
    return (
        f"{who} may not {operation} the {kind} `{name}`{hidden if operation == 'READ' else ''}; "
        f"grant it: `kafka-acls --add --allow-principal User:NAME --operation {operation} {flag}`; "
        "docs/running.md lists all access rights"
    )


def principal_text(settings: Mapping[str, object]) -> str:
    """The principal of the connection on the broker, as far as the settings determine it."""
    name = settings.get("sasl_plain_username")
    if isinstance(name, str) and name:
        return f"`User:{name}`"
    if settings.get("ssl_certfile"):
        return "the principal of `kafka.ssl_certfile`"
    return "the monitor's principal (`User:ANONYMOUS`, unless the broker maps it)"


def _missing_of_topics(
    admin: Any, needed: Mapping[str, Collection[str]]
) -> tuple[list[str], dict[str, list[str]]]:
    """Optional topics that the broker denies, and the missing operations on all others."""
    described = {one["name"]: one for one in admin.describe_topics(list(needed))}
    denied: list[str] = []
    missing: dict[str, list[str]] = {}
    for topic, operations in needed.items():
        one = described[topic]
        if one["error_code"] == TOPIC_DENIED:
            if topic in OPTIONAL:
                denied.append(topic)
            else:
                missing[topic] = list(operations)
        # An old broker returns no list; `check_topics` reports a missing topic.
        elif not one["error_code"] and one["authorized_operations"]:
            allowed = one["authorized_operations"]
            missing[topic] = [name for name in operations if name not in allowed]
    return denied, missing


def _may_read_group(admin: Any, group: str) -> bool:
    """True if the group may be joined; also if the broker cannot tell yet."""
    try:
        described = admin.describe_groups([group])
    except AuthorizationError:
        return False
    except KafkaError:
        return True  # A new broker has no coordinator yet. Joining the group will show it.
    allowed = described.get(group, {}).get("authorized_operations")
    return not allowed or "READ" in allowed
