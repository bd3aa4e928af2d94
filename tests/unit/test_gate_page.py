"""docs/gate.md and docs/openapi.json against the code: pages, errors, bounds, metrics."""

from __future__ import annotations

import re
from pathlib import Path

from monitor.gate_server.bounds import BOUNDS_REACHED, Bounds
from monitor.gate_server.openapi import open_api
from monitor.gate_server.refusal import ERRORS
from monitor.gate_server.routes import PAGES
from monitor.telemetry.gate_metrics_table import GATE_METRICS

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = DOCS / "gate.md"


def _rows(title: str) -> list[list[str]]:
    """The cells of a section's table."""
    section = PAGE.read_text().partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


def test_the_document_is_the_one_in_docs() -> None:
    """`python -m monitor.gate_server.openapi > docs/openapi.json` makes it."""
    assert (DOCS / "openapi.json").read_bytes() == open_api()


def test_pages_are_told() -> None:
    """Each page with its purpose, in the code's words."""
    meant = [[f"`{page.method} {page.path}`", page.meaning] for page in PAGES]
    assert _rows("Pages") == meant


def test_errors_are_told() -> None:
    """Each code with its status and its meaning."""
    meant = [[f"`{code}`", str(status.value), text] for code, (status, text) in ERRORS.items()]
    assert _rows("Errors") == meant


def test_metrics_are_told() -> None:
    """Names, types, labels and meanings."""
    meant = [
        [
            f"`{m.name}`",
            f"{m.type} by {', '.join(m.labels)}" if m.labels else m.type,
            m.meaning,
        ]
        for m in GATE_METRICS
    ]
    assert _rows("Metrics and health") == meant


def test_bounds_are_told() -> None:
    """Each bound with its value, and each label of the metric with its bound."""
    rows = _rows("Bounds")
    labels = [label for row in rows for label in re.findall(r"`(\w+)`", row[-1])]
    assert sorted(labels) == sorted(BOUNDS_REACHED)
    bounds = Bounds()
    values = [row[1] for row in rows]
    for name in bounds.__struct_fields__:
        value = f"{getattr(bounds, name):g}" if name.endswith("_s") else str(getattr(bounds, name))
        if name not in ("refusal_pause_s", "sessions_known_max"):
            assert any(re.match(rf"{value}\b", told) for told in values), (name, value)
