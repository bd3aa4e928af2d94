"""The bounds of the gate's server, each with its effect; docs/gate.md has the same table."""

from __future__ import annotations

from typing import Final

import msgspec

from interlock.limits import RECORD_BYTES_MAX

KIB: Final = 1024


class Bounds(msgspec.Struct, frozen=True):
    """How much of everything. The defaults are those of a real gate; tests choose smaller ones."""

    connections_max: int = 1_000
    """In all. The oldest without a principal is closed for a new one, else the new one is."""
    strangers_max: int = 64
    """Connections of one user of the machine (or over TCP) that no principal owns yet. The oldest
    is closed for a new one."""
    connections_of_principal_max: int = 128
    """A request on a further one gets 429, and the connection is closed."""
    requests_of_principal_max: int = 8
    """Requests that are read and answered at a time. Further ones wait, unread, on their
    connections, in the order of their arrival."""
    polls_of_principal_max: int = 64
    """Requests that wait for an operator; a further one gets 429."""
    body_bytes_max: int = RECORD_BYTES_MAX
    """A longer body gets 413, unread."""
    hook_bytes_max: int = 2 * KIB * KIB
    """The body of a hook, which has the whole result of a call: the gate keeps its beginning."""
    line_bytes_max: int = 4 * KIB
    """The request line, and each header; a longer one gets 400, as do more headers."""
    headers_max: int = 32
    head_s: float = 10.0
    """The whole head of a request, however it drips; then the connection is closed."""
    body_s: float = 10.0
    """The whole body; then 408, and the connection is closed."""
    idle_s: float = 75.0
    """Between two requests; then the connection is closed."""
    write_s: float = 10.0
    """A client that does not read its response for this long is disconnected."""
    wait_s_max: int = 60
    """The longest `wait_s` of a long poll; a greater one counts as this."""
    hook_wait_s_max: int = 600
    """The longest `wait_s` of a hook, which cannot ask again."""
    refusal_pause_s: float = 0.5
    """A 401 or 429 is answered after this pause, so that repeating it costs the sender time."""
    sessions_burst_max: int = 1_000
    """Sessions of a principal that are new to this process; a further one gets 429 until one more
    is allowed, each second."""
    sessions_known_max: int = 10_000
    """Sessions of a principal that are remembered for that; beyond, the oldest count as new."""
    events_of_tell_max: int = 100
    """Events of one `tell`: others wait for their end. More get 413."""
    listed_bytes_max: int = 3 * KIB * KIB
    """The size of the list of held calls; calls beyond it are counted in `omitted`."""


BOUNDS_REACHED: Final = (
    "connections",
    "strangers",
    "connections_of_principal",
    "requests",
    "polls",
    "body",
    "head_time",
    "body_time",
    "idle_time",
    "write_time",
    "sessions",
    "bytes",
    "files",
)
"""Labels of `interlock_gate_bounds_reached_total`: one for each way in which a bound is met."""
