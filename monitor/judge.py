"""Judges one record: bytes -> event -> provenance -> engine -> findings.

The loop and replay share it, so that both treat the same bytes alike. It orders no effects. It is
the only place that continues after an exception of any type: the effect of one event on the engine
must not end the stream.
"""

from __future__ import annotations

from invariants.event import Event
from invariants.state import StateError
from monitor.decode.native import decode_event
from monitor.decode.rejected import Rejected
from monitor.engine import Engine
from monitor.finding import Finding
from monitor.log import say
from monitor.order import Noticed
from monitor.provenance import Provenance
from monitor.sources.base import Record
from monitor.store_schema import StoreError
from monitor.trace_key import principal_of


def read_record(record: Record) -> Event | Rejected:
    """The event in a record, with the properties that its source vouches for; or the rejection."""
    return decode_event(
        record.value,
        record.origin,
        arrival_ns=record.arrival_ns,
        not_before_ns=record.not_before_ns,
        principal=principal_of(record.origin.topic),
    )


def judge(engine: Engine, provenance: Provenance, event: Event, group: str) -> list[Finding]:
    """Pass one event to the engine, or refuse it if its topic may not assert its kind."""
    return engine.reach(event) + _judged(engine, provenance, event, group)


def _judged(engine: Engine, provenance: Provenance, event: Event, group: str) -> list[Finding]:
    topic = event.origin.topic
    if not provenance.may_assert(topic, event.kind):
        text = f"`{topic}` may not assert `{event.kind}`; no invariant sees the event"
        return engine.refuse(event, Noticed("provenance", text), group)
    try:
        findings = engine.step(event, group)
    except (StoreError, StateError):
        raise  # What was remembered cannot be read: going on would be a clean slate.
    except Exception as error:  # noqa: BLE001 (the one place; it counts and reports each error)
        # A bug of Interlock, triggered by one event: it is reported as a finding, and the stream
        # continues. The scope keeps its state, since a step returns a new one or fails.
        return _unevaluable(engine, event, group, "engine", error)
    try:
        return findings + engine.score()
    except Exception as error:  # noqa: BLE001 (as above; no verdict is lost with a score)
        return findings + _unevaluable(engine, event, group, "detector", error)


def _unevaluable(
    engine: Engine, event: Event, group: str, part: str, error: Exception
) -> list[Finding]:
    say(
        "error",
        "step_failed",
        part=part,
        origin=str(event.origin),
        session=event.session,
        error=type(error).__name__,
    )
    text = f"the {part} failed on this event ({type(error).__name__}): it was not judged"
    key = "" if part == "engine" else part
    return engine.refuse(event, Noticed("unevaluable", text, key), group)
