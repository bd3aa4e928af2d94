"""The dashboard that is shipped, and the expressions of its panels."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PATH = Path(__file__).resolve().parents[2] / "monitor" / "dashboards" / "interlock.json"
RANGES = {"$__rate_interval": "5m", "$__range": "6h"}


@dataclass(frozen=True)
class Shown:
    """One expression of one panel."""

    panel: str
    expression: str

    def plain(self, instance: str = ".*") -> str:
        """With what Grafana puts in for its variables."""
        text = self.expression.replace("$instance", instance)
        for name, value in RANGES.items():
            text = text.replace(name, value)
        assert "$" not in text, f"{self.panel}: a variable that nobody knows: {text}"
        return text


def dashboard() -> dict[str, Any]:
    """As Grafana reads it."""
    content: dict[str, Any] = json.loads(PATH.read_text())
    return content


def panels() -> list[dict[str, Any]]:
    """Every panel but the rows' heads."""
    return [panel for panel in dashboard()["panels"] if panel["type"] != "row"]


def shown() -> list[Shown]:
    """Every expression of every panel."""
    return [Shown(panel["title"], t["expr"]) for panel in panels() for t in panel["targets"]]


def variables() -> dict[str, str]:
    """The dashboard's own variables, with the query of each."""
    listed = dashboard()["templating"]["list"]
    return {v["name"]: v.get("definition", v["query"]) for v in listed}


def variables_named() -> set[str]:
    """Every variable that a panel asks for, but Grafana's own."""
    text = json.dumps(dashboard()["panels"])
    return {name for name in re.findall(r"\$\{?(\w+)\}?", text) if not name.startswith("__")}
