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
from invariants.image.load import load_program
from invariants.model.limits import Limits
from invariants.runtime.program import Program
from monitor.actions.alert import ToldAlready
from monitor.actions.control import ControlIssuer, StandingStops
from monitor.actions.dispatch import Dispatcher
from monitor.actions.open import control_issuer, open_drivers, response_policy
from monitor.clock import Clock
from monitor.config.table import Settings
from monitor.detection.load_model import open_scoring
from monitor.ingest.provenance import Provenance
from monitor.ingest.rejected import REASONS
from monitor.kernel.births import META_NAME, Births, next_births
from monitor.kernel.kernel import Kernel
from monitor.kernel.settings import KernelSettings
from monitor.log import say
from monitor.response.plan import LOG_TARGET, ResponsePolicy
from monitor.secret import keep_key, read_keys, read_secret
from monitor.service.batch import Batch
from monitor.service.batch_metrics import Teller
from monitor.service.connect import Surroundings, open_surroundings
from monitor.service.loop import Loop, LoopSettings, Observer, scope_loader
from monitor.service.maintenance import Upkeep
from monitor.service.outbox import Effects
from monitor.service.pages import serve
from monitor.service.program_image import program_image
from monitor.service.responder import Responder
from monitor.store.lock import StateLock
from monitor.store.records import Committed
from monitor.store.store import STORE_FILE, Store, StoreError
from monitor.telemetry.http import Pulse
from monitor.telemetry.metrics import Metrics, WatchedInvariant
from monitor.transport.address import SourceAddress, parse_source_url
from monitor.transport.base import ControlReader, Frontier, Stream
from monitor.transport.null import NowherePublisher

if TYPE_CHECKING:
    from monitor.telemetry.metrics_registry import Registry

CONTROL_READ_S: Final = 30.0
KEY_FILE: Final = "digest.key"
POLL_WAIT_S_MAX: Final = 0.5


class Service(msgspec.Struct, frozen=True):
    """A monitor that was opened and not yet started."""

    loop: Loop
    program: Program
    store: Store
    teller: Teller
    surroundings: Surroundings
    http_port: int | None


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
    program = _program(settings, state_dir, keeps_image=not is_passing)
    store = Store(
        state_dir / STORE_FILE,
        clock=clock,
        synchronous=settings.store_synchronous,
        ids_max=settings.ids_max,
    )
    stack.callback(store.close)
    _tell_of_change(store, program)
    metrics = _metrics(settings, program)
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
        kernel=_kernel(program, settings, surroundings, store, clock=clock, metrics=metrics),
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
    return Service(loop, program, store, teller, surroundings, port)


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


def _metrics(settings: Settings, program: Program) -> Metrics:
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
        program_digest=program.digest,
    )


def _registry() -> Registry:
    from monitor.telemetry.metrics_registry import Registry  # Its library takes long to import.

    return Registry()


def _modes(settings: Settings, program: Program) -> list[Literal["observe", "enforce"]]:
    """In which mode each invariant is watched."""
    caps = settings.mode == "observe"
    return ["observe" if caps else compiled.declared.mode for compiled in program.invariants]


def own_version() -> str:
    """The version of the installed distribution."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("interlock")
    except PackageNotFoundError:
        return "unknown"


def _program(settings: Settings, state_dir: Path, *, keeps_image: bool) -> Program:
    locations, image_dir = list(map(Path, settings.invariants)), state_dir if keeps_image else None
    image = program_image(locations, _limits(settings), image_dir)
    return load_program(
        image,
        digest_key=_digest_key(settings, state_dir),
        fingerprint_keys=_fingerprint_keys(settings),
    )


def _limits(settings: Settings) -> Limits:
    return Limits(
        slices_max=settings.slices_max,
        window_entries_max=settings.window_entries_max,
        pending_max=settings.pending_max,
        pairs_max=settings.sources.pairs_max,
    )


def _digest_key(settings: Settings, state_dir: Path) -> bytes:
    """The key of `digest(...)`: it lasts as long as the state that contains its results."""
    if settings.digest_key_file is not None:
        return read_secret("digest_key_file", settings.digest_key_file).reveal()
    return keep_key(state_dir / KEY_FILE).reveal()


def _fingerprint_keys(settings: Settings) -> list[bytes]:
    """The keys of data memories, the newest first; none if the digests' key is used."""
    path = settings.sources.fingerprint_key_file
    if path is None:
        return []
    return [key.reveal() for key in read_keys("fingerprint_key_file", path)]


def _kernel(
    program: Program,
    settings: Settings,
    surroundings: Surroundings,
    store: Store,
    *,
    clock: Clock,
    metrics: Metrics,
) -> Kernel:
    scoring = open_scoring(settings, metrics)
    births = _births(store, program, clock.now_ns())
    engine_settings = replace(_engine_settings(settings, surroundings), births=births)
    return Kernel(program, engine_settings, scope_loader(store), scoring)


def _births(store: Store, program: Program, now_ns: int) -> Births:
    """The invariants that have not seen the past of running sessions, from the store.

    Raises StoreError if that record is damaged.
    """
    digests = [compiled.digest for compiled in program.invariants]
    try:
        births = next_births(store.meta(META_NAME), digests, now_ns)
    except ValueError as error:
        raise StoreError(f"the store's record of invariants is damaged: {error}") from error
    store.set_meta(META_NAME, births.stored())
    return births


def _engine_settings(settings: Settings, surroundings: Surroundings) -> KernelSettings:
    closes_idle = surroundings.is_finished_file or not surroundings.trusts_ts
    return KernelSettings(
        lateness_ns=settings.lateness_ns,
        skew_ns=settings.skew_ns,
        trust_ts=surroundings.trusts_ts,
        gate_lateness_ns=0 if surroundings.trusts_ts else settings.gate_lateness_ns,
        linger_ns=settings.linger_ns,
        idle_close_ns=settings.idle_close_ns if closes_idle else None,
        ids_max=settings.ids_max,
        is_finished_file=surroundings.is_finished_file,
        scopes_in_memory_max=settings.scopes_in_memory_max,
        pairs_in_memory_max=settings.sources.pairs_in_memory_max,
        mode_cap="observe" if settings.mode == "observe" else None,
        severities=settings.severity.by_type(),
    )


def _loop_settings(settings: Settings, surroundings: Surroundings) -> LoopSettings:
    return LoopSettings(
        batch_records_max=settings.batch_records_max,
        lateness_ns=settings.lateness_ns,
        gives_ticks=not surroundings.trusts_ts,
        is_finished_file=surroundings.is_finished_file,
        poll_wait_s=min(settings.poll_interval_ns / 1e9, POLL_WAIT_S_MAX),
        keeps_raw=settings.dlq_raw,
    )


def _tell_of_change(store: Store, program: Program) -> None:
    """A changed program sees running sessions only from now on: this is logged."""
    known = store.meta("program_digest")
    if known is not None and known != program.digest:
        say(
            "warning",
            "program_changed",
            before=known,
            now=program.digest,
            text="invariants that are new, were changed or were put back have not seen all events "
            "of running sessions: verdicts that depend on those are inconclusive, and stop nobody",
        )
    store.set_meta("program_digest", program.digest)
