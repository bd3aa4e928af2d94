"""Times that run back, or are later than the time of reading: what is still decided, and told."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest

from invariants.check.specs import read_specs
from invariants.image.compile import compile_program
from invariants.model.event import Event, Origin
from invariants.runtime.program import Program
from monitor.findings.model import Finding
from monitor.ingest.decode import decode_event
from monitor.kernel.kernel import Kernel
from monitor.kernel.settings import KernelSettings
from tests.support.rim import SECOND_NS, START_NS
from tests.support.shelf import Shelf

TEXT = """\
version: 1
predicates:
  approved:
    when: kind == "approved"
  pay:
    when: kind == "pay"
  due:
    when: kind == "due"
  early:
    when: time < timestamp("2000-01-01T00:00:00Z")
invariants:
  - id: lately
    severity: warning
    never: pay and not once[60s] approved
  - id: doubt-is-a-violation
    severity: warning
    on_unknown: violate
    never: pay and not once[60s] approved
  - id: ever
    severity: warning
    never: pay and not once approved
  - id: just-before
    severity: warning
    never: pay and not previous[60s] approved
  - id: nested
    severity: warning
    never: pay and not previous once[60s] approved
  - id: paid
    severity: warning
    always: due implies eventually[60s] pay
  - id: by-clock
    severity: info
    never: pay and early
  - id: of-tenant
    severity: warning
    per: tenant
    on_unknown: violate
    never: pay and not once[60s] approved
"""
OWN = ("doubt-is-a-violation", "just-before", "lately", "nested", "paid")
FAR_S = 7_000_000_000
READ_S = 10_000


def program(*names: str) -> Program:
    """Those invariants; else all of sessions."""
    (spec,), _ = read_specs([("times.yaml", TEXT)])
    kept = [
        one for one in spec.invariants if one.id in names or (not names and one.per != "tenant")
    ]
    return compile_program([replace(spec, invariants=tuple(kept))])


def event(seq: int, at_s: float, kind: str, session: str = "s", tenant: str = "") -> Event:
    content = {"session": session, "seq": seq, "kind": kind, "tenant": tenant}
    content["ts"] = START_NS + int(at_s * SECOND_NS)
    read = decode_event(msgspec.json.encode(content), Origin("file", "f", seq))
    assert isinstance(read, Event)
    return msgspec.structs.replace(read, read_ns=START_NS + READ_S * SECOND_NS)


def told(engine: Kernel, *events: Event) -> list[tuple[str, str, int]]:
    found: list[Finding] = []
    for one in events:
        found += engine.step(one)
    return [(f.invariant or f.type, f.type, f.anchor.position) for f in found]


def engine_of(*names: str, **more: object) -> Kernel:
    return Kernel(program(*names), KernelSettings(trust_ts=True, **more))  # type: ignore[arg-type]


@pytest.mark.parametrize("first_s", [FAR_S, READ_S + 6])
def test_a_time_after_now_raises_nothing(first_s: float) -> None:
    """Later events are judged by their own times, as if it had not been stamped so."""
    engine = engine_of("lately", "ever")
    found = told(
        engine, event(0, first_s, "x"), event(1, 0, "approved"), event(2, 59, "pay"),
        event(3, 61, "pay"),
    )  # fmt: skip
    assert found == [("lately", "violated", 3)]
    assert engine.disorder.later_count == 1


def test_a_time_within_the_skew_is_believed() -> None:
    """Clocks differ: five seconds ahead of the reader is no lie."""
    engine = engine_of("lately")
    assert told(engine, event(0, READ_S + 5, "approved"), event(1, READ_S + 5, "pay")) == []
    assert engine.disorder.later_count == 0


def test_what_has_no_known_time_is_measured_from_neither_side() -> None:
    """An approval that is stamped later than now may be old; what lies before it has passed."""
    engine = engine_of("lately", "ever", "just-before")
    found = told(engine, event(0, 0, "x"), event(1, FAR_S, "approved"), event(2, 10, "pay"))
    assert found == [("lately", "inconclusive", 2), ("just-before", "inconclusive", 2)]
    # By its place it came before the tenth second.
    assert told(engine, event(3, 71, "pay")) == [
        ("lately", "violated", 3),
        ("just-before", "violated", 3),
    ]


def test_times_that_run_back_are_in_doubt_and_told_once() -> None:
    """Order is known, distance is not; what was judged before is in doubt as well."""
    engine = engine_of()
    found = told(engine, event(0, 5_000, "approved"), event(1, 10, "pay"))
    assert found == [
        ("lately", "inconclusive", 1),
        ("doubt-is-a-violation", "violated", 1),
        ("just-before", "inconclusive", 1),
        ("nested", "inconclusive", 1),
        ("by-clock", "inconclusive", 1),
        ("disorder", "disorder", 1),
    ]
    assert "disorder" not in {name for name, _, _ in told(engine, event(2, 11, "pay"))}


def test_the_finding_names_what_measures_time() -> None:
    """An invariant whose operators have no windows goes by the order alone."""
    engine = engine_of()
    engine.step(event(0, 5_000, "approved"))
    (finding,) = [f for f in engine.step(event(1, 10, "x")) if f.type == "disorder"]
    assert tuple(finding.could_concern) == OWN
    assert "4990 s before" in finding.detail
    assert told(engine_of("ever"), event(0, 5_000, "approved"), event(1, 10, "pay")) == []


def test_a_fresh_approval_at_a_raised_time_is_old_for_what_comes_later() -> None:
    """The first event whose time is right again does not measure from the raised ones."""
    engine = engine_of("lately")
    events = [event(0, 5_000, "x"), event(1, 10, "approved"), event(2, 5_001, "pay")]
    found = told(engine, *events)
    assert found == [("disorder", "disorder", 1), ("lately", "inconclusive", 2)]
    assert told(engine, event(3, 5_062, "pay")) == [("lately", "violated", 3)]


def test_windows_at_the_event_before_are_in_doubt_too() -> None:
    """What `previous` reads of them was measured from a time that may be the wrong one."""
    engine = engine_of("nested")
    found = told(engine, event(0, 0, "approved"), event(1, 5_000, "x"), event(2, 10, "pay"))
    assert found == [("nested", "inconclusive", 2), ("disorder", "disorder", 2)]


@pytest.mark.parametrize("back_s", [5, 5.001])
def test_the_bound_is_that_of_clocks(back_s: float) -> None:
    """Times that run back by `skew` and `lateness` are raised as ever, and no further."""
    engine = engine_of("lately")
    found = told(engine, event(0, 100, "approved"), event(1, 100 - back_s, "pay"))
    assert bool(found) == (back_s > 5)
    engine = engine_of("lately", lateness_ns=SECOND_NS)
    assert told(engine, event(0, 100, "approved"), event(1, 100 - back_s, "pay")) == []


def test_arrivals_bound_how_far_times_run_back() -> None:
    """Where a source vouches for arrivals, no time that an agent writes makes any doubt."""
    settings = KernelSettings(lateness_ns=3 * SECOND_NS)
    engine = Kernel(program("lately", "of-tenant"), settings)
    found: list[Finding] = []
    for seq, at_s in enumerate((FAR_S, 0, -50, 8_000, 3, FAR_S, 1)):
        one = msgspec.structs.replace(
            event(seq, at_s, "x", tenant="acme"), arrival_ns=START_NS + seq * SECOND_NS
        )
        found += engine.step(one)
    assert found == []


def test_obligations_of_wrong_times_are_given_up() -> None:
    """Those that began behind the event's own time; the others go on, and are met."""
    engine = engine_of("paid")
    found = told(engine, event(0, 0, "due"), event(1, 50, "x"), event(2, 30, "pay"))
    assert found == [("disorder", "disorder", 2)]
    found = told(engine, event(3, 60, "due"), event(4, 30, "x"))
    assert found == [("paid", "inconclusive", 3)]
    # It began at a raised time: how long before the next one is not known.
    found = told(engine, event(5, 30, "due"), event(6, 100, "pay"))
    assert found == [("paid", "inconclusive", 5)]


