"""Evaluates one record: bytes -> event -> provenance -> kernel -> findings.

The loop and replay share it, so that both treat the same bytes alike. It orders no effects. It is
the only place that continues after an exception of any type: the effect of one event on the kernel
must not end the stream.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from msgspec.structs import replace

from invariants.codec.state import StateError
from invariants.model.event import Event
from monitor.findings.model import Finding
from monitor.ingest.provenance import Provenance
from monitor.ingest.sequence import Noticed
from monitor.kernel.kernel import Kernel
from monitor.kernel.prepared import Stepped, Taken
from monitor.kernel.prevented import asked_in
from monitor.log import say
from monitor.store.schema import StoreError

T = TypeVar("T")


def evaluate(kernel: Kernel, provenance: Provenance, event: Event, group: str) -> Stepped:
    """Pass one event to the kernel, or refuse it if its topic may not assert its kind."""
    before = kernel.reach(event)
    stepped = _evaluated(kernel, provenance, event, group)
    return replace(stepped, findings=before + stepped.findings) if before else stepped


def _evaluated(kernel: Kernel, provenance: Provenance, event: Event, group: str) -> Stepped:
    topic = event.origin.topic
    if not provenance.may_assert(topic, event.kind):
        text = f"`{topic}` may not assert `{event.kind}`; no invariant sees the event"
        return _refused(kernel, event, Noticed("provenance", text))
    try:
        prevented = _prevented(kernel, event, group)
        stepped = kernel.take(event, group)
    except (StoreError, StateError):
        raise  # What was remembered cannot be read: going on would be a clean slate.
    except Exception as error:  # noqa: BLE001 (the one place; it counts and reports each error)
        # A bug of Interlock, triggered by one event: it is reported as a finding, and the stream
        # continues. The scope keeps its state, since a step returns a new one or fails.
        return _refused(kernel, event, _unevaluable("engine", event, error))
    if prevented:
        stepped = replace(stepped, findings=prevented + stepped.findings)
    if stepped.taken is None:
        return stepped
    try:
        found = kernel.score(stepped.taken)
    except Exception as error:  # noqa: BLE001 (as above; no verdict is lost with a score)
        found = kernel.refuse(event, _unevaluable("detector", event, error))
    return replace(stepped, findings=stepped.findings + found) if found else stepped


def attempted(judge: Callable[[], T], event: Event) -> T | None:
    """The result of judging an event; None if the engine failed on it, which is logged."""
    try:
        return judge()
    except (StoreError, StateError):
        raise
    except Exception as error:  # noqa: BLE001 (as above; the caller must not say that all is well)
        _unevaluable("engine", event, error)
        return None


def _prevented(kernel: Kernel, event: Event, group: str) -> list[Finding]:
    """The violations of a call that a gate refused, judged at the place of the refusal."""
    asked = asked_in(event)
    if asked is None:
        return []
    prepared = kernel.prepare(asked, group)
    return kernel.violations(prepared) if isinstance(prepared, Taken) else []


def _refused(kernel: Kernel, event: Event, noticed: Noticed) -> Stepped:
    traces = kernel.traces_of(event)
    return Stepped(kernel.refuse(event, noticed), "refused", event, traces)


def _unevaluable(part: str, event: Event, error: Exception) -> Noticed:
    say(
        "error",
        "step_failed",
        part=part,
        origin=str(event.origin),
        session=event.session,
        error=type(error).__name__,
    )
    text = f"the {part} failed on this event ({type(error).__name__}): it was not judged"
    return Noticed("unevaluable", text, "" if part == "engine" else part)
