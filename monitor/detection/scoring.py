"""The detector in the stream: it stores a state with each scope and reports alarms as findings.

Input: an event that a scope accepted. Output: an `anomaly` finding if the detector raises its
alarm, at most once per session. The detector's state is stored with the scope's other states, under
the model's digest, in the same transaction: a restart changes no finding. It is advice, and never
stops a session.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from detectors.contract import Detector
from invariants.model.event import Event
from invariants.model.verdict import EventRef
from monitor.detection.finding import anomaly_finding
from monitor.findings.model import Finding, Severity
from monitor.ingest.sequence import Header
from monitor.trace_key import TraceKey


class ScoredScope(msgspec.Struct):
    """A detector's state for one scope; `stored` is the content in the store, compared by
    identity.
    """

    state: Any
    stored: Any = None


class Scoring:
    """One detector for all scopes."""

    def __init__(self, detector: Detector[Any], severity: Severity) -> None:
        self._detector = detector
        self._severity = severity

    def restore(self, states: Mapping[str, bytes], position: int) -> ScoredScope:
        """The stored state of a scope. A scope whose beginning this model did not see is not
        scored, since the threshold is for whole sessions.

        Raises
        ------
        StateError
            The content is not a state of this detector.
        """
        data = states.get(self._detector.digest)
        if data is None:
            return ScoredScope(self._detector.initial(is_whole=position == 0))
        state = self._detector.decode(data)
        return ScoredScope(state, stored=state)

    def score(
        self, scored: ScoredScope, event: Event, header: Header, digest: str
    ) -> list[Finding]:
        """Process one event; `header` is the scope's after it, `digest` the event's if its id is in
        conflict.
        """
        scored.state, score = self._detector.step(scored.state, event)
        if score is None or not score.is_alarm:
            return []
        return [
            anomaly_finding(
                score,
                model=self._detector.digest,
                trace=TraceKey(header.principal, event.session),
                agent=header.agent,
                anchor=EventRef(header.position - 1, header.time_ns, event.id),
                anchor_digest=digest,
                life=header.began.hex(),
                severity=self._severity,
            )
        ]

    def take_change(self, scored: ScoredScope) -> dict[str, bytes]:
        """The changes of a scope to write; empty if it is as stored."""
        if scored.state is scored.stored:
            return {}
        scored.stored = scored.state
        return {self._detector.digest: self._detector.encode(scored.state)}