def test_what_begins_at_an_unknown_time_is_given_up_at_once() -> None:
    """It is due at no known time; what meets it there may be late."""
    engine = engine_of("paid")
    assert told(engine, event(0, FAR_S, "due")) == [("paid", "inconclusive", 0)]
    found = told(engine, event(1, 0, "due"), event(2, FAR_S, "pay"), event(3, 1, "x"))
    assert found == [("paid", "inconclusive", 1)]


def test_one_session_makes_no_violation_of_another() -> None:
    """In a wider scope the doubt is told, and `on_unknown: violate` does not escalate it."""
    engine = engine_of("of-tenant")
    found = told(
        engine,
        event(0, 0, "approved", "honest", "acme"),
        event(0, 5_000, "x", "liar", "acme"),
        event(1, 10, "pay", "honest", "acme"),
    )
    assert found == [("of-tenant", "inconclusive", 1), ("disorder", "disorder", 1)]
    # What no past could settle is a violation still.
    assert told(engine, event(1, 6_000, "x", "liar", "acme")) == []
    assert told(engine, event(2, 6_061, "pay", "honest", "acme")) == [("of-tenant", "violated", 2)]


def test_a_restart_between_any_two_events_changes_nothing() -> None:
    """What is in doubt, and that it was told, is stored with the session."""
    events = [
        event(0, 5_000, "approved", tenant="acme"),
        event(1, 10, "approved", tenant="acme"),
        event(2, FAR_S, "due", tenant="acme"),
        event(3, 20, "pay", tenant="acme"),
        event(4, 5_001, "pay", tenant="acme"),
        event(5, 5_100, "pay", tenant="acme"),
    ]
    names = ("lately", "just-before", "paid", "of-tenant")
    whole = told(engine_of(*names), *events)
    assert {type_ for _, type_, _ in whole} == {"disorder", "inconclusive", "violated"}
    shelf = Shelf()
    found: list[tuple[str, str, int]] = []
    for one in events:
        engine = Kernel(program(*names), KernelSettings(trust_ts=True), shelf.load)
        found += told(engine, one)
        shelf.keep(*engine.take_changes())
    assert found == whole
