"""The program and the state of a kernel, from settings: for the monitor, and for a gate."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from invariants.image.load import load_program
from invariants.model.limits import Limits
from invariants.runtime.program import Program
from monitor.config.table import Settings
from monitor.findings.model import mode_of_all
from monitor.kernel.births import META_NAME, Births, next_births
from monitor.kernel.settings import KernelSettings
from monitor.log import say
from monitor.principals.load import load_principals
from monitor.principals.model import Principals
from monitor.secret import keep_key, read_keys, read_secret
from monitor.service.program_image import program_image
from monitor.store.store import Store, StoreError

KEY_FILE: Final = "digest.key"


def open_program(settings: Settings, state_dir: Path, *, keeps_image: bool) -> Program:
    """The invariants that settings name; with `keeps_image` a copy stays in the state directory.

    Raises
    ------
    SpecError, ConfigError
        Invariants or keys cannot be used.
    """
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


def open_births(store: Store, program: Program, now_ns: int) -> Births:
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


def open_principals(settings: Settings) -> Principals | None:
    """The file of principals that settings name, if they do. Raises ConfigError for its faults."""
    return None if settings.principals is None else load_principals(settings.principals)


def kernel_settings(
    settings: Settings,
    births: Births,
    principals: Principals | None,
    *,
    trusts_ts: bool,
    is_finished_file: bool,
) -> KernelSettings:
    """The part of the configuration on which verdicts depend."""
    closes_idle = is_finished_file or not trusts_ts
    return KernelSettings(
        births=births,
        principals=principals,
        lateness_ns=settings.lateness_ns,
        skew_ns=settings.skew_ns,
        trust_ts=trusts_ts,
        gate_lateness_ns=0 if trusts_ts else settings.gate_lateness_ns,
        linger_ns=settings.linger_ns,
        idle_close_ns=settings.idle_close_ns if closes_idle else None,
        ids_max=settings.ids_max,
        is_finished_file=is_finished_file,
        scopes_in_memory_max=settings.scopes_in_memory_max,
        pairs_in_memory_max=settings.sources.pairs_in_memory_max,
        mode_cap=mode_of_all(settings.mode),
        severities=settings.severity.by_type(),
    )


def tell_of_change(store: Store, program: Program, principals: Principals | None) -> None:
    """A changed program sees running sessions only from now on: this is logged. Other principals
    make no invariant another one, and no session is forgotten for them.
    """
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
    roles, known_roles = _digest_of(principals), store.meta("principals_digest")
    if known_roles is not None and known_roles != roles:
        text = "each event is judged by the roles of its own time: running sessions go on"
        say("info", "principals_changed", before=known_roles, now=roles, text=text)
    store.set_meta("principals_digest", roles)


def _digest_of(principals: Principals | None) -> str:
    return "" if principals is None else principals.digest
