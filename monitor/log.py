"""The monitor's own log: one line per message on standard error, as JSON or as text for people.

Input: messages from `say(...)`, and messages that libraries log through `logging`. Agents choose
much of this text (session ids, tool names, errors). It is escaped, so that it can neither start a
new line nor move a terminal's cursor, and truncated, so that it cannot flood. Secrets are replaced,
whoever logs them.
"""

from __future__ import annotations

import json
import logging
import math
import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Final, Literal, TextIO

from .secret import PLACEHOLDER, Secret

LogFormat = Literal["json", "text", "auto"]

LOGGER: Final = logging.getLogger("interlock")
FIELD_CHARACTERS_MAX: Final = 2_000  # Chosen: a long error still shows; a document does not.
LINE_CHARACTERS_MAX: Final = 16_384  # Chosen: common log collectors accept a line of this length.
SECRET_BYTES_MIN: Final = 4
"""Shorter secrets are not searched for: replacing every `a` would make the log unreadable."""
SECRET_WORDS: Final = ("password", "passwd", "secret", "token", "authorization", "api_key")
LEVELS: Final[Mapping[str, int]] = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "critical": logging.CRITICAL,
}


def configure_log(
    level: str,
    form: LogFormat,
    secrets: Iterable[Secret] = (),
    stream: TextIO | None = None,
) -> logging.Handler:
    """Send every log line of this process to `stream` (standard error); returns the handler.

    `auto` writes text if the stream is a terminal, else JSON. A later call replaces the setup of an
    earlier one.
    """
    target = sys.stderr if stream is None else stream
    is_text = form == "text" or (form == "auto" and target.isatty())
    handler = logging.StreamHandler(target)
    handler.setFormatter(LineFormatter(is_text, secrets))
    handler.set_name("interlock")
    root = logging.getLogger()
    for old in [h for h in root.handlers if h.get_name() == "interlock"]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(max(LEVELS[level], logging.WARNING))  # Libraries log only warnings and errors.
    LOGGER.setLevel(LEVELS[level])
    # A full disk behind standard error must not stop the monitor with a traceback per line.
    logging.raiseExceptions = False
    return handler


def say(level: str, event: str, **fields: object) -> None:
    """One line: `event` is a fixed phrase of the code's own, `fields` carry everything else.

    Foreign text never goes into `event`: searches and alerts match on it.
    """
    LOGGER.log(LEVELS[level], "%s", event, extra={"interlock_fields": fields})


class LineFormatter(logging.Formatter):
    """A log record -> one line of ASCII that holds no secret."""

    def __init__(self, is_text: bool, secrets: Iterable[Secret] = ()) -> None:
        super().__init__()
        self._is_text = is_text
        self._secrets = _spellings(secrets)

    def format(self, record: logging.LogRecord) -> str:
        fields = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
            **getattr(record, "interlock_fields", {}),
        }
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        shown = {name: self._shown(name, value) for name, value in fields.items()}
        return _text_line(shown) if self._is_text else _json_line(shown)

    def _shown(self, name: str, value: object) -> object:
        if isinstance(value, Secret) or any(word in name.lower() for word in SECRET_WORDS):
            return PLACEHOLDER
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, float):
            return value if math.isfinite(value) else str(value)
        if isinstance(value, int) and value.bit_length() <= 64:
            return int(value)
        text = _as_text(value)
        for secret in self._secrets:
            text = text.replace(secret, PLACEHOLDER)
        return shorten(text, FIELD_CHARACTERS_MAX)


def shorten(text: str, characters_max: int) -> str:
    """`text`, or its beginning and how much is missing."""
    if len(text) <= characters_max:
        return text
    return f"{text[:characters_max]}... ({len(text) - characters_max} more characters)"


def escape(text: str) -> str:
    """Printable ASCII on one line; everything else as a backslash escape.

    Examples
    --------
    >>> print(escape("a\\x1b[2J\\nlevel=info"))
    a\\x1b[2J\\nlevel=info
    """
    return text.encode("unicode_escape", "surrogatepass").decode("ascii")


def _as_text(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value[:FIELD_CHARACTERS_MAX].decode("utf-8", "backslashreplace")
    if isinstance(value, int):
        return "an integer of more than 64 bits"  # Its text may be too long to be made at all.
    return str(value)


def _spellings(secrets: Iterable[Secret]) -> tuple[str, ...]:
    """Each secret as it may turn up in a line, the longest first."""
    found = set()
    for secret in secrets:
        value = secret.reveal()
        if len(value) >= SECRET_BYTES_MIN:
            text = value.decode("utf-8", "backslashreplace")
            found |= {text, repr(text)[1:-1], repr(value)[2:-1], value.hex()}
    return tuple(sorted(found, key=len, reverse=True))


def _json_line(fields: Mapping[str, object]) -> str:
    line = json.dumps(fields, ensure_ascii=True)
    if len(line) <= LINE_CHARACTERS_MAX:
        return line
    kept: dict[str, object] = {}
    size = 64
    for name, value in fields.items():
        size += len(json.dumps({name: value}))
        if size > LINE_CHARACTERS_MAX:
            break
        kept[name] = value
    return json.dumps({**kept, "is_cut": True}, ensure_ascii=True)


def _text_line(fields: Mapping[str, object]) -> str:
    head = f"{fields['time']} {str(fields['level']).upper():8} {escape(str(fields['event']))}"
    rest = [
        f"{name}={_quoted(value)}"
        for name, value in fields.items()
        if name not in ("time", "level", "event", "logger")
    ]
    return shorten(" ".join([head, *rest]), LINE_CHARACTERS_MAX)


def _quoted(value: object) -> str:
    if isinstance(value, str):
        return '"' + escape(value).replace('"', '\\"') + '"'
    return json.dumps(value)
