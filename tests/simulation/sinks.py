"""Where a monitor's records and posts go: a publisher as Kafka's behaves, and a webhook.

A publisher that fails may have delivered nothing, the beginning of each partition, or everything;
after a timeout, what it was handed may still arrive.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final
from zlib import crc32

from monitor.actions.contract import Order, Outcome
from monitor.actions.webhook import WebhookDriver, WebhookSettings
from monitor.clock import Clock
from monitor.config.webhook_address import parse_webhook_url
from tests.simulation.faults import Crash, Faults
from tests.simulation.outside import SECOND_NS, Outside, Told

SINK_PARTITIONS: Final = 2
WEBHOOK_URL: Final = "http://webhook.invalid/alerts"


class SimulatedPublisher:
    """`examine` is called with (topic, key, value) before anything is handed over."""

    def __init__(
        self,
        outside: Outside,
        node: str,
        faults: Faults,
        examine: Callable[[str, str, bytes], None],
    ) -> None:
        self._outside = outside
        self._node = node
        self._faults = faults
        self._examine = examine
        self._waiting: list[tuple[str, Told]] = []

    def publish(
        self, topic: str, key: str, value: bytes, headers: tuple[tuple[str, bytes], ...] = ()
    ) -> None:
        self._faults.crash_on("crash before a publish")
        self._examine(topic, key, value)
        if self._faults.strikes("publish refused"):
            raise OSError("simulated: not handed over")
        self._waiting.append((topic, Told(self._node, key, value)))

    def flush(self, timeout_s: float) -> None:
        faults = self._faults
        if not self._waiting:
            return
        self._outside.produce()
        if self._outside.is_away or faults.strikes("flush timed out"):
            self._outside.pass_time(SECOND_NS)
            raise TimeoutError("simulated: not acknowledged; may arrive later")
        if faults.strikes("flush refused"):
            self._waiting.clear()
            raise OSError("simulated: not taken")
        if faults.strikes("crash while publishing"):
            self._deliver(is_cut=True)
            raise Crash("crash while publishing")
        if faults.strikes("flush cut short"):
            self._deliver(is_cut=True)
            raise OSError("simulated: some were taken")
        self._deliver(is_cut=False)
        faults.crash_on("crash after publishing")
        if faults.strikes("flush delivered, then failed"):
            raise OSError("simulated: all taken, and the answer lost")

    def close(self) -> None:
        self.flush(1)

    def _deliver(self, *, is_cut: bool) -> None:
        """Every partition keeps its order, and may be cut at a place of its own."""
        left: dict[tuple[str, int], int] = {}
        if is_cut:
            for topic, told in self._waiting:
                place = topic, crc32(told.key.encode()) % SINK_PARTITIONS
                left[place] = left.get(place, 0) + 1
            left = {place: self._outside.random.randint(0, n) for place, n in left.items()}
        for topic, told in self._waiting:
            place = topic, crc32(told.key.encode()) % SINK_PARTITIONS
            if is_cut:
                left[place] -= 1
                if left[place] < 0:
                    continue
            self._outside.told[topic].append(told)
        self._waiting.clear()


class SimulatedWebhook(WebhookDriver):
    """The driver without its thread: deliveries are attempted when outcomes are asked for."""

    def __init__(self, outside: Outside, faults: Faults, clock: Clock, attempts_max: int) -> None:
        address = parse_webhook_url(WEBHOOK_URL)
        self._settings = WebhookSettings(address, attempts_max=attempts_max)
        self._poster = self
        self._outside = outside
        self._faults = faults
        self._orders: list[Order] = []

    def carry_out(self, order: Order) -> Outcome:
        if len(self._orders) >= 20:
            return Outcome("busy", "simulated: enough to do", SECOND_NS)
        self._orders.append(order)
        return Outcome("started")

    def finished(self) -> list[tuple[str, Outcome]]:
        count = self._outside.random.randint(0, len(self._orders))
        if self._faults.are_over:
            count = len(self._orders)
        over, self._orders = self._orders[:count], self._orders[count:]
        return [(order.action.id, self.deliver(order)) for order in over]

    def close(self) -> None:
        self._orders.clear()

    def post(self, delivery: str, body: bytes) -> int:
        """In place of the real poster."""
        if self._faults.strikes("webhook refuses"):
            raise ConnectionRefusedError("simulated")
        if self._faults.strikes("webhook answers 500"):
            return 500
        self._outside.posts[delivery] += 1
        if self._faults.strikes("webhook took it, then timed out"):
            raise TimeoutError("simulated")
        self._faults.crash_on("crash after a post")
        return 204
