"""The address of a client's events, as text and parsed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from ..errors import SettingError

EVENTS_TOPIC: Final = "agent.events"
CONTROL_TOPIC: Final = "interlock.control"

_TOPIC: Final = re.compile(r"agent\.events(\.[A-Za-z0-9_-][A-Za-z0-9._-]{0,199})?\Z")
_HOST: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):\d{1,5}\Z")


@dataclass(frozen=True, slots=True)
class KafkaTarget:
    """Brokers as `host:port,host:port`, and the topic of events."""

    bootstrap: str
    topic: str


@dataclass(frozen=True, slots=True)
class LogTarget:
    """A log directory, and the topic of events in it."""

    directory: Path
    topic: str = EVENTS_TOPIC


Target = KafkaTarget | LogTarget


def parse_target(text: str) -> Target:
    """Parse `Client(target)`: `kafka://HOST:PORT[,...][/TOPIC]` or `log:DIRECTORY`.

    Raises
    ------
    SettingError
        It is neither, or the package for Kafka is missing. An address with a password in it is not
        repeated.

    Examples
    --------
    >>> parse_target("kafka://b1:9092,b2:9092/agent.events.billing").topic
    'agent.events.billing'
    """
    if text.startswith("log:"):
        directory = text.removeprefix("log:")
        if not directory or "\0" in directory:
            raise SettingError("`log:` needs a directory, as in `log:/var/lib/interlock`")
        return LogTarget(Path(directory).absolute())
    if not text.startswith("kafka://"):
        raise SettingError("`target`: expected `kafka://HOST:PORT/agent.events` or `log:DIRECTORY`")
    hosts, _, topic = text.removeprefix("kafka://").partition("/")
    if "@" in hosts:
        raise SettingError(
            "`target` must not contain a user or password; give them in `kafka_options`"
        )
    if not all(_HOST.match(host) for host in hosts.split(",")):
        raise SettingError("`target`: expected brokers as `HOST:PORT[,HOST:PORT]` in `kafka://`")
    topic = topic or EVENTS_TOPIC
    if not _TOPIC.match(topic):
        raise SettingError("`target`: the topic is `agent.events` or `agent.events.NAME`")
    # Found now, and imported by the thread that needs it: there it could only be counted.
    if find_spec("kafka") is None:
        raise SettingError(
            "`kafka://` needs one more package: pip install 'interlock-client[kafka]'"
        )
    return KafkaTarget(hosts, topic)


def principal_of(target: Target) -> str:
    """The sender's principal by the topic alone: NAME of `agent.events.NAME`, else `""`."""
    return target.topic.removeprefix(EVENTS_TOPIC).removeprefix(".")
