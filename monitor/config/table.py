"""The table of all settings: each field of `Settings` is one row, and no setting is defined
elsewhere.

Parsing (`load.py`), the command line's flags and the page `docs/configuration.md`
(`reference_page.py`) are generated from it. Field names contain the unit; the names that people
write do not, since a duration is written with its unit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from types import MappingProxyType
from typing import Any, Final, Literal

from .detector import DetectorSettings
from .gate import GateSettings
from .kafka import KafkaSettings
from .setting import UNITS_NS, Setting, row
from .severity import SeveritySettings
from .sources import SourceSettings

_S: Final = UNITS_NS["s"]
_M: Final = UNITS_NS["m"]
_H: Final = UNITS_NS["h"]
_D: Final = UNITS_NS["d"]
_BOUND_MAX: Final = 10_000_000  # Chosen: memory is exhausted before a larger bound.


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The monitor's settings. Times are in ns; None means not set."""

    # Input.
    source: str | None = row(
        "source",
        "text",
        None,
        "The source of events: `kafka://HOST:PORT`, `log:DIRECTORY`, a `.jsonl` or `.jsonl.gz` "
        "file, or `-`.",
        unset_means="required to run",
    )
    invariants: tuple[str, ...] = row(
        "invariants",
        "paths",
        (),
        "Invariant files, directories of them, or packs: `pack:NAME`, `pack:default`.",
        unset_means="required to run",
    )
    state_dir: str = row(
        "state_dir",
        "path",
        "interlock-state",
        "The directory of the store and its lock, on a local disk. Each monitor needs its own.",
    )
    mode: Literal["as-written", "observe", "enforce"] = row(
        "mode",
        "choice",
        "as-written",
        "`observe` caps every invariant: nobody is stopped, and the intended responses are "
        "recorded. `enforce` enforces every invariant, also those of packs.",
        choices=("as-written", "observe", "enforce"),
    )
    asserts: Mapping[str, frozenset[str]] = row(
        "asserts",
        "name lists",
        MappingProxyType({}),
        "The event kinds that each topic may assert, instead of the defaults. In the environment "
        "and as a flag: JSON.",
    )
    principals: str | None = row(
        "principals",
        "path",
        None,
        "The file of principals: the roles and attributes that invariants read, and for a gate the "
        "tokens and approvers.",
        unset_means="roles and attributes are unknown, except those that gates recorded",
    )
    digest_key_file: str | None = row(
        "digest_key_file",
        "path",
        None,
        "A file with the key of `digest(...)`. Keep it as long as any state.",
        unset_means="a key is generated in `state_dir`",
    )

    # Time.
    trust_ts: bool = row(
        "trust_ts",
        "boolean",
        False,
        "Use producers' times unchanged (for backfills). Never with live agents, who choose them.",
    )
    lateness_ns: int = row(
        "lateness",
        "duration",
        0,
        "How far an event's own time may be before its arrival and still be accepted. Deadlines "
        "are decided later by this duration, and a producer can backdate events by it.",
        minimum=0,
    )
    skew_ns: int = row(
        "skew",
        "duration",
        5 * _S,
        "How far a producer's clock may be ahead of the broker's.",
        minimum=0,
        maximum=_H,
    )
    gate_lateness_ns: int = row(
        "gate_lateness",
        "duration",
        30 * _S,
        "How late a gate's event may arrive and still count at the gate's time. Deadlines of "
        "sessions that a gate guards are decided later by this duration.",
        minimum=0,
        maximum=_H,
    )
    linger_ns: int = row(
        "linger",
        "duration",
        24 * _H,
        "How long a session's memory is kept after its end. Later events are judged with it.",
        minimum=0,
    )
    idle_close_ns: int = row(
        "idle_close",
        "duration",
        7 * _D,
        "A session without an event for this long is closed as if it had ended.",
        minimum=_M,
    )

    # Bounds. At a bound, existing entries stay and new ones are not added, except as noted.
    slices_max: int = row(
        "slices_max",
        "integer",
        10_000,
        "Bindings held per scope and sub-formula.",
        minimum=1,
        maximum=_BOUND_MAX,
    )
    window_entries_max: int = row(
        "window_entries_max",
        "integer",
        10_000,
        "Entries of a window per scope and sub-formula.",
        minimum=1,
        maximum=_BOUND_MAX,
    )
    pending_max: int = row(
        "pending_max",
        "integer",
        1_000,
        "Pending verdicts per scope and invariant.",
        minimum=1,
        maximum=_BOUND_MAX,
    )
    ids_max: int = row(
        "ids_max",
        "integer",
        10_000,
        "Event ids remembered per session, to detect duplicates; the oldest are evicted first.",
        minimum=1,
        maximum=_BOUND_MAX,
    )
    scopes_in_memory_max: int = row(
        "scopes_in_memory_max",
        "integer",
        50_000,
        "Scopes held in memory; the others are read from the store when needed.",
        minimum=1,
        maximum=_BOUND_MAX,
    )
    batch_records_max: int = row(
        "batch_records_max",
        "integer",
        5_000,
        "Records judged and stored together.",
        minimum=1,
        maximum=100_000,
    )
    poll_interval_ns: int = row(
        "poll_interval",
        "duration",
        _S // 2,
        "The longest wait for records; deadlines and actions are checked at least this often.",
        minimum=_S // 1000,
        maximum=10 * _S,
    )
    dlq_raw: bool = row(
        "dlq_raw",
        "boolean",
        False,
        "Keep the bytes of rejected records in the dead-letter topic. They may contain secrets.",
    )

    # Responses.
    respond_issuer: str | None = row(
        "respond.issuer",
        "text",
        None,
        "The monitor's name on control records. Two monitors with one name fence each other.",
        unset_means="`monitor-` and the store's own identity",
    )
    respond_principal: bool = row(
        "respond.principal",
        "boolean",
        True,
        "Stop the authenticated sender together with the session, since a new session id is free.",
    )
    respond_quarantine_ttl_ns: int | None = row(
        "respond.quarantine_ttl",
        "duration",
        None,
        "The duration after which a quarantine ends by itself.",
        minimum=_S,
        unset_means="it lasts until it is released",
    )
    respond_enforcing_per_hour_max: int = row(
        "respond.enforcing_per_hour_max",
        "integer",
        60,
        "New targets stopped in an hour, counted separately for each authenticated principal, for "
        "sessions without one, and for principals. Stops beyond it are held for a person to "
        "decide, with a critical alert.",
        minimum=0,
        maximum=1_000_000,
    )
    respond_kills_per_hour_max: int = row(
        "respond.kills_per_hour_max",
        "integer",
        20,
        "Of these, new kills. A kill beyond it becomes a quarantine, with a critical alert.",
        minimum=0,
        maximum=1_000_000,
    )
    respond_heartbeat_ns: int = row(
        "respond.heartbeat",
        "duration",
        5 * _S,
        "How often the monitor publishes a heartbeat on the control topic.",
        minimum=_S,
        maximum=10 * _M,
    )
    webhook_url: str | None = row(
        "webhook.url",
        "text",
        None,
        "The `http` or `https` address to which alerts are posted; redirects are not followed.",
        unset_means="alerts go only to the log",
    )
    webhook_secret_file: str | None = row(
        "webhook.secret_file",
        "path",
        None,
        "A file with the secret that signs each post (HMAC-SHA256).",
        unset_means="posts are not signed",
    )
    webhook_ca_file: str | None = row(
        "webhook.ca_file",
        "path",
        None,
        "Certificates to trust for `webhook.url`.",
        unset_means="the certificates of the system",
    )
    webhook_timeout_ns: int = row(
        "webhook.timeout",
        "duration",
        5 * _S,
        "How long a post may wait for the receiver.",
        minimum=_S // 10,
        maximum=60 * _S,
    )
    webhook_attempts_max: int = row(
        "webhook.attempts_max",
        "integer",
        20,
        "Attempts per alert, at growing intervals (20 take about an hour); then the alert fails.",
        minimum=1,
        maximum=1_000,
    )

    # The store.
    store_synchronous: Literal["full", "normal"] = row(
        "store.synchronous",
        "choice",
        "full",
        "`normal` is faster, but a power cut may undo the last batches. They are then read again, "
        "and actions repeated under the same ids.",
        choices=("full", "normal"),
    )
    store_findings_retention_ns: int = row(
        "store.findings_retention",
        "duration",
        30 * _D,
        "How long published findings and their actions stay in the store.",
        minimum=_H,
    )

    # Metrics, health and log.
    http_host: str = row(
        "http.host",
        "text",
        "127.0.0.1",
        "The address on which metrics and health are served, without login.",
    )
    http_port: int = row(
        "http.port", "integer", 9847, "The port; 0 selects a free one.", minimum=0, maximum=65_535
    )
    http_names: str | None = row(
        "http.names",
        "text",
        None,
        "Further names under which clients request metrics and health, separated by commas. A "
        "request is refused unless its `Host` is one of them, of loopback, or of `http.host`.",
        unset_means="no further names",
    )
    http_enabled: bool = row("http.enabled", "boolean", True, "Serve metrics and health.")
    http_stall_limit_ns: int = row(
        "http.stall_limit",
        "duration",
        30 * _S,
        "After this long without a turn of the loop, the monitor reports that it is not healthy.",
        minimum=_S,
    )
    log_level: str = row(
        "log.level",
        "choice",
        "info",
        "The lowest severity that is logged.",
        choices=("debug", "info", "warning", "error", "critical"),
    )
    log_format: Literal["auto", "json", "text"] = row(
        "log.format",
        "choice",
        "auto",
        "`auto` writes text to a terminal and JSON elsewhere.",
        choices=("auto", "json", "text"),
    )

    detector: DetectorSettings = field(default_factory=DetectorSettings)
    gate: GateSettings = field(default_factory=GateSettings)
    kafka: KafkaSettings = field(default_factory=KafkaSettings)
    severity: SeveritySettings = field(default_factory=SeveritySettings)
    sources: SourceSettings = field(default_factory=SourceSettings)


TABLE: Final[tuple[Setting, ...]] = tuple(
    f.metadata["setting"]
    for group in (
        Settings,
        SourceSettings,
        SeveritySettings,
        DetectorSettings,
        GateSettings,
        KafkaSettings,
    )
    for f in fields(group)
    if "setting" in f.metadata
)


def make_settings(values: Mapping[str, Any]) -> Settings:
    """Settings from values under the names that people write; others have their defaults."""

    def given(group: type[Any]) -> dict[str, Any]:
        return {f.name: values[name] for f in fields(group) if (name := _name(f)) in values}

    return Settings(
        **given(Settings),
        sources=SourceSettings(**given(SourceSettings)),
        severity=SeveritySettings(**given(SeveritySettings)),
        detector=DetectorSettings(**given(DetectorSettings)),
        gate=GateSettings(**given(GateSettings)),
        kafka=KafkaSettings(**given(KafkaSettings)),
    )


def _name(field_: Field[Any]) -> str:
    row = field_.metadata.get("setting")
    return "" if row is None else str(row.name)
