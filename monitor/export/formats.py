"""The table of formats. A new one is a file beside this one, with `write`, and a line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from monitor.export import cef, chrome_trace, junit, loki, markdown, ocsf, sarif
from monitor.findings.model import Finding

FORMATS: Final[Mapping[str, Callable[[Sequence[Finding]], bytes]]] = {
    "sarif": sarif.write,
    "ocsf": ocsf.write,
    "junit": junit.write,
    "cef": cef.write,
    "chrome-trace": chrome_trace.write,
    "markdown": markdown.write,
    "loki": loki.write,
}
