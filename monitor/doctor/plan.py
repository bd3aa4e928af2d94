"""The parts of an installation that settings and flags name, as addresses and needs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Final

import msgspec

from invariants.model.errors import ConfigError
from monitor.config.table import Settings
from monitor.doctor.diagnosis import Diagnosis, trouble
from monitor.doctor.needs import Needs, agent_needs, gate_needs, monitor_needs
from monitor.gate_server.address import Address, LoopbackAddress, UnixAddress, parse_addresses
from monitor.topics import CONTROL, EVENTS, GATE
from monitor.transport.address import (
    KafkaAddress,
    LogDirAddress,
    SourceAddress,
    parse_source_url,
)

CONFIG: Final = "config"


class Asked(msgspec.Struct, frozen=True):
    """The parts to examine. `settings_fault` has a line for each fault of the settings.

    `sample_count` is the number of latest records to read of each stream.
    """

    settings: Settings
    settings_fault: str = ""
    config: str | None = None
    gate: str | None = None
    target: str | None = None
    token_file: str | None = None
    sample_count: int = 100
    seconds: float = 15.0


class Plan(msgspec.Struct, frozen=True):
    """The addresses of an examination, and the faults of those that cannot be read."""

    source: SourceAddress | None
    publish: SourceAddress | None
    target: SourceAddress | None
    gates: tuple[str, ...]
    sockets: tuple[str, ...]
    monitor: tuple[str, int] | None
    """The host and the port of its pages, if they are known."""
    faults: tuple[Diagnosis, ...]


def plan_of(asked: Asked) -> Plan:
    """The plan of an examination. Without `gate`, the first address of `gate.listen` is asked."""
    faults: list[Diagnosis] = []

    def parsed(name: str, text: str | None) -> SourceAddress | None:
        try:
            return None if text is None else parse_source_url(text)
        except ConfigError as error:
            faults.append(trouble(CONFIG, name, str(error)))
            return None

    gate = asked.settings.gate
    source, publish = parsed("source", asked.settings.source), parsed("publish", gate.publish)
    target = parsed("--target", asked.target)
    listens: tuple[Address, ...] = ()
    try:
        listens = () if gate.listen is None else parse_addresses(gate.listen)
    except ConfigError as error:
        faults.append(trouble(CONFIG, "gate.listen", str(error)))
    sockets = tuple(one.path for one in listens if isinstance(one, UnixAddress))
    ports = tuple(one for one in listens if isinstance(one, LoopbackAddress))
    named = [*(f"unix:{path}" for path in sockets), *(_http(one) for one in ports)]
    gates = (asked.gate,) if asked.gate else tuple(named[:1])
    monitor = _pages_of_monitor(asked.settings) if source is not None else None
    return Plan(source, publish, target, gates, sockets, monitor, tuple(faults))


def _http(address: LoopbackAddress) -> str:
    host = f"[{address.host}]" if ":" in address.host else address.host
    return f"http://{host}:{address.port}"


def _pages_of_monitor(settings: Settings) -> tuple[str, int] | None:
    """Where a monitor serves its pages to this machine; None if there is no known port."""
    if not settings.http_enabled or settings.http_port == 0:
        return None
    host = settings.http_host
    return ("127.0.0.1" if host in ("0.0.0.0", "::", "localhost") else host, settings.http_port)  # noqa: S104


def extras(settings: Settings, plan: Plan) -> frozenset[str]:
    """The extras of the packages that these settings need."""
    needed = {"gate": settings.gate.listen, "detect": settings.detector.model}
    kafka = {"kafka"} if isinstance(plan.target, KafkaAddress) else set()
    return frozenset({name for name, value in needed.items() if value is not None} | kafka)


def token_file(asked: Asked) -> str | None:
    """The file of the token with which a gate is asked."""
    return asked.token_file or os.environ.get("INTERLOCK_GATE_TOKEN_FILE") or None


def has_state(plan: Plan) -> bool:
    """True if a monitor or a gate keeps a state; a finished file needs none."""
    return plan.publish is not None or isinstance(plan.source, KafkaAddress | LogDirAddress)


def needs_of(settings: Settings, plan: Plan, *, reads_all: bool) -> Iterator[Needs]:
    """The needs of each part that uses a broker; `reads_all` is that of `monitor_needs`."""
    if isinstance(plan.source, KafkaAddress):
        yield monitor_needs(plan.source, reads_all=reads_all, trust_ts=settings.trust_ts)
    if isinstance(plan.publish, KafkaAddress):
        yield gate_needs(plan.publish)
    if isinstance(plan.target, KafkaAddress):
        yield agent_needs(plan.target)


def log_dirs(plan: Plan) -> Iterator[tuple[str, LogDirAddress, tuple[str, ...]]]:
    """Each log directory, with the topics to which its user writes there."""
    if isinstance(plan.source, LogDirAddress):
        yield "monitor", plan.source, (CONTROL,)
    if isinstance(plan.publish, LogDirAddress):
        yield "gate", plan.publish, (GATE,)
    if isinstance(plan.target, LogDirAddress):
        yield "agent", plan.target, (EVENTS,)
