"""Puts the monitor together from its settings, runs it, and takes it apart again.

Everything that must be closed is closed in the opposite order of its opening, also when opening
fails half-way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from interlock.control_record import ControlView
from invariants.runtime.program import Program
from monitor.actions.alert import ToldAlready
from monitor.actions.control import ControlIssuer, StandingStops
from monitor.actions.dispatch import Dispatcher
from monitor.actions.open import control_issuer, open_drivers, response_policy
from monitor.clock import Clock
from monitor.config.table import Settings
from monitor.detection.load_model import open_scoring
from monitor.findings.model import mode_of_all
from monitor.ingest.provenance import Provenance
from monitor.ingest.rejected import REASONS
from monitor.kernel.kernel import Kernel
from monitor.principals.model import Principals, digest_with
from monitor.response.plan import LOG_TARGET, ResponsePolicy
from monitor.service.batch import Batch
from monitor.service.batch_metrics import Teller
from monitor.service.connect import Surroundings, open_surroundings
from monitor.service.loop import Loop, LoopSettings, Observer, scope_loader
from monitor.service.maintenance import Upkeep
from monitor.service.outbox import Effects
from monitor.service.pages import serve
from monitor.service.program import (
    kernel_settings,
    open_births,
    open_principals,
    open_program,
    tell_of_change,
)
from monitor.service.responder import Responder
from monitor.store.lock import StateLock
from monitor.store.records import Committed
from monitor.store.store import STORE_FILE, Store
from monitor.telemetry.build import own_version
from monitor.telemetry.http import Pulse
from monitor.telemetry.metrics import Metrics, WatchedInvariant
from monitor.transport.address import SourceAddress, parse_source_url
from monitor.transport.base import ControlReader, Frontier, Stream
from monitor.transport.null import NowherePublisher

if TYPE_CHECKING:
    from monitor.telemetry.metrics_registry import Registry

CONTROL_READ_S: Final = 30.0
POLL_WAIT_S_MAX: Final = 0.5


class Service(msgspec.Struct, frozen=True):
    """A monitor that was opened and not yet started."""

    loop: Loop
    program: Program
    store: Store
    teller: Teller
    surroundings: Surroundings
    http_port: int | None
    program_digest: str
    """Of the program and the principals."""


def open_service(
    settings: Settings,
    clock: Clock,
    stack: ExitStack,
    on_batch: Callable[[Batch, Committed], None] = lambda batch, committed: None,
    *,
    is_sorted: bool = False,
    is_passing: bool = False,
) -> Service:
    """Open everything; `stack` closes it. Raises InterlockError or OSError, with nothing kept.

    `is_passing`: the state directory is removed after this run.
    """
    assert settings.source is not None, "the caller requires it"
    address = parse_source_url(settings.source)
    state_dir = Path(settings.state_dir)
    stack.enter_context(StateLock(state_dir))
    program = open_program(settings, state_dir, keeps_image=not is_passing)
    principals = open_principals(settings)
    program_digest = digest_with(program.digest, principals)
    store = Store(
        state_dir / STORE_FILE,
        clock=clock,
        synchronous=settings.store_synchronous,
        ids_max=settings.ids_max,
    )
    stack.callback(store.close)
    tell_of_change(store, program, principals)
    metrics = _metrics(settings, program, program_digest)
    surroundings = _surroundings(address, settings, clock, program, store, is_sorted=is_sorted)
    stack.callback(surroundings.source.close)
    publisher = surroundings.publisher or NowherePublisher()
    view = _read_control(surroundings, stack)
    issuer = _issuer(settings, program, store, surroundings, view)
    drivers = open_drivers(settings, publisher, view, issuer, clock)
    if surroundings.is_finished_file:
        drivers[LOG_TARGET] = ToldAlready()
    follow = _follower(surroundings.control, view)
    teller = Teller(program, metrics, store, clock, warns_of_dormant=surroundings.is_live)
    upkeep = Upkeep(settings, store, clock, teller, metrics, view=view)
    effects = Effects(
        store=store,
        dispatcher=Dispatcher(store, drivers, clock),
        publisher=surroundings.publisher,
        clock=clock,
        issuer=issuer,
        heartbeat_ns=settings.respond_heartbeat_ns,
        follow_control=follow,
        upkeep=upkeep,
        count_action=lambda done: metrics.count_action(done.kind, done.outcome, done.mode),
        count_failure=metrics.count_publish_failure,
    )
    stack.callback(effects.close)
    pulse = Pulse(clock, settings.http_stall_limit_ns)
    loop = Loop(
        source=surroundings.source,
        kernel=_kernel(
            program, settings, surroundings, store, principals, clock=clock, metrics=metrics
        ),
        store=store,
        effects=effects,
        clock=clock,
        provenance=Provenance(surroundings.is_finished_file, settings.asserts),
        responder=_responder(settings, surroundings, store, clock, follow=follow, view=view),
        settings=_loop_settings(settings, surroundings),
        group_of=surroundings.group_of,
        merged_by=surroundings.merged_by,
        observe=_observer(teller, on_batch),
        count_notice=metrics.count_notice,
        beat=pulse.beat,
    )
    port = serve(settings, metrics, pulse, loop, effects, clock=clock, stack=stack)
    return Service(loop, program, store, teller, surroundings, port, program_digest)


def _surroundings(
    address: SourceAddress,
    settings: Settings,
    clock: Clock,
    program: Program,
    store: Store,
    *,
    is_sorted: bool,
) -> Surroundings:
    return open_surroundings(
        address,
        settings,
        clock,
        # Of one writer's control records the order of writing holds: two monitors are two writers.
        f"monitor-{store.identity}",
        reads_all=bool(program.wider),
        is_sorted=is_sorted,
    )


def _issuer(
    settings: Settings,
    program: Program,
    store: Store,
    surroundings: Surroundings,
    view: ControlView,
) -> ControlIssuer:
    observes = all(mode == "observe" for mode in _modes(settings, program))
    group = surroundings.shared_group
    return control_issuer(settings, store, view, group=group, observes=observes)


def _read_control(surroundings: Surroundings, stack: ExitStack) -> ControlView:
    """The current records of the control topic before any action."""
    view = ControlView()
    if surroundings.control is not None:
        stack.callback(surroundings.control.close)
        for key, value in surroundings.control.read_to_end(CONTROL_READ_S):
            view.apply(key, value)
    return view


def _observer(teller: Teller, on_batch: Callable[[Batch, Committed], None]) -> Observer:
    def observe(batch: Batch, committed: Committed, frontiers: Mapping[Stream, Frontier]) -> None:
        teller.observe(batch, committed, frontiers)
        on_batch(batch, committed)

    return observe


def _follower(reader: ControlReader | None, view: ControlView) -> Callable[[], None]:
    """Keeps the monitor's own view of the control topic up to date."""

    def follow() -> None:
        if reader is not None:
            for key, value in reader.poll(0):
                view.apply(key, value)

    return follow


