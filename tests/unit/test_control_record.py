"""Which control record holds."""

from __future__ import annotations

import msgspec
import pytest

from interlock.control_record import HEARTBEAT_KEY, ControlRecord, ControlState, ControlView


def record(state: ControlState, **fields: object) -> bytes:
    return msgspec.json.encode(ControlRecord(state=state, **{"issued_at": 1, **fields}))  # type: ignore[arg-type]


def test_of_all_keys_the_most_severe_holds() -> None:
    """Killed beats quarantined beats active, whatever key says it and in whatever order."""
    view = ControlView()
    view.apply("session:a", record("quarantined"))
    view.apply("agent:x", record("killed"))
    view.apply("tool:t", record("active"))
    assert view.standing(["session:a", "agent:x", "tool:t"], 5) == ("killed", "agent:x")
    assert view.standing(["session:a", "tool:t"], 5) == ("quarantined", "session:a")
    assert view.standing(["tool:t"], 5) == ("active", "")


def test_global_concerns_every_asker() -> None:
    """`global` is looked at without being named."""
    view = ControlView()
    view.apply("global", record("killed"))
    assert view.standing([], 0) == ("killed", "global")


def test_the_later_record_of_a_key_holds() -> None:
    """`active` releases, and a later quarantine stops again."""
    view = ControlView()
    for state in ("killed", "active"):
        assert view.apply("session:a", record(state))
    assert view.standing(["session:a"], 0)[0] == "active"
    view.apply("session:a", record("quarantined"))
    assert view.standing(["session:a"], 0)[0] == "quarantined"


@pytest.mark.parametrize(
    ("state", "now_ns", "held"),
    [
        ("quarantined", 99, "quarantined"),
        ("quarantined", 100, "active"),
        ("killed", 100, "killed"),
        ("killed", 10**18, "killed"),
    ],
)
def test_a_quarantine_expires_and_a_kill_does_not(
    state: ControlState, now_ns: int, held: str
) -> None:
    """At `expires_at` itself a quarantine is over; a kill never is."""
    view = ControlView()
    view.apply("session:a", record(state, expires_at=100))
    assert view.standing(["session:a"], now_ns)[0] == held


def test_a_kill_is_not_turned_into_a_quarantine_that_expires() -> None:
    """Two monitors, or an operator: only `active` releases, however much is written behind."""
    view = ControlView()
    view.apply("session:a", record("killed", issuer="m1"))
    assert view.apply("session:a", record("quarantined", issuer="m2", expires_at=100))
    assert view.standing(["session:a"], 1_000) == ("killed", "session:a")
    view.apply("session:a", record("active", issuer="operator"))
    view.apply("session:a", record("quarantined", issuer="m2", expires_at=100))
    assert view.standing(["session:a"], 50)[0] == "quarantined"
    assert view.standing(["session:a"], 100)[0] == "active"


def test_an_issuer_cannot_go_back_behind_its_own_epoch() -> None:
    """The epoch fences an issuer against its own past, and nobody else."""
    view = ControlView()
    assert view.apply("session:a", record("killed", issuer="m", epoch=3))
    assert not view.apply("session:a", record("active", issuer="m", epoch=2))
    assert view.standing(["session:a"], 0)[0] == "killed"
    assert view.apply("session:a", record("active", issuer="operator", epoch=0))
    assert view.standing(["session:a"], 0)[0] == "active"


@pytest.mark.parametrize(
    "value",
    [None, b"", b"{", b"[]", b'{"state":"frozen","issued_at":1}', b'{"state":"active"}', b"\xff"],
)
def test_what_is_no_record_changes_nothing(value: bytes | None) -> None:
    """Tombstones and unreadable records leave what stood before."""
    view = ControlView()
    view.apply("session:a", record("killed"))
    assert not view.apply("session:a", value)
    assert view.standing(["session:a"], 0)[0] == "killed"
    assert view.keys_count == 1


def test_a_heartbeat_is_time_and_no_standing() -> None:
    """The heartbeat's record is no key that anybody could be stopped by."""
    view = ControlView()
    view.apply(HEARTBEAT_KEY, record("killed", issued_at=77))
    assert view.watermarks.of(None).judged_ns == 77
    assert view.standing([HEARTBEAT_KEY], 0)[0] == "active"
    assert view.record(HEARTBEAT_KEY) is None
    assert view.records() == {}


def test_deep_nesting_is_no_record() -> None:
    """Text that would exhaust the decoder is ignored like any other."""
    view = ControlView()
    nested = b'{"state":"active","issued_at":1,"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    assert not view.apply("session:a", nested)
