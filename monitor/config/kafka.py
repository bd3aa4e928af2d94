"""The rows of the table of settings for the Kafka client."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

from .setting import row


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaSettings:
    """Settings of the Kafka client, under its own names; it uses its defaults for the others."""

    security_protocol: str | None = row(
        "kafka.security_protocol",
        "choice",
        None,
        "The protocol for connections to brokers.",
        choices=("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"),
        unset_means="`PLAINTEXT`",
    )
    sasl_mechanism: str | None = row(
        "kafka.sasl_mechanism",
        "choice",
        None,
        "The mechanism by which the monitor authenticates.",
        choices=("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "GSSAPI"),
    )
    sasl_plain_username: str | None = row(
        "kafka.sasl_plain_username", "text", None, "The user's name for `PLAIN` and `SCRAM`."
    )
    sasl_plain_password_file: str | None = row(
        "kafka.sasl_plain_password_file", "path", None, "A file with the user's password."
    )
    sasl_kerberos_service_name: str | None = row(
        "kafka.sasl_kerberos_service_name", "text", None, "The brokers' service name (`GSSAPI`)."
    )
    sasl_kerberos_domain_name: str | None = row(
        "kafka.sasl_kerberos_domain_name", "text", None, "The brokers' domain (`GSSAPI`)."
    )
    ssl_cafile: str | None = row(
        "kafka.ssl_cafile", "path", None, "Certificates to trust for brokers."
    )
    ssl_certfile: str | None = row(
        "kafka.ssl_certfile", "path", None, "The monitor's own certificate."
    )
    ssl_keyfile: str | None = row("kafka.ssl_keyfile", "path", None, "The key of that certificate.")
    ssl_password_file: str | None = row(
        "kafka.ssl_password_file", "path", None, "A file with the password of that key."
    )
    ssl_crlfile: str | None = row(
        "kafka.ssl_crlfile", "path", None, "A list of revoked certificates."
    )
    ssl_check_hostname: bool | None = row(
        "kafka.ssl_check_hostname",
        "boolean",
        None,
        "Check that a broker's certificate contains its name.",
        unset_means="`true`",
    )
    ssl_ciphers: str | None = row(
        "kafka.ssl_ciphers", "text", None, "Ciphers, in OpenSSL's notation."
    )
    client_id: str | None = row(
        "kafka.client_id", "text", None, "The client's name in the brokers' logs."
    )
    api_version: tuple[int, ...] | None = row(
        "kafka.api_version",
        "integers",
        None,
        "The brokers' version, such as `[2, 3]`, if it cannot be detected.",
        minimum=0,
    )

    def client_settings(self) -> Mapping[str, object]:
        """The settings that are set, as the Kafka door takes them (`client_settings` there)."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return {name: value for name, value in values.items() if value is not None}