def _responder(
    settings: Settings,
    surroundings: Surroundings,
    store: Store,
    clock: Clock,
    *,
    follow: Callable[[], None],
    view: ControlView,
) -> Responder:
    standing = StandingStops(view, follow, clock, settings.respond_quarantine_ttl_ns)
    return Responder(store, clock, _policy(settings, surroundings), standing)


def _policy(settings: Settings, surroundings: Surroundings) -> ResponsePolicy:
    """A finished file is in the past: intended responses are only recorded."""
    policy = response_policy(settings)
    return replace(policy, is_observing=policy.is_observing or surroundings.is_finished_file)


def _metrics(settings: Settings, program: Program, program_digest: str) -> Metrics:
    return Metrics(
        _registry() if settings.http_enabled else None,
        [
            WatchedInvariant(compiled.declared.id, compiled.declared.severity, mode)
            for compiled, mode in zip(program.invariants, _modes(settings, program), strict=True)
        ],
        severities=settings.severity.by_type(),
        reasons=REASONS,
        bounds=("scope",),
        version=own_version() if settings.http_enabled else "",
        program_digest=program_digest,
    )


def _registry() -> Registry:
    from monitor.telemetry.metrics_registry import Registry  # Its library takes long to import.

    return Registry()


def _modes(settings: Settings, program: Program) -> list[Literal["observe", "enforce"]]:
    """In which mode each invariant is watched."""
    given = mode_of_all(settings.mode)
    return [given or compiled.declared.mode for compiled in program.invariants]


def _kernel(
    program: Program,
    settings: Settings,
    surroundings: Surroundings,
    store: Store,
    principals: Principals | None,
    *,
    clock: Clock,
    metrics: Metrics,
) -> Kernel:
    scoring = open_scoring(settings, metrics)
    births = open_births(store, program, clock.now_ns())
    engine_settings = kernel_settings(
        settings,
        births,
        principals,
        trusts_ts=surroundings.trusts_ts,
        is_finished_file=surroundings.is_finished_file,
    )
    return Kernel(program, engine_settings, scope_loader(store), scoring)


def _loop_settings(settings: Settings, surroundings: Surroundings) -> LoopSettings:
    return LoopSettings(
        batch_records_max=settings.batch_records_max,
        lateness_ns=settings.lateness_ns,
        gives_ticks=not surroundings.trusts_ts,
        is_finished_file=surroundings.is_finished_file,
        poll_wait_s=min(settings.poll_interval_ns / 1e9, POLL_WAIT_S_MAX),
        keeps_raw=settings.dlq_raw,
    )
