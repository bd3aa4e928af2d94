"""The page as one HTML file with one style and one script; it loads nothing.

Jinja escapes every text. The content security policy allows only that style and that script, by
their digests. If a text became markup in spite of the escaping, it could not run, load or send
anything. Trusted types forbid the script to turn a text into markup.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Final

import jinja2

from replay.report.view import IncidentPage, SessionPart

HERE: Final = Path(__file__).parent


def render(page: IncidentPage, sessions: Sequence[str]) -> str:
    """The whole page, with sessions that are already rendered."""
    style, script = _file("page.css"), _file("page.js")
    return (
        _environment()
        .get_template("page.html")
        .render(
            page=page,
            sessions=sessions,
            style=style,
            script=script,
            policy=policy_for(style, script),
        )
    )


def render_session(part: SessionPart) -> str:
    """One session as HTML."""
    return _environment().get_template("session.html").render(part=part)


def policy_for(style: str, script: str) -> str:
    """The content security policy of a page with this style and this script."""
    return (
        f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}'; "
        "base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; "
        "trusted-types 'none'"
    )


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _file(name: str) -> str:
    return HERE.joinpath(name).read_text(encoding="utf-8")


@cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
