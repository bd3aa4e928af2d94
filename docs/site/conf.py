"""The pages as a site: `make site` builds it with Sphinx, and fails on any warning (decision 0044).

Sources are the pages of the checkout as they stand, so that a link leads to the same page in both.
This file adds the order of the pages, by the questions that they answer.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

project = "Interlock"
project_copyright = "Apache License 2.0"
html_title = "Interlock"

extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
root_doc = "README"
include_patterns = [
    "*.md",
    "docs/*.md",
    "docs/decisions/*.md",
    "fixtures/README.md",
    "interlock/README.md",
]
myst_heading_anchors = 4  # of headings that a link may name
highlight_language = "text"

html_theme = "furo"
html_static_path = ["site.css"]
html_css_files = ["site.css"]
html_theme_options = {
    "light_css_variables": {"font-stack": "system-ui, sans-serif"},
    "dark_css_variables": {"font-stack": "system-ui, sans-serif"},
}
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False

QUESTIONS = {
    "What is Interlock?": "self",
    "The first hour": "docs/first-hour",
    "The language": "docs/language",
    "Packs of invariants": "docs/packs",
    "Fitting packs to tools": "docs/infer",
    "Connecting an agent": "docs/agents",
    "Connecting a framework": "docs/connecting",
    "The gate": "docs/gate",
    "Running the monitor": "docs/running",
    "Finding what is wrong": "docs/doctor",
    "Traces of other programs": "docs/traces",
    "Findings for other programs": "docs/export",
    "An incident at 3 a.m.": "docs/incident",
    "Alerts": "docs/alerts",
    "Security": "docs/threat-model",
}
REFERENCE = {
    "Predicates (CEL)": "docs/cel",
    "Events, topics, findings": "docs/events",
    "Roles of principals": "docs/principals",
    "Settings": "docs/configuration",
    "Unusual sessions": "docs/detection",
    "Recordings and replay": "docs/replay",
    "The incident report": "docs/report",
    "Measurements": "docs/benchmarks",
    "States as bytes": "docs/state",
    "Laws": "docs/laws",
    "Conformance": "docs/conformance",
    "Simulation": "docs/simulation",
    "Shell texts": "docs/shells",
    "Program images": "docs/image",
    "The agents of the demo": "fixtures/README",
    "The client's distribution": "interlock/README",
    "Architecture": "ARCHITECTURE",
    "Decisions": "docs/decisions/README",
    "Changes": "CHANGELOG",
}

FILE_NAMES = re.compile(r"\[((?:\.\./|[\w-]+/)*[\w-]+\.md)\]\((\1(?:#[\w-]+)?)\)")
"""A link whose text is the file that it leads to."""


def _toctree(pages: dict[str, str], *options: str) -> str:
    entries = [f"{title} <{page}>" for title, page in pages.items()]
    return "\n".join(["", "```{toctree}", ":hidden:", *options, "", *entries, "```", ""])


def _fit_to_site(app: Any, page: str, source: list[str]) -> None:
    """Titles in the place of file names, and the contents of the site and of the decisions."""
    text = FILE_NAMES.sub(r"[](\2)", source[0])
    if page == root_doc:
        text += _toctree(QUESTIONS) + _toctree(REFERENCE, ":caption: Reference")
    elif page == "docs/decisions/README":
        text += "\n```{toctree}\n:hidden:\n:glob:\n\n[0-9]*\n```\n"
    source[0] = text


def _make_index(app: Any, error: Exception | None) -> None:
    """A server shows `index.html` for a folder. Sphinx makes none: the first page is README."""
    if error is None:
        first = Path(app.outdir) / "README.html"
        first.with_name("index.html").write_bytes(first.read_bytes())


def setup(app: Any) -> dict[str, bool]:
    """Connect both to the build, which may read pages in parallel."""
    app.connect("source-read", _fit_to_site)
    app.connect("build-finished", _make_index)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
