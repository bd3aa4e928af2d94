"""Gates' claims on a topic of their own, without the gates."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from monitor.clock import Clock, SystemClock
from monitor.gate.errors import ClaimPendingError
from monitor.gate.topic_claims import TopicClaims
from monitor.topics import CLAIMS, POLICIES
from monitor.trace_key import TraceKey
from monitor.transport.kafka.claim_log import KafkaClaimLog
from monitor.transport.kafka.topic_config import init_topics

LEASE_NS = 3_600_000_000_000
PATIENCE_S = 120.0


def claims_topic(bootstrap: str) -> str:
    """A topic of claims for one test."""
    topic = f"{uuid.uuid4().hex[:8]}.{CLAIMS}"
    init_topics(bootstrap, 4, 1, topics={topic: POLICIES[CLAIMS]})
    return topic


@contextmanager
def claims_of(
    bootstrap: str,
    topic: str,
    name: str,
    *,
    lease_ns: int = LEASE_NS,
    place: str = "here",
    clock: Clock | None = None,
    delivery_ms: int = 5_000,
    knows: Callable[[TraceKey], bool] = lambda key: True,
) -> Iterator[TopicClaims]:
    """The claims of one gate, which has begun; `knows`: the sessions in its state."""
    with ExitStack() as stack:
        log = KafkaClaimLog(bootstrap, topic, delivery_ms=delivery_ms)
        stack.callback(log.close)
        clock = clock or SystemClock()
        claims = TopicClaims(log, name, lease_ns=lease_ns, place=place, clock=clock)
        stack.callback(claims.close)
        claims.begin()
        claims.adopt(knows)
        claims.start()
        yield claims


def take(claims: TopicClaims, session: str, principal: str = "bot") -> None:
    """Claim a session as the server does: wait, and ask again. Raises what `take` does."""
    key = TraceKey(principal, session)
    for _ in range(3):
        try:
            return claims.take(key)
        except ClaimPendingError as pending:
            pending.claimed.result(PATIENCE_S)
    raise AssertionError("neither won nor lost")
