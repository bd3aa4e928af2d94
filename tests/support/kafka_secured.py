"""A real broker that authenticates (SASL/PLAIN over loopback) and authorizes (StandardAuthorizer).

Input: a directory. Output: the broker, clients' settings for a user, and rights as a test grants
them. The password of each user is its name: nothing here protects anything.
"""

from __future__ import annotations

import base64
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, NamedTuple

from monitor.transport.kafka.client import open_admin
from tests.support.kafka_broker import Broker, free_port, start_with

USERS: Final = ("admin", "monitor", "alice", "bob", "operator")
ADMIN: Final = {
    "security_protocol": "SASL_PLAINTEXT",
    "sasl_mechanism": "PLAIN",
    "sasl_plain_username": "admin",
    "sasl_plain_password": "admin",
}


class Right(NamedTuple):
    """What a user may do with one resource: `topic`, `prefix` (of topics) or `group`."""

    operation: str
    kind: str
    name: str


def start_secured(directory: Path) -> Broker:
    """A broker that denies what was not granted; `admin` may do everything."""
    port, controller = free_port(), free_port()
    users = " ".join(f'user_{name}="{name}"' for name in USERS)
    login = "org.apache.kafka.common.security.plain.PlainLoginModule required"
    settings = {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@127.0.0.1:{controller}",
        "listeners": f"SASL_PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}",
        "advertised.listeners": f"SASL_PLAINTEXT://127.0.0.1:{port}",
        "controller.listener.names": "CONTROLLER",
        "listener.security.protocol.map": ("CONTROLLER:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT"),
        "inter.broker.listener.name": "SASL_PLAINTEXT",
        "sasl.mechanism.inter.broker.protocol": "PLAIN",
        "sasl.enabled.mechanisms": "PLAIN",
        "listener.name.sasl_plaintext.plain.sasl.jaas.config": (
            f'{login} username="admin" password="admin" {users};'
        ),
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:admin;User:ANONYMOUS",
        "log.dirs": str(directory / "data"),
        "num.partitions": "2",
        "auto.create.topics.enable": "false",
        "offsets.topic.num.partitions": "2",
        "offsets.topic.replication.factor": "1",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        "group.initial.rebalance.delay.ms": "0",
    }
    cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    return start_with(directory, settings, cluster)


def user_settings(user: str, folder: Path) -> dict[str, object]:
    """The `kafka` settings of the monitor for a user; the password stands in a file."""
    secret = folder / f"{user}.password"
    secret.write_text(user)
    secret.chmod(0o600)
    return {
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": "PLAIN",
        "sasl_plain_username": user,
        "sasl_plain_password_file": str(secret),
    }


class Rights:
    """Grants and takes away, as the broker's administrator. Close it."""

    def __init__(self, bootstrap: str, folder: Path) -> None:
        self._admin: Any = open_admin(bootstrap, user_settings("admin", folder))

    def grant(self, user: str, rights: Iterable[Right]) -> None:
        """Allow."""
        self._admin.create_acls([_acl(user, right) for right in rights])

    def revoke_all(self, user: str) -> None:
        """Take everything away from a user."""
        from kafka.admin import (
            ACLFilter,
            ACLOperation,
            ACLPermissionType,
            ACLResourcePatternType,
            ResourcePatternFilter,
            ResourceType,
        )

        pattern = ResourcePatternFilter(ResourceType.ANY, None, ACLResourcePatternType.ANY)
        self._admin.delete_acls(
            [ACLFilter(f"User:{user}", None, ACLOperation.ANY, ACLPermissionType.ANY, pattern)]
        )

    def close(self) -> None:
        self._admin.close()


def _acl(user: str, right: Right) -> Any:
    # Behind the door, which alone knows how to import the library without its warnings.
    from kafka.admin import (
        ACL,
        ACLOperation,
        ACLPermissionType,
        ACLResourcePatternType,
        ResourcePattern,
        ResourceType,
    )

    kind = ResourceType.GROUP if right.kind == "group" else ResourceType.TOPIC
    is_prefix = right.kind == "prefix"
    pattern = ACLResourcePatternType.PREFIXED if is_prefix else ACLResourcePatternType.LITERAL
    return ACL(
        f"User:{user}",
        "*",
        ACLOperation[right.operation],
        ACLPermissionType.ALLOW,
        ResourcePattern(kind, right.name, pattern),
    )
