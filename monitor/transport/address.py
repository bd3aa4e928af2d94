"""Parses `--source`: the address that a person writes -> a typed address, or `ConfigError`.

    kafka://HOST:PORT[,HOST:PORT...][/TOPIC[,TOPIC...]][?group=NAME&instance=NAME&trust_ts=BOOL]
    log:DIRECTORY                   a log directory
    PATH.jsonl, PATH.jsonl.gz       a finished file
    -                               standard input

An address never contains a password: passwords are read from files named in the configuration.
"""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import ClassVar, Final
from urllib.parse import parse_qsl, urlsplit

import msgspec

from interlock.watermarks import TOPICS_CHARS_MAX
from invariants.model.errors import ConfigError

from ..topics import READ_TOGETHER

GROUP: Final = "interlock"
TOPIC_PATTERN: Final = re.compile(r"[A-Za-z0-9._-]{1,249}\Z")
NAME_PATTERN: Final = re.compile(r"[A-Za-z0-9._-]{1,249}\Z")
HOST_PATTERN: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):(\d{1,5})\Z")
BOOLEANS: Final = {"true": True, "false": False}


class KafkaAddress(msgspec.Struct, frozen=True):
    """Brokers as `host:port,host:port`, the topics to read, and the group and its member."""

    bootstrap: str
    topics: tuple[str, ...] = READ_TOGETHER
    group: str = GROUP
    instance: str | None = None
    trust_ts: bool = False

    is_finished: ClassVar[bool] = False


class LogDirAddress(msgspec.Struct, frozen=True):
    """A log directory: `DIRECTORY/TOPIC/WRITER-N.jsonl`."""

    directory: str

    is_finished: ClassVar[bool] = False


class FileAddress(msgspec.Struct, frozen=True):
    """A finished file; `-` is standard input."""

    path: str

    is_finished: ClassVar[bool] = True


SourceAddress = KafkaAddress | LogDirAddress | FileAddress
"""`is_finished`: the source has an end, so that it is judged once: findings are printed, nobody is
stopped, and the state is not kept unless a state directory is set."""


def parse_source_url(text: str) -> SourceAddress:
    """The address in `text`.

    Raises
    ------
    ConfigError
        It is not a valid address; the message contains the expected forms.

    Examples
    --------
    >>> parse_source_url("log:/var/lib/interlock")
    LogDirAddress(directory='/var/lib/interlock')
    >>> parse_source_url("kafka://b1:9092,b2:9092/agent.events?group=g").group
    'g'
    """
    if text.startswith("kafka:"):
        return _parse_kafka(text)
    if text.startswith("log:"):
        directory = text.removeprefix("log:")
        if not directory or "\0" in directory:
            raise ConfigError("`log:` needs a directory, as in `log:/var/lib/interlock`")
        return LogDirAddress(directory)
    if "://" in text:
        # A password behind the scheme would get into logs.
        scheme = _shown(text.partition("://")[0])
        raise ConfigError(
            f"`{scheme}://...` is not a valid source; expected `kafka://HOST:PORT`, "
            "`log:DIRECTORY` or the path of a local file"
        )
    if text == "-" or (text.endswith((".jsonl", ".jsonl.gz")) and "\0" not in text):
        return FileAddress(text)
    raise ConfigError(
        f"`{_shown(text)}` is not a valid source; expected `kafka://HOST:PORT`, `log:DIRECTORY`, "
        f"a `.jsonl` or `.jsonl.gz` file, or `-` for standard input{_hint(text)}"
    )


def _hint(text: str) -> str:
    """The probable intention of a faulty address, if its form suggests one."""
    if all(map(HOST_PATTERN.match, text.split(","))):
        return f"; did you mean `kafka://{_shown(text)}`?"
    if text.endswith((".json", ".ndjson", ".json.gz", ".ndjson.gz")):
        return "; if each of its lines is one event, name it `.jsonl` or `.jsonl.gz`"
    if text and "." not in PurePath(text).name and ":" not in text:
        return f"; did you mean the directory `log:{_shown(text)}`?"
    return ""


def _parse_kafka(text: str) -> KafkaAddress:
    try:
        parts = urlsplit(text)
        query = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    except ValueError:
        raise ConfigError(f"`{_shown(text)}` is not a valid address") from None
    if "@" in parts.netloc:
        # The text is not repeated: it would carry the password into logs.
        raise ConfigError(
            "a `kafka://` address must not contain a user or password; name a file with the "
            "password in the `kafka:` settings"
        )
    if not text.startswith("kafka://"):
        raise ConfigError("a Kafka address has two slashes, such as `kafka://HOST:PORT`")
    hosts = parts.netloc.split(",")
    for host in hosts:
        match = HOST_PATTERN.match(host)
        if match is None or not 0 < int(match[2]) < 65536:
            raise ConfigError(f"`{_shown(host)}` is not a broker; expected `HOST:PORT`")
    if parts.fragment:
        raise ConfigError(f"`#{_shown(parts.fragment)}` has no meaning in a `kafka://` address")
    settings = _query(query)
    return KafkaAddress(
        bootstrap=",".join(hosts),
        topics=_topics(parts.path),
        group=settings.get("group", GROUP),
        instance=settings.get("instance"),
        trust_ts=_boolean(settings.get("trust_ts", "false")),
    )


def _topics(path: str) -> tuple[str, ...]:
    """Topics named in the path are events topics; the others keyed by session come with them."""
    if path in ("", "/"):
        return READ_TOGETHER
    names = path.removeprefix("/").split(",")
    for name in names:
        if not TOPIC_PATTERN.match(name) or name in (".", ".."):
            raise ConfigError(f"`{_shown(name)}` is not a valid name of a topic")
    if len("".join(names)) > TOPICS_CHARS_MAX:
        raise ConfigError(
            f"the names of {len(names)} topics have more than {TOPICS_CHARS_MAX} characters, which "
            "is the limit of a heartbeat; let several monitors, each in its own `group`, "
            "read some of them"
        )
    return tuple(dict.fromkeys((*names, *READ_TOGETHER[1:])))


def _query(pairs: list[tuple[str, str]]) -> dict[str, str]:
    settings: dict[str, str] = {}
    for key, value in pairs:
        if key not in ("group", "instance", "trust_ts"):
            raise ConfigError(
                f"`{_shown(key)}` is not a setting of a `kafka://` address; "
                "expected `group`, `instance` or `trust_ts`"
            )
        if key in settings:
            raise ConfigError(f"`{key}` occurs twice in the address; keep one of them")
        if not NAME_PATTERN.match(value):
            raise ConfigError(f"`{key}={_shown(value)}`: expected letters, digits, `.`, `_`, `-`")
        settings[key] = value
    return settings


def _boolean(text: str) -> bool:
    if text not in BOOLEANS:
        raise ConfigError(f"`trust_ts={_shown(text)}`: expected `true` or `false`")
    return BOOLEANS[text]


def _shown(text: str) -> str:
    """Untrusted text for a message: printable, one line, not too long, and nothing before an `@`,
    where people write passwords.
    """
    before, at, behind = text.rpartition("@")
    shown = f"...@{behind}" if before and at else text
    return shown.encode("unicode_escape", "backslashreplace").decode("ascii")[:100]
