"""The rows of the table of settings for `interlock gate serve`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .setting import row


@dataclass(frozen=True, slots=True, kw_only=True)
class GateSettings:
    """Where a gate listens, and where its log goes. `interlock gate serve` has them as `--listen`,
    `--publish` and so on.
    """

    listen: str | None = row(
        "gate.listen",
        "text",
        None,
        "Where the gate listens: `unix:PATH`, `http://127.0.0.1:PORT`, or several with commas. "
        "HTTP on a port needs `principals`, with tokens.",
        unset_means="required by `interlock gate serve`",
    )
    publish: str | None = row(
        "gate.publish",
        "text",
        None,
        "Where the gate publishes its log: `log:DIRECTORY` or `kafka://HOST:PORT`. It obeys the "
        "control topic there.",
        unset_means="required by `interlock gate serve`",
    )
    socket_access: Literal["owner", "group", "all"] = row(
        "gate.socket_access",
        "choice",
        "group",
        "The users that may connect to a Unix socket: the gate's own, those of the file's group, "
        "or all of the machine.",
        choices=("owner", "group", "all"),
    )
    socket_group: str | None = row(
        "gate.socket_group",
        "text",
        None,
        "The group of a Unix socket's file.",
        unset_means="the group of the gate's user",
    )
    view_age_ns: int | None = row(
        "gate.view_age",
        "duration",
        None,
        "How long ago monitors may have judged what other gates saw. Beyond it, a call that an "
        "enforced invariant of a scope wider than a session concerns is refused, unless that has "
        "`fail: open`. Three heartbeats are a good value.",
        minimum=100_000_000,
        unset_means="this gate is the only one",
    )
    principal_bytes_per_hour: int = row(
        "gate.principal_bytes_per_hour",
        "integer",
        1024**3,
        "Bytes of the gate's log that may be about one principal in an hour. Beyond it, the "
        "principal's requests get 429 until there is room, so that no agent fills the disk.",
        minimum=1_000_000,
        maximum=1_000_000_000_000_000,
    )
    omitted_args: Literal["deny", "judge"] = row(
        "gate.omitted_args",
        "choice",
        "deny",
        "A call whose arguments are omitted, or not sent, while an enforced invariant reads them: "
        "deny it, or judge it as one with unknown arguments (`on_unknown`).",
        choices=("deny", "judge"),
    )
    claim_lease_ns: int = row(
        "gate.claim_lease",
        "duration",
        300_000_000_000,
        "With `kafka://`: how long the gate goes on with its sessions while Kafka does not confirm "
        "that they are still its own. Then it refuses. Another process that continues this gate "
        "from a copy of its state, and `interlock gate retire`, wait as long.",
        minimum=1_000_000_000,
        maximum=86_400_000_000_000,
    )
    sync: bool = row(
        "gate.sync",
        "boolean",
        False,
        "Answer only when the record is on the disk (fsync): a power cut then loses no answer, and "
        "each one takes longer. A kill of the process never loses one.",
    )
