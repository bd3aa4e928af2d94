"""Addresses of sources: what is understood, and how what is not is told."""

from __future__ import annotations

import pytest

from invariants.model.errors import ConfigError
from monitor.topics import APPROVALS, ENFORCEMENT, GATE, READ_TOGETHER
from monitor.transport.address import (
    FileAddress,
    KafkaAddress,
    LogDirAddress,
    SourceAddress,
    parse_source_url,
)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("kafka://h:9092", KafkaAddress("h:9092")),
        ("kafka://h:9092/", KafkaAddress("h:9092")),
        ("kafka://a:1,b:2/agent.events?group=g", KafkaAddress("a:1,b:2", READ_TOGETHER, "g")),
        ("kafka://[::1]:9092", KafkaAddress("[::1]:9092")),
        (
            "kafka://h:1/agent.events.x,agent.events.y?instance=m-1&trust_ts=true",
            KafkaAddress(
                "h:1",
                ("agent.events.x", "agent.events.y", APPROVALS, ENFORCEMENT, GATE),
                instance="m-1",
                trust_ts=True,
            ),
        ),
        ("log:/var/x y", LogDirAddress("/var/x y")),
        ("a/b.jsonl", FileAddress("a/b.jsonl")),
        ("b.jsonl.gz", FileAddress("b.jsonl.gz")),
        ("-", FileAddress("-")),
    ],
)
def test_an_address_is_understood(text: str, address: SourceAddress) -> None:
    """Each documented form gives its typed address; only files and pipes have an end."""
    assert parse_source_url(text) == address
    assert address.is_finished == isinstance(address, FileAddress)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "is not a valid source"),
        ("http://x", "is not a valid source"),
        ("a.json", "is not a valid source"),
        ("a.ndjson.gz", "name it `.jsonl` or `.jsonl.gz`"),
        ("../log", "did you mean the directory `log:../log`?"),
        ("h:9092", "did you mean `kafka://h:9092`?"),
        ("a:1,b:2", "did you mean `kafka://a:1,b:2`?"),
        ("kafka:h:9092", "two slashes"),
        ("https://u:secret@x/a.jsonl", "`https://...` is not a valid source"),
        ("file:///a.jsonl", "the path of a local file"),
        ("log:", "needs a directory"),
        ("kafka://", "is not a broker"),
        ("kafka://h", "is not a broker"),
        ("kafka://h:0", "is not a broker"),
        ("kafka://h:99999", "is not a broker"),
        ("kafka://h:9092,", "is not a broker"),
        ("kafka://h:9092/..", "is not a valid name of a topic"),
        ("kafka://h:9092/a b", "is not a valid name of a topic"),
        ("kafka://h:9092/a//b", "is not a valid name of a topic"),
        ("kafka://h:9092?offset=1", "is not a setting"),
        ("kafka://h:9092?group=a&group=b", "occurs twice"),
        ("kafka://h:9092?group=", "expected letters"),
        ("kafka://h:9092?group", "not a valid address"),
        ("kafka://h:9092?trust_ts=1", "expected `true` or `false`"),
        ("kafka://h:9092#x", "has no meaning"),
        ("kafka://[::1", "not a valid address"),
    ],
)
def test_what_is_no_address_is_refused(text: str, told: str) -> None:
    """A wrong address is a `ConfigError` of one line that says what is wrong."""
    with pytest.raises(ConfigError, match=told) as caught:
        parse_source_url(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "kafka://me:hunter2@h:9092",
        "me:hunter2@h:9092",
        "me:hunter2@h:9092,h2:9092",
        "kafka://[me:hunter2@h:9092",
        "kafka://h:9092/me:hunter2@x",
        "kafka://h:9092?me:hunter2@x=1",
        "kafka://h:9092?group=me:hunter2@x",
        "kafka://h:9092#me:hunter2@x",
        "kafka:me:hunter2@h:9092",
        "http+me:hunter2@h://x",
        "me:hunter2@h/events.json",
    ],
)
def test_a_password_in_an_address_is_refused_and_not_repeated(text: str) -> None:
    """What stands in an address ends in logs: passwords come from files alone."""
    with pytest.raises(ConfigError) as caught:
        parse_source_url(text)
    assert "hunter2" not in str(caught.value)


def test_more_topics_than_a_heartbeat_can_name_are_refused() -> None:
    """It says which topics it speaks of, and guards of others must not believe it."""
    fitting = ",".join(f"agent.events.{n:04}" for n in range(588))
    assert len(parse_source_url(f"kafka://b:9092/{fitting}").topics) == 591  # type: ignore[union-attr]
    with pytest.raises(ConfigError, match="heartbeat"):
        parse_source_url(f"kafka://b:9092/{fitting},agent.events.more")
