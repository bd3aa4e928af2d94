"""Settings -> the policy of responses and the drivers that carry actions out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interlock.control_record import ControlView

from ..clock import Clock
from ..config.table import Settings
from ..response.plan import LOG_TARGET, WEBHOOK_TARGET, ResponsePolicy
from ..secret import Secret, read_secret
from ..store.store import Store
from ..transport.base import Publisher
from .alert import LogAlertDriver
from .contract import ActionDriver
from .control import ControlDriver, ControlIssuer
from .dispatch import CONTROL_DRIVER

if TYPE_CHECKING:
    from .webhook import WebhookPoster, WebhookSettings


def response_policy(settings: Settings) -> ResponsePolicy:
    """The settings that `respond.plan` and `respond.admit` need."""
    return ResponsePolicy(
        is_observing=settings.mode == "observe",
        names_principal=settings.respond_principal,
        has_webhook=settings.webhook_url is not None,
        enforcing_max=settings.respond_enforcing_per_hour_max,
        kills_max=settings.respond_kills_per_hour_max,
    )


def control_issuer(
    settings: Settings, store: Store, view: ControlView, *, group: str, observes: bool
) -> ControlIssuer:
    """The name and the new epoch of this run: to be called once for each start.

    `view` is the monitor's own view of the control topic, read to its end.
    """
    name = settings.respond_issuer or f"monitor-{store.identity}"
    return ControlIssuer(name, store.next_epoch(name, view.epoch_of(name)), group, observes)


def webhook_secret(settings: Settings) -> Secret | None:
    """The secret that signs posts, also for the log's list of secrets to hide.

    Raises
    ------
    ConfigError
        Its file cannot be read.
    """
    if settings.webhook_secret_file is None:
        return None
    return read_secret("webhook.secret_file", settings.webhook_secret_file)


def open_drivers(
    settings: Settings,
    publisher: Publisher,
    view: ControlView,
    issuer: ControlIssuer,
    clock: Clock,
) -> dict[str, ActionDriver]:
    """Every driver that the settings enable, under the names that `Dispatcher` uses.

    Raises
    ------
    ConfigError
        The webhook's address, secret or certificates are not usable.
    """
    drivers: dict[str, ActionDriver] = {
        LOG_TARGET: LogAlertDriver(),
        CONTROL_DRIVER: ControlDriver(
            publisher, view, issuer, clock, settings.respond_quarantine_ttl_ns
        ),
    }
    if settings.webhook_url is not None:
        # HTTP and TLS take long to import, and most monitors have no webhook.
        from .webhook import WebhookDriver

        drivers[WEBHOOK_TARGET] = WebhookDriver(_webhook(settings, settings.webhook_url), clock)
    return drivers


def open_poster(settings: Settings, clock: Clock, url: str) -> WebhookPoster:
    """The webhook of a gate at an address, for calls that begin to wait.

    Raises
    ------
    ConfigError
        As for the drivers.
    """
    from .webhook import WebhookPoster

    return WebhookPoster(_webhook(settings, url), clock)


def _webhook(settings: Settings, url: str) -> WebhookSettings:
    from ..config.webhook_address import parse_webhook_url
    from .webhook import WebhookSettings

    return WebhookSettings(
        address=parse_webhook_url(url),
        secret=webhook_secret(settings),
        timeout_s=settings.webhook_timeout_ns / 1_000_000_000,
        attempts_max=settings.webhook_attempts_max,
        ca_file=settings.webhook_ca_file,
    )
