"""Masks credentials in texts of events before the page shows them.

Input: any text. Output: the text with each part that has the form of a credential replaced by its
length. Only the listed forms are masked. This reduces the risk of a page that is passed on; it is
not a guarantee.

Cost: linear. No pattern nests repetitions, and none begins within its own class of characters.
"""

from __future__ import annotations

import re
from typing import Final

_FORMS: Final = (
    r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----[^-]{0,9000}(?:-----END [A-Z ]{0,30}KEY-----)?",
    r"(?<![\w-])eyJ[\w-]{8,4000}\.[\w-]{8,4000}(?:\.[\w-]{0,4000})?",
    r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",
    r"\bgh[pousr]_[A-Za-z0-9]{20,255}",
    r"\bgithub_pat_\w{20,255}",
    r"(?<![\w-])glpat-[\w-]{20,255}",
    r"(?<![\w-])sk-[\w-]{20,255}",
    r"\b[rs]k_(?:live|test)_[A-Za-z0-9]{16,255}",
    r"(?<![\w-])xox[abeoprs]-[\w-]{10,255}",
    r"(?<![\w-])AIza[\w-]{30,60}",
    r"\bnpm_[A-Za-z0-9]{30,60}",
)
"""Source: the documented prefixes of PEM, JWT, AWS, GitHub, GitLab, OpenAI, Stripe, Slack, Google
and npm."""
_FORM: Final = re.compile("|".join(_FORMS))
_HEADER: Final = re.compile(
    r"(authorization\\?\"?\s{0,8}[:=]\s{0,8}\\?\"?(?:bearer|basic|token)\s{1,8})"
    r"(?!\[masked: )([^\s\"',;\\]{6,4000})",
    re.IGNORECASE,
)
_IN_URL: Final = re.compile(r"(://[^\s/:@\"']{0,100}:)([^\s/@\"']{3,200})(?=@)")
_NAMES: Final = (
    r"pass(?:word|wd|phrase)|secret|api[_-]?key|private[_-]?key|client[_-]?secret|credentials?|"
    r"(?:access|auth|refresh|session|bearer|id)[_-]?token"
)
_FIELD: Final = re.compile(
    rf"((?:\b|_)(?:{_NAMES})\\?\"?\s{{0,8}}[:=]\s{{0,8}}\\?)"
    r"(\"(?:[^\"\\]|\\.){3,4000}|'[^']{3,4000}|[^\s\"',;&{}\[\]()<>|$\\]{6,4000})",
    re.IGNORECASE,
)


def masked(text: str) -> str:
    """The text with its credentials masked."""
    text = _FORM.sub(lambda met: _note(met.group()), text)
    for pattern in (_HEADER, _IN_URL, _FIELD):
        text = pattern.sub(lambda met: met.group(1) + _note(met.group(2)), text)
    return text


def _note(secret: str) -> str:
    """The replacement of a credential; a masked text stays unchanged."""
    if "[masked: " in secret:
        return secret
    quote = secret[0] if secret[0] in "\"'" else ""
    return f"{quote}[masked: {len(secret) - len(quote)} characters]"
