"""The page as HTML: one file, no script, nothing loaded from elsewhere.

Jinja escapes every text. The policy in the page's head allows one style, by its digest, and
nothing else: a text that became markup after all could run nothing, load nothing, send nothing.
"""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Final

import jinja2

from replay.report.view import IncidentPage

HERE: Final = Path(__file__).parent


def render(page: IncidentPage) -> str:
    """The whole page."""
    style = HERE.joinpath("page.css").read_text(encoding="utf-8")
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template("page.html").render(page=page, policy=policy_for(style))


def policy_for(style: str) -> str:
    """The content security policy of a page with this one style element."""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
