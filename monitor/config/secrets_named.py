"""Settings -> the secrets that they name, so that no log shows one."""

from __future__ import annotations

from monitor.config.table import Settings
from monitor.secret import Secret, read_keys, read_secret


def secrets_of(settings: Settings) -> list[Secret]:
    """Every secret that the settings name; the log must not show them, whoever writes to it."""
    files = {
        "digest_key_file": settings.digest_key_file,
        "webhook.secret_file": settings.webhook_secret_file,
        "kafka.sasl_plain_password_file": settings.kafka.sasl_plain_password_file,
        "kafka.ssl_password_file": settings.kafka.ssl_password_file,
    }
    keys_file = settings.sources.fingerprint_key_file
    keys = [] if keys_file is None else read_keys("fingerprint_key_file", keys_file)
    return [*keys, *(read_secret(name, path) for name, path in files.items() if path is not None)]
