"""The monitor's only door to the Kafka client library (`kafka-python` 3).

Other modules import from here the parts of the library that they need. Input: a bootstrap address
and the user's settings. Output: clients that are configured so that nothing is lost and no wait is
endless, and errors as `OSError` with a sentence. Passwords come only from files and are never
repeated.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from invariants.model.errors import ConfigError

from .guarded import GuardedClient

with warnings.catch_warnings():
    # The library reads its schemas by a function that Python 3.11 and 3.12 call deprecated.
    warnings.simplefilter("ignore", DeprecationWarning)
    from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
    from kafka.admin import ConfigResource, ConfigResourceType
    from kafka.consumer.subscription_state import ConsumerRebalanceListener
    from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
    from kafka.errors import (
        AuthorizationError,
        BrokerResponseError,
        CorruptRecordError,
        FencedInstanceIdError,
        KafkaConfigurationError,
        KafkaError,
        KafkaTimeoutError,
        LogTruncationError,
        OffsetOutOfRangeError,
        TopicAlreadyExistsError,
        UnsupportedCodecError,
    )
    from kafka.net.compat import KafkaNetClient
    from kafka.protocol.consumer.metadata import (
        ConsumerProtocolAssignment,
        ConsumerProtocolSubscription,
    )
    from kafka.structs import OffsetAndMetadata

__all__ = [
    "AuthorizationError",
    "BrokerResponseError",
    "ClientFaultError",
    "ConfigResource",
    "ConfigResourceType",
    "ConsumerProtocolAssignment",
    "ConsumerProtocolSubscription",
    "ConsumerRebalanceListener",
    "CooperativeStickyAssignor",
    "CorruptRecordError",
    "FencedInstanceIdError",
    "KafkaError",
    "KafkaTimeoutError",
    "LogTruncationError",
    "OffsetAndMetadata",
    "OffsetOutOfRangeError",
    "TopicAlreadyExistsError",
    "TopicPartition",
    "UnsupportedCodecError",
    "client_settings",
    "open_admin",
    "open_consumer",
    "open_producer",
]

BOOTSTRAP_MS: Final = 10_000
REQUEST_MS: Final = 15_000
RECONNECT_MS_MAX: Final = 2_000  # Chosen: a broker that is back is noticed within two seconds.

FETCH_BYTES_MAX: Final = 16 * 1024 * 1024
"""For one answer of one broker; far below the 100 MB frame that the client drops in silence."""
FETCH_WAIT_MS: Final = 20
"""Chosen: a record of a stream that the question under way does not name waits for its answer.

Measured: with the client's own 500 ms one kill in a hundred took 520 ms (12 partitions, idle).
"""

PRODUCER_BUFFER_BATCH_BYTES: Final = 128 * 1024  # Measured: facts on Kafka, batches >= 128 kB.
RECORD_BYTES_MAX: Final = 1_048_576
"""A broker's default maximum (`message.max.bytes`), key and headers included."""

PLAIN_SETTINGS: Final = frozenset(
    {
        "security_protocol",
        "sasl_mechanism",
        "sasl_plain_username",
        "sasl_kerberos_service_name",
        "sasl_kerberos_domain_name",
        "ssl_cafile",
        "ssl_certfile",
        "ssl_keyfile",
        "ssl_crlfile",
        "ssl_check_hostname",
        "ssl_ciphers",
        "client_id",
        "api_version",
    }
)
SECRET_SETTINGS: Final = {
    "sasl_plain_password_file": "sasl_plain_password",
    "ssl_password_file": "ssl_password",
}


class ClientFaultError(KafkaError):  # type: ignore[misc] # the library is not typed
    """The library failed in a way of its own; asking again may work."""

    retriable = True


def client_settings(settings: Mapping[str, object]) -> dict[str, object]:
    """The user's settings as the client takes them, passwords read from their files.

    Raises
    ------
    ConfigError
        For a name that is none, a password given in place, or a file that cannot be read.
    """
    taken: dict[str, object] = {}
    for name, value in settings.items():
        if name in PLAIN_SETTINGS:
            taken[name] = tuple(value) if isinstance(value, list) else value
        elif name in SECRET_SETTINGS:
            taken[SECRET_SETTINGS[name]] = _secret(name, value)
        elif name in SECRET_SETTINGS.values():
            raise ConfigError(f"`kafka.{name}` must not be given directly; use `{name}_file: PATH`")
        else:
            known = ", ".join(sorted(PLAIN_SETTINGS | SECRET_SETTINGS.keys()))
            raise ConfigError(
                f"`kafka.{name}` is not a setting of the Kafka client; known: {known}"
            )
    return taken


def open_consumer(bootstrap: str, settings: Mapping[str, object], **more: object) -> Any:
    """A consumer that commits nothing by itself and never jumps over a hole by itself."""
    return _open(
        KafkaConsumer,
        bootstrap,
        settings,
        {
            "enable_auto_commit": False,
            "auto_offset_reset": "none",
            "allow_auto_create_topics": False,
            "fetch_max_bytes": FETCH_BYTES_MAX,
            "fetch_max_wait_ms": FETCH_WAIT_MS,
            "metadata_max_age_ms": 15_000,
            "metrics_enabled": False,
            **more,
        },
    )


def open_producer(bootstrap: str, settings: Mapping[str, object], **more: object) -> Any:
    """A producer whose records are neither lost nor doubled by a retry (idempotent, acks all).

    Its partitioner is the client's default, murmur2 of the key, as with every client of ours.
    """
    return _open(
        KafkaProducer,
        bootstrap,
        settings,
        {
            "enable_idempotence": True,
            "acks": "all",
            "allow_auto_create_topics": False,
            "batch_size": PRODUCER_BUFFER_BATCH_BYTES,
            "max_request_size": RECORD_BYTES_MAX,
            "metrics_enabled": False,
            **more,
        },
    )


def open_admin(bootstrap: str, settings: Mapping[str, object]) -> Any:
    """A client that creates and describes topics."""
    return _open(KafkaAdminClient, bootstrap, settings, {})


def _open(
    make: Any, bootstrap: str, settings: Mapping[str, object], more: dict[str, object]
) -> Any:
    chosen: dict[str, object] = {
        "bootstrap_servers": bootstrap.split(","),
        "bootstrap_timeout_ms": BOOTSTRAP_MS,
        "request_timeout_ms": REQUEST_MS,
        "reconnect_backoff_max_ms": RECONNECT_MS_MAX,
    }
    chosen |= client_settings(settings) | more
    opened: list[Any] = []
    try:
        client = make(**chosen, kafka_client=lambda **said: _kept(opened, KafkaNetClient(**said)))
        return GuardedClient(client, ClientFaultError)
    except KafkaConfigurationError as error:
        raise ConfigError(f"the Kafka client rejects its settings: {error}") from None
    except KafkaError as error:
        # The library leaves its thread and sockets behind when a constructor fails.
        for client in opened:
            client.close()
        raise ConnectionError(
            f"no Kafka broker answered at `{bootstrap}` within {BOOTSTRAP_MS // 1000} s "
            f"({type(error).__name__}); check the address, that the broker is running, and the "
            "`security_protocol`"
        ) from None


def _kept(opened: list[Any], client: Any) -> Any:
    opened.append(client)
    return client


def _secret(name: str, value: object) -> str:
    path = Path(str(value))
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"`kafka.{name}`: cannot read `{path}`: {type(error).__name__}") from None
    return text.removesuffix("\n").removesuffix("\r")
