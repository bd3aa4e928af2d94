"""The options of a client: values that hold for all its sessions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from .admission import BeforeView, Fail, Policy
from .clock import Clock
from .errors import SettingError
from .names import checked_name
from .publisher import QueueLimits

_KAFKA: Final = ("security_", "sasl_", "ssl_", "client_id", "api_version")

_RANGES: Final[Mapping[str, tuple[float, float]]] = {
    "block_ms_max": (0, 60_000),
    "buffer_events_max": (1, 10**7),
    "buffer_bytes_max": (2**20, 2**34),
    "linger_ms": (0, 10_000),
    "heartbeat_s": (0.01, 86_400),
    "view_age_s_max": (0.1, 86_400),
    "unsent_s_max": (0.1, 86_400),
    "wait_s_max": (0, 600),
    "control_poll_ms": (1, 1_000),
    "ask_s_max": (0.1, 600),
    "hold_s_max": (0, 86_400),
}
_CHOICES: Final[Mapping[str, tuple[str, ...]]] = {
    "fail": ("open", "closed"),
    "before_view": ("wait", "refuse", "allow"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientOptions:
    """How a client publishes, and how its calls are decided.

    Parameters
    ----------
    principal : who the monitor takes this sender for; by default NAME of `agent.events.NAME`.
    control : False to publish only; `guard` then refuses nothing.
    block_ms_max : how long publishing one event may hold the agent while the queue is full.
    buffer_events_max, buffer_bytes_max : how much may wait; past it events are shed.
    linger_ms : how long events are gathered before they are sent.
    heartbeat_s : a running session without events for so long sends a sign of life.
    fail : if nobody can decide (a view that is too old, no answer of a gate): `closed` refuses.
    irreversible_tools : refused in that case whatever `fail` and `before_view` say.
    unsent_s_max : how long events may be undelivered before `guard` answers as `fail` says.
    view_age_s_max : the age from which a view is too old; several heartbeats of the monitor.
    before_view : before the first view: `wait` (then as `fail` says), `refuse` or `allow`.
    wait_s_max : how long `wait` waits.
    control_poll_ms : how often a log directory is looked at for control records.
    ask_s_max : how long a call waits for the answer of a gate, retries included.
    hold_s_max : how long a held call waits for an approval.
    gate_over_network : accept `http` to a gate on another host, in clear.
    path_args : arguments that are paths, as `path` or `read_file.path`: published resolved.
    kafka_options : `security_*`, `sasl_*`, `ssl_*`, `client_id` of the Kafka connection.
    clock : the clocks, for tests.

    Raises
    ------
    SettingError
        For a value that cannot be used.
    """

    principal: str = ""
    control: bool = True
    block_ms_max: float = 50
    buffer_events_max: int = 10_000
    buffer_bytes_max: int = 64 * 1024 * 1024
    linger_ms: float = 2
    heartbeat_s: float = 10
    fail: Fail = "closed"
    irreversible_tools: Iterable[str] = ()
    view_age_s_max: float = 15
    unsent_s_max: float = 15
    before_view: BeforeView = "wait"
    wait_s_max: float = 30
    control_poll_ms: float = 10
    ask_s_max: float = 10
    hold_s_max: float = 300
    gate_over_network: bool = False
    path_args: Iterable[str] = ()
    kafka_options: Mapping[str, object] = field(default_factory=dict)
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        """Check all values; names and Kafka's options are copied, so that they cannot change."""
        checked_name(self.principal, "principal")
        for name, (least, greatest) in _RANGES.items():
            _check_within(name, getattr(self, name), least, greatest)
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                expected = ", ".join(f"`{choice}`" for choice in choices)
                raise SettingError(f"`{name}`: expected one of {expected}")
        for name in ("irreversible_tools", "path_args"):
            object.__setattr__(self, name, _checked_names(name, getattr(self, name)))
        object.__setattr__(self, "kafka_options", _checked_kafka(self.kafka_options))

    @property
    def heartbeat_ns(self) -> int:
        """`heartbeat_s` in ns."""
        return int(self.heartbeat_s * 1e9)

    def policy(self) -> Policy:
        """The answers of the guard if the view cannot decide."""
        return Policy(
            fail=self.fail,
            before_view=self.before_view,
            wait_s_max=self.wait_s_max,
            unsent_ns_max=int(self.unsent_s_max * 1e9),
            irreversible_tools=frozenset(self.irreversible_tools),
        )

    def limits(self) -> QueueLimits:
        """The bounds of the queue of unsent events."""
        return QueueLimits(
            events_max=int(self.buffer_events_max),
            bytes_max=int(self.buffer_bytes_max),
            block_ns_max=int(self.block_ms_max * 1e6),
            linger_ns=int(self.linger_ms * 1e6),
            # Half, so that a session is silent for one and a half periods at most.
            heartbeat_ns=max(1, self.heartbeat_ns // 2),
        )


def _check_within(name: str, value: object, least: float, greatest: float) -> None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not least <= value <= greatest:  # type: ignore[operator]
        raise SettingError(f"`{name}`: expected a number from {least:g} to {greatest:g}")


def _checked_names(name: str, values: Iterable[str]) -> frozenset[str]:
    if isinstance(values, str):
        raise SettingError(f"`{name}`: expected a list of names, not a single text")
    return frozenset(checked_name(value, name) for value in values)


def _checked_kafka(options: Mapping[str, object]) -> Mapping[str, object]:
    for name in options:
        if not str(name).startswith(_KAFKA):
            raise SettingError(f"`kafka_options`: no option `{str(name)[:40]}`; see docs/agents.md")
    return dict(options)
