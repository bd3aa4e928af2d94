"""One case of a rule: what Prometheus has read, and which alerts are expected when."""

from __future__ import annotations

from dataclasses import dataclass, field

STEP = "30s"
MONITOR = {"instance": "m:9847", "job": "interlock"}
OLD = {
    "process_start_time_seconds": "-100000x240",
    "interlock_build_info": "1x240",
}
"""A monitor that has run for long; a case may say otherwise."""


@dataclass(frozen=True)
class Case:
    """Series (name and labels, without job and instance) with their values every 30 seconds.

    `fires`: the labels of each firing alert, without `severity`, and the value as it is shown;
    empty where none is to fire.
    """

    alert: str
    why: str
    series: dict[str, str]
    at: str
    fires: list[tuple[dict[str, str], str]] = field(default_factory=list)
    old: bool = True

    def input_series(self) -> list[dict[str, str]]:
        """As promtool takes them."""
        lines = {**(OLD if self.old else {}), **self.series}
        return [{"series": identified(name), "values": values} for name, values in lines.items()]


def one(**labels: str) -> dict[str, str]:
    """The labels of an alert of the one monitor."""
    return {**MONITOR, **labels}


def identified(series: str) -> str:
    """With job and instance, unless they are there or the series has none."""
    name, _, inside = series.partition("{")
    labels = inside.removesuffix("}")
    if "job=" not in labels:
        own = ",".join(f'{key}="{value}"' for key, value in MONITOR.items())
        labels = f"{labels},{own}" if labels else own
    return f"{name}{{{labels}}}"
