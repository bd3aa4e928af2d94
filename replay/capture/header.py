"""The header of a recording, built from the settings of the live monitor.

It contains only the fields listed here, on which verdicts depend. It cannot contain passwords,
keys, or the paths of their files.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from invariants.compile.digest import PROGRAM_VERSION
from invariants.image.compile import compile_program
from invariants.model.limits import Limits
from monitor.authoring.files import read_specs
from monitor.config.table import Settings
from monitor.principals.load import load_principals
from monitor.principals.model import Principals, digest_with
from monitor.secret import read_secret
from monitor.transport.address import KafkaAddress, LogDirAddress, SourceAddress
from replay.capture.recorder import RecordingChoice
from replay.recording.format import (
    RecordedFile,
    RecordedPrincipals,
    RecordedSettings,
    RecordedSource,
    RecordingHeader,
)
from replay.timeline.program import REPLAY_KEY, describe, embed, name_key

KEY_FILE: Final = "digest.key"
"""The file of a monitor's key in its state directory (`monitor/service/assemble.py`)."""


def make_header(
    settings: Settings,
    address: SourceAddress,
    topics: Sequence[str],
    wanted: RecordingChoice,
    *,
    created_ns: int,
    release: str,
    model_digest: str = "",
) -> RecordingHeader:
    """The header of a recording.

    Raises
    ------
    SpecError, ConfigError
        The invariant files of the settings cannot be read.
    """
    trusts_ts = settings.trust_ts or (isinstance(address, KafkaAddress) and address.trust_ts)
    files: list[RecordedFile] = []
    specs = read_specs(*map(Path, settings.invariants))
    for path in settings.invariants:
        files += _apart(embed(Path(path)), {file.name for file in files})
    limits = Limits(
        settings.slices_max,
        settings.window_entries_max,
        settings.pending_max,
        pairs_max=settings.sources.pairs_max,
    )
    principals = None if settings.principals is None else load_principals(settings.principals)
    program = compile_program(specs, limits=limits, digest_key=REPLAY_KEY) if specs else None
    return RecordingHeader(
        created=datetime.fromtimestamp(created_ns // 10**9, UTC).isoformat(),
        release=release,
        source=RecordedSource(
            kind="kafka" if isinstance(address, KafkaAddress) else "log",
            address=_shown(address),
            topics=list(topics),
            has_broker_times=isinstance(address, KafkaAddress) and not trusts_ts,
            from_time_ns=wanted.from_ns,
            until_time_ns=wanted.until_ns,
            session=wanted.session,
        ),
        settings=_recorded(settings, trusts_ts=trusts_ts),
        program_version=PROGRAM_VERSION,
        program_digest=digest_with(program.digest, principals) if program else "",
        invariants=describe(program) if program else [],
        files=files,
        key_digest=_key_digest(settings),
        model_digest=model_digest,
        principals=recorded_versions(principals),
        principals_digest="" if principals is None else principals.digest,
    )


def plain_settings(settings: Settings) -> RecordedSettings:
    """How `interlock run` reads a finished file under these settings."""
    return msgspec.structs.replace(
        _recorded(settings, trusts_ts=True),
        idle_close_ns=settings.idle_close_ns,
        is_trusted=True,
    )


def recorded_versions(principals: Principals | None) -> list[RecordedPrincipals]:
    """The versions of a file of principals for a header: without credentials."""
    return [
        RecordedPrincipals(version.number, version.since_ns, dict(version.standings))
        for version in (() if principals is None else principals.versions)
    ]


def _apart(files: list[RecordedFile], taken: set[str]) -> list[RecordedFile]:
    """The files under names that none of the others has."""
    return [
        msgspec.structs.replace(file, name=f"{len(taken)}/{file.name}")
        if file.name in taken
        else file
        for file in files
    ]


def _recorded(settings: Settings, *, trusts_ts: bool) -> RecordedSettings:
    """As `monitor/service/assemble.py` gives them to the engine."""
    return RecordedSettings(
        lateness_ns=settings.lateness_ns,
        skew_ns=settings.skew_ns,
        trust_ts=trusts_ts,
        gate_lateness_ns=0 if trusts_ts else settings.gate_lateness_ns,
        linger_ns=settings.linger_ns,
        idle_close_ns=None if trusts_ts else settings.idle_close_ns,
        ids_max=settings.ids_max,
        slices_max=settings.slices_max,
        window_entries_max=settings.window_entries_max,
        pending_max=settings.pending_max,
        pairs_max=settings.sources.pairs_max,
        mode=settings.mode,
        severities=dict(settings.severity.by_type()),
        asserts={topic: sorted(kinds) for topic, kinds in settings.asserts.items()},
    )


def _key_digest(settings: Settings) -> str:
    path = settings.digest_key_file
    if path is None:
        kept = Path(settings.state_dir) / KEY_FILE
        path = str(kept) if kept.is_file() else None
    return "" if path is None else name_key(read_secret("digest_key_file", path).reveal())


def _shown(address: SourceAddress) -> str:
    match address:
        case KafkaAddress(bootstrap):
            return f"kafka://{bootstrap}"
        case LogDirAddress(directory):
            return f"log:{directory}"
        case _:
            raise AssertionError("a finished file is not recorded")
