"""The metrics as Prometheus reads them: the only place that imports its client library.

Names, types and labels are those of `metrics_table.py`. The library takes long to import, and a
monitor without pages does not need it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from .metrics_table import METRICS, Metric

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST


class Registry:
    """The metrics of one process. One thread changes them; `render` may be called by another."""

    def __init__(self, metrics: Iterable[Metric] = METRICS) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        self._counters: dict[str, Counter] = {}
        self._gauges: dict[str, Gauge] = {}
        self._histograms: dict[str, Histogram] = {}
        for metric in metrics:
            self._make(metric)

    def begin(self, counter: str, *labels: str) -> None:
        """A child that is there from now on, at 0."""
        self._counters[counter].labels(*labels)

    def add(self, counter: str, count: int, *labels: str) -> None:
        """Cost: about 1 us."""
        found = self._counters[counter]
        (found.labels(*labels) if labels else found).inc(count)

    def set(self, gauge: str, value: float, *labels: str) -> None:
        found = self._gauges[gauge]
        (found.labels(*labels) if labels else found).set(value)

    def remove(self, gauge: str, *labels: str) -> None:
        """A child that is no longer shown."""
        self._gauges[gauge].remove(*labels)

    def observe(self, histogram: str, value: float) -> None:
        self._histograms[histogram].observe(value)

    def render(self) -> bytes:
        """The text that Prometheus reads, of type `CONTENT_TYPE`."""
        return generate_latest(self._registry)

    def _make(self, metric: Metric) -> None:
        name, text, labels = metric.name, metric.meaning, metric.labels
        match metric.type:
            case "counter":
                self._counters[name] = Counter(name, text, labels, registry=self._registry)
            case "gauge":
                self._gauges[name] = Gauge(name, text, labels, registry=self._registry)
            case "histogram":
                self._histograms[name] = Histogram(
                    name, text, labels, registry=self._registry, buckets=metric.buckets
                )
