"""Opens a gate from its settings, and serves it.

Nothing listens before the log was read to its end and the control records were read: whoever can
connect gets answers. At the end, what is in flight is finished, the core writes its checkpoint, and
the lock goes last.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Final, NamedTuple

from invariants.model.errors import ConfigError
from monitor.clock import Clock
from monitor.config.table import Settings
from monitor.gate.assemble import GateOptions, open_gate, own_operators
from monitor.gate.gate import Gate
from monitor.gate_server.address import SOCKET_MODES, LoopbackAddress, parse_addresses
from monitor.gate_server.identity import Identity
from monitor.gate_server.listeners import open_listener
from monitor.gate_server.notices import Notices
from monitor.gate_server.server import run_server
from monitor.gate_server.telemetry import Published
from monitor.log import say
from monitor.principals.load import load_principals
from monitor.principals.model import Principals
from monitor.service.connect import open_control
from monitor.topics import CLAIMS
from monitor.transport.address import FileAddress, LogDirAddress, parse_source_url
from monitor.transport.base import ClaimLog, ControlReader, RulingSource
from monitor.transport.gate_forward.forwarder import Forwarder
from monitor.transport.logdir.writer import FOLDER_MODE

OWN_LOG: Final = "gate-log"
"""The folder of the log in the state directory, of a gate that publishes to Kafka."""
POSITION_FILE: Final = "forwarded.json"


class Served(NamedTuple):
    """A gate that was opened, with its listeners."""

    gate: Gate
    listeners: list[socket.socket]
    identity: Identity
    clock: Clock
    published: Callable[[], Published]
    notices: Notices | None

    def run(self, is_stopping: Callable[[], bool]) -> None:
        """Serve until `is_stopping()`, and finish what is in flight."""
        serving = run_server(
            self.gate,
            self.listeners,
            self.identity,
            self.clock,
            is_stopping,
            published=self.published,
            notices=self.notices,
        )
        asyncio.run(serving)


def open_served(settings: Settings, clock: Clock, stack: ExitStack) -> Served:
    """Open everything; `stack` closes it.

    Raises
    ------
    InterlockError, OSError
        The gate cannot be opened.
    """
    assert settings.gate.listen is not None, "the caller requires it"
    addresses = parse_addresses(settings.gate.listen)
    principals = None if settings.principals is None else load_principals(settings.principals)
    if principals is None and any(isinstance(a, LoopbackAddress) for a in addresses):
        raise ConfigError(
            "`gate.listen` names a port, on which only tokens tell agents apart; set `principals` "
            "to a file with `token_sha256`, or listen on `unix:PATH`"
        )
    log_dir, control, brokers = _published(settings, stack)
    options = GateOptions(
        log_dir,
        is_synced=settings.gate.sync,
        operators=own_operators(),
        view_age_ns=settings.gate.view_age_ns,
    )
    gate = open_gate(
        settings,
        options,
        clock,
        stack,
        principals=principals,
        control=control,
        claim_log=None if brokers is None else _claim_log(settings, brokers, stack),
        rulings=None if brokers is None else _rulings(settings, brokers, principals, stack),
    )
    published: Callable[[], Published] = Published
    if brokers is not None:
        published = _forwarding(
            settings, log_dir, brokers, clock, stack, needed_file=gate.needed_file
        )
    mode, group = SOCKET_MODES[settings.gate.socket_access], settings.gate.socket_group
    listeners = [open_listener(address, mode, group, stack) for address in addresses]
    named = ", ".join(str(listener.getsockname()) for listener in listeners)
    say("info", "gate_listens", at=named, publish=settings.gate.publish)
    notices = _notices(settings, clock, stack)
    return Served(gate, listeners, Identity(principals), clock, published, notices)


def _notices(settings: Settings, clock: Clock, stack: ExitStack) -> Notices | None:
    """The webhook for calls that wait, on a thread that `stack` ends; None without an address."""
    if settings.webhook_url is None:
        return None
    # It takes a tenth of a start to import: most gates have no webhook.
    from monitor.actions.open import open_poster

    poster = open_poster(settings, clock, settings.webhook_url)
    notices = Notices(poster.post)
    stack.callback(notices.close)
    return notices


def _published(settings: Settings, stack: ExitStack) -> tuple[Path, ControlReader, str | None]:
    """The folder of the gate's log, the reader of the control topic, and the brokers to forward
    the log to.
    """
    assert settings.gate.publish is not None, "the caller requires it"
    address = parse_source_url(settings.gate.publish)
    if isinstance(address, FileAddress):
        raise ConfigError("`gate.publish` must be `log:DIRECTORY` or `kafka://HOST:PORT`")
    if isinstance(address, LogDirAddress):
        Path(address.directory).mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    reader, publisher = open_control(address, settings, "gate")
    publisher.close()
    stack.callback(reader.close)
    if isinstance(address, LogDirAddress):
        return Path(address.directory), reader, None
    own_log = Path(settings.state_dir) / OWN_LOG
    own_log.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    return own_log, reader, address.bootstrap


def _claim_log(settings: Settings, brokers: str, stack: ExitStack) -> ClaimLog:
    """The claims of all gates that publish to these brokers; `stack` closes it."""
    from monitor.transport.kafka.claim_log import KafkaClaimLog
    from monitor.transport.kafka.topic_config import check_claims

    kafka = settings.kafka.client_settings()
    log = KafkaClaimLog(brokers, settings=kafka)
    stack.callback(log.close)
    check_claims(brokers, CLAIMS, kafka)
    return log


def _rulings(
    settings: Settings, brokers: str, principals: Principals | None, stack: ExitStack
) -> RulingSource | None:
    """Decisions that operators make by their topics. Without a file of principals, operators are
    users of this machine, who have no topics.
    """
    if principals is None:
        return None
    from monitor.transport.kafka.operator_topics import KafkaOperatorTopics

    topics = KafkaOperatorTopics(brokers, settings=settings.kafka.client_settings())
    stack.callback(topics.close)
    topics.start()
    return topics


def _forwarding(
    settings: Settings,
    log_dir: Path,
    brokers: str,
    clock: Clock,
    stack: ExitStack,
    *,
    needed_file: Callable[[], str],
) -> Callable[[], Published]:
    """Send the log to Kafka, on a thread that `stack` ends; returns how far it is."""
    from monitor.transport.kafka.producer import KafkaPublisher

    kafka = settings.kafka.client_settings()
    forwarder = Forwarder(
        log_dir,
        Path(settings.state_dir) / POSITION_FILE,
        lambda: KafkaPublisher(brokers, settings=kafka),
        now_ns=clock.now_ns,
        needed_file=needed_file,
    )
    stack.callback(forwarder.close)
    forwarder.start()

    def published() -> Published:
        status = forwarder.status
        return Published(status.lag_records, forwarder.waiting_bytes(), status.trouble)

    return published
