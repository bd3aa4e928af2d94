"""The format of recordings: exact bytes, and damage told at its line."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from invariants.model.errors import ConfigError
from replay.recording.format import (
    LINE_BYTES_MAX,
    BrokenLineError,
    Chain,
    ControlLine,
    FindingLine,
    NoticeLine,
    RecordLine,
    content_of,
    decode_line,
    encode_line,
    text_or_base64,
)
from replay.recording.reader import RecordedFile
from replay.recording.writer import RecordingWriter
from tests.support.recordings import WHOLE, event, header_of, record, tick, write


def lines_of(path: Path) -> tuple[list[object], RecordedFile]:
    file = RecordedFile(str(path))
    lines = list(file.lines())
    file.close()
    return list(lines), file


@given(st.binary(max_size=300))
def test_any_bytes_come_back_as_they_were(value: bytes) -> None:
    """Whatever a record held, UTF-8 or not, the recording gives back these very bytes."""
    text, packed = text_or_base64(value)
    line = RecordLine(topic="t", partition="0", offset=3, text=text, base64=packed)
    read = decode_line(encode_line(line))
    assert read == line
    assert isinstance(read, RecordLine)
    assert content_of(read) == value


@given(st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=6))
def test_what_was_sealed_unseals_in_its_order_alone(contents: list[bytes]) -> None:
    """A chain accepts its lines one after the other; each also names those before it."""
    writing, reading = Chain(), Chain()
    objects = [b'{"a":"' + c.hex().encode() + b'"}' for c in contents]
    sealed = [writing.seal(content) for content in objects]
    assert [reading.unseal(line) for line in sealed] == objects
    with pytest.raises(BrokenLineError):
        Chain().unseal(sealed[-1] if len(sealed) > 1 else sealed[0].replace(b'"a"', b'"b"'))


@pytest.mark.parametrize("name", ["r.jsonl", "r.jsonl.gz"])
def test_a_recording_comes_back_line_by_line(tmp_path: Path, name: str) -> None:
    """Header, all sorts of lines, and the trailer with its counts, packed or not."""
    lines = [
        record(event("s", 0, "x"), arrival_ns=5, not_before_ns=3, principal="p"),
        tick(1),
        FindingLine(text="{}"),
        ControlLine(key="global"),
        ControlLine(key="session:s", text='{"state":"killed"}'),
        NoticeLine(
            kind="torn", topic="t", partition="0", from_offset=1, to_offset=2, detail="half a line"
        ),
    ]
    path = write(tmp_path / name, lines)
    found, file = lines_of(path)
    assert found == lines
    assert file.header == header_of()
    assert file.damage is None
    assert file.end is not None
    assert file.end.counts == {"control": 2, "event": 1, "finding": 1, "notice": 1, "tick": 1}
    assert path.stat().st_mode & 0o777 == 0o600


def ten(path: Path) -> Path:
    return write(path, [record(event("s", n, "x"), n) for n in range(10)])


@pytest.mark.parametrize("at", range(2, 12))
def test_an_edited_line_is_told_at_its_place(tmp_path: Path, at: int) -> None:
    """Of a recording with one character changed, all before it holds and nothing after it."""
    path = ten(tmp_path / "r.jsonl")
    lines = path.read_bytes().splitlines(keepends=True)
    lines[at - 1] = lines[at - 1].replace(b'"s', b'"z', 1).replace(b'"offset":', b'"offset":1', 1)
    path.write_bytes(b"".join(lines))
    found, file = lines_of(path)
    assert file.damage is not None
    assert (file.damage.line, len(found)) == (at, at - 2)
    assert f"recording is damaged at line {at}" in str(file.damage)


def test_lines_left_out_moved_or_put_in_are_told(tmp_path: Path) -> None:
    """Every line names the one before it, so none can go, come or change places unseen."""
    path = ten(tmp_path / "r.jsonl")
    lines = path.read_bytes().splitlines(keepends=True)
    for changed, place in (
        ([*lines[:4], *lines[5:]], 5),
        ([*lines[:4], lines[5], lines[4], *lines[6:]], 5),
        ([*lines[:4], lines[3], *lines[4:]], 5),
        ([*lines, lines[-1]], 13),
    ):
        path.write_bytes(b"".join(changed))
        _, file = lines_of(path)
        assert file.damage is not None
        assert file.damage.line == place


@pytest.mark.parametrize("left", [0.2, 0.5, 0.9, 0.99])
def test_a_cut_recording_holds_up_to_the_cut(tmp_path: Path, left: float) -> None:
    """Cut anywhere, in the text or in the packed file, it says so, and what was before counts."""
    plain = ten(tmp_path / "r.jsonl")
    whole = plain.read_bytes()
    head = len(whole.splitlines(keepends=True)[0])
    plain.write_bytes(whole[: head + int((len(whole) - head) * left)])
    found, file = lines_of(plain)
    assert file.damage is not None and file.end is None
    assert found == lines_of(ten(tmp_path / "w.jsonl"))[0][: len(found)]
    many = [record(event("s", n, "x", text=f"{n * 7919:x}" * 40), n) for n in range(4_000)]
    packed = write(tmp_path / "r.jsonl.gz", many)
    packed.write_bytes(packed.read_bytes()[: int(packed.stat().st_size * left)])
    found, file = lines_of(packed)
    assert file.damage is not None and file.end is None
    assert found == many[: len(found)]


def test_without_a_trailer_a_recording_is_not_finished(tmp_path: Path) -> None:
    """A recorder that was killed leaves a recording that says where it stops."""
    path = write(tmp_path / "r.jsonl", [record(event("s", 0, "x"))], end=None)
    found, file = lines_of(path)
    assert len(found) == 1
    assert "truncated or is not finished" in str(file.damage)


def test_a_line_without_end_is_not_read_into_memory(tmp_path: Path) -> None:
    """A packed file may unpack to anything: a line is read up to its bound and no further."""
    path = ten(tmp_path / "r.jsonl")
    text = path.read_bytes().splitlines(keepends=True)[0] + b"x" * (LINE_BYTES_MAX + 10)
    packed = tmp_path / "r.jsonl.gz"
    packed.write_bytes(gzip.compress(text, 1))
    found, file = lines_of(packed)
    assert not found
    assert "longer than" in str(file.damage)


@pytest.mark.parametrize(
    "content",
    [
        b'{"line":"event","topic":"t","partition":"0","offset":0}',
        b'{"line":"event","topic":"t","partition":"0","offset":0,"base64":"?"}',
        b'{"line":"event","topic":"t","partition":"0","offset":0,"text":"\\ud800"}',
        b'{"line":"tick","time_ns":100000000000000000000000}',
        b'{"line":"tick","time_ns":-1}',
        b'{"line":"other"}',
        b'{"line":"tick"}',
        b"[1]",
        b'{"line":' + b"[" * 5000,
    ],
)
def test_no_line_of_the_format_is_damage(content: bytes) -> None:
    """Well-sealed nonsense is refused as a line, and never raises anything else."""
    with pytest.raises(BrokenLineError):
        decode_line(content)


def test_headers_of_other_versions_are_refused(tmp_path: Path) -> None:
    """A recording of the future, or with a damaged header, is a usage error with a reason."""
    path = tmp_path / "r.jsonl"
    RecordingWriter(path, header_of(version=3)).end(WHOLE)
    with pytest.raises(ConfigError, match="version 3"):
        RecordedFile(str(path))
    damaged = ten(tmp_path / "d.jsonl")
    damaged.write_bytes(damaged.read_bytes().replace(b"kafka://b", b"kafka://c", 1))
    with pytest.raises(ConfigError, match="damaged at line 1"):
        RecordedFile(str(damaged))


def test_a_recording_is_not_written_over_another(tmp_path: Path) -> None:
    """What is there stays, unless that is asked for."""
    path = ten(tmp_path / "r.jsonl")
    before = path.read_bytes()
    with pytest.raises(ConfigError, match="already exists"):
        RecordingWriter(path, header_of())
    assert path.read_bytes() == before


def test_plain_events_are_read_as_run_reads_them(tmp_path: Path) -> None:
    """A file without a header is events with trusted times, from which every kind may come."""
    path = tmp_path / "e.jsonl"
    path.write_bytes(b'{"a":1}\n\n\xff\n')
    found, file = lines_of(path)
    assert file.is_plain and file.header.settings.trust_ts and file.header.settings.is_trusted
    values = [content_of(line) for line in found if isinstance(line, RecordLine)]
    assert values == [b'{"a":1}', b"\xff"]
