"""Server-sent events, cut anywhere."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.mcp_proxy import sse
from interlock.mcp_proxy.message import Unreadable
from interlock.mcp_proxy.sse import Event, Events

STREAM = (
    b"\xef\xbb\xbf: c\r\rid: 1\r\nevent: message\r\ndata: a\r\ndata:b\r\n\r\ndata\n\nid: 2\n\n\nx"
)
READ = [
    Event(),
    Event(b"a\nb", b"message", b"1", b"", has_data=True),
    Event(b"", has_data=True),
    Event(id=b"2"),
]


@given(st.lists(st.integers(3, len(STREAM)), max_size=8))
def test_events_do_not_depend_on_the_cuts(cuts: list[int]) -> None:
    """Also between the two halves of an end of a line."""
    events, found, begin = Events(), [], 0
    for cut in [*sorted(cuts), len(STREAM)]:
        found += events.feed(STREAM[begin:cut])
        begin = cut
    assert found == READ


@pytest.mark.parametrize("event", READ)
def test_an_event_that_is_written_is_read_again(event: Event) -> None:
    assert list(Events().feed(event.encoded())) == [event]


def test_what_is_not_of_a_field_is_left_out() -> None:
    """An id with a zero byte, a time that is not a number, and unknown fields."""
    (event,) = Events().feed(b"id: 1\x00\nretry: 5s\nother: x\ndata: y\n\n")
    assert event == Event(b"y", has_data=True)


def test_an_event_is_bounded_in_all_its_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """In many lines as in one; the next event has its own bound."""
    monkeypatch.setattr(sse, "MESSAGE_BYTES_MAX", 20)
    events = Events()
    assert len(list(events.feed(b"data: 12345678\n\n" * 9))) == 9
    with pytest.raises(Unreadable, match="longer"):
        list(events.feed(b"data: 1\n" * 3))
