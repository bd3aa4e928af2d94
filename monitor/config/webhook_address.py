"""The address of a webhook, as the settings give it."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from invariants.model.errors import ConfigError


@dataclass(frozen=True, slots=True)
class WebhookAddress:
    """The address to post to; see `parse_webhook_url`."""

    is_tls: bool
    host: str
    port: int
    path: str


def parse_webhook_url(text: str) -> WebhookAddress:
    """The address that an `http://` or `https://` URL names.

    Raises
    ------
    ConfigError
        For another scheme, a password in the URL (it would end up in logs), or no host.

    Examples
    --------
    >>> parse_webhook_url("https://alerts.example/in?team=a")
    WebhookAddress(is_tls=True, host='alerts.example', port=443, path='/in?team=a')
    """
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ConfigError("`webhook.url` is not a valid address") from None
    if parts.scheme not in ("http", "https"):
        raise ConfigError("`webhook.url` must begin with `https://` or `http://`")
    if "@" in parts.netloc:
        raise ConfigError(
            "`webhook.url` must not contain a user or password; use `webhook.secret_file` to sign"
        )
    is_plain = text.isascii() and text.isprintable() and " " not in text
    if not parts.hostname or parts.fragment or not is_plain:
        raise ConfigError("`webhook.url` must be like `https://HOST[:PORT]/PATH`, in plain ASCII")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    is_tls = parts.scheme == "https"
    return WebhookAddress(is_tls, parts.hostname, port or (443 if is_tls else 80), path)
