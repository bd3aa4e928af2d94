"""The format of recordings, version 2: a header, the engine's input, a trailer.

One JSON object per line (docs/replay.md). Every line ends with a `digest` over the previous line
and its own content, so that a line that was truncated, edited, removed or inserted is detected at
its place. This is not a signature: a user who rewrites the whole file can make new digests.

Pure: this module opens no file. Lines are encoded and decoded only here.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import Annotated, Final

import msgspec

from invariants.model.standing import Standing

FORMAT: Final = "interlock-recording"
RECORDING_VERSION: Final = 2
PLAIN: Final = "file"
"""The kind of source of a plain file of events; recordings are of live sources."""
DIGEST_BYTES: Final = 8
LINE_BYTES_MAX: Final = 8 * 1024 * 1024
"""Chosen: a record of 1 MB (a broker's maximum) in which JSON encodes every byte as six."""
HEADER_BYTES_MAX: Final = 32 * 1024 * 1024
EMBEDDED_BYTES_MAX: Final = 4 * 1024 * 1024
"""Text of invariant files that a header carries; files beyond it are named and not carried."""

Nanoseconds = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
Count = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
"""Numbers of a file that may have been edited by hand: within the range of times and offsets."""

_TAIL_HEAD: Final = b',"digest":"'
_TAIL_BYTES: Final = len(_TAIL_HEAD) + 2 * DIGEST_BYTES + len(b'"}')


class RecordedSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The part of the configuration on which verdicts depend; times in ns. Contains no secret."""

    lateness_ns: Nanoseconds = 0
    skew_ns: Nanoseconds = 5_000_000_000
    trust_ts: bool = False
    gate_lateness_ns: Nanoseconds = 0
    linger_ns: Nanoseconds = 86_400_000_000_000
    idle_close_ns: Nanoseconds | None = None
    ids_max: Count = 10_000
    slices_max: Count = 10_000
    window_entries_max: Count = 10_000
    pending_max: Count = 1_000
    pairs_max: Count = 200_000
    mode: str = "as-written"
    severities: dict[str, str] = {}
    asserts: dict[str, list[str]] = {}
    is_trusted: bool = False
    """True if every topic may assert every kind, as in finished files."""


class RecordedSource(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The source of the records, and the selection.

    `has_broker_times`: arrivals are the broker's, equal for every reader of the topic. Otherwise (a
    log directory) they are the times at which the *recorder* found the records.
    """

    kind: str
    address: str
    topics: list[str]
    has_broker_times: bool = False
    from_time_ns: Nanoseconds | None = None
    until_time_ns: Nanoseconds | None = None
    session: str = ""


class RecordedInvariant(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An invariant that was live: its name, its meaning (digest), and its file."""

    id: str
    digest: str
    file: str


class RecordedFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An invariant file: its name, and its text unless the header had no room for it.

    `lists` are the texts of the lists' files that it names, by the names that it gives them.
    """

    name: str
    text: str | None
    lists: dict[str, str] = {}


class RecordedPrincipals(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A version of the live monitor's file of principals, without its credentials."""

    number: Count
    since_ns: Nanoseconds
    standings: dict[str, Standing]


class RecordingHeader(msgspec.Struct, frozen=True, kw_only=True):
    """The first line. `key_digest` names the key of `digest(...)` without giving it away."""

    format: str = FORMAT
    version: int = RECORDING_VERSION
    created: str = ""
    release: str = ""
    source: RecordedSource
    settings: RecordedSettings = RecordedSettings()
    program_version: int = 0
    program_digest: str = ""
    invariants: list[RecordedInvariant] = []
    files: list[RecordedFile] = []
    key_digest: str = ""
    model_digest: str = ""
    principals: list[RecordedPrincipals] = []
    principals_digest: str = ""


class _Line(msgspec.Struct, frozen=True, tag_field="line", omit_defaults=True, kw_only=True):
    """Common to all lines after the header: a tag with their type."""


class RecordLine(_Line, frozen=True, tag="event"):
    """One record of a stream, in the order of the engine's input; valid event or not.

    `text` contains its bytes if they are UTF-8, else `base64` does.
    """

    topic: str
    partition: str
    offset: Count
    arrival_ns: Nanoseconds | None = None
    not_before_ns: Nanoseconds | None = None
    principal: str = ""
    text: str | None = None
    base64: str | None = None


class TickLine(_Line, frozen=True, tag="tick"):
    """Time reached `time_ns` in every stream: deadlines before it are decided."""

    time_ns: Nanoseconds


class CloseLine(_Line, frozen=True, tag="close"):
    """A session was closed from outside the stream."""

    scope: str
    time_ns: Nanoseconds
    principal: str = ""


class ControlLine(_Line, frozen=True, tag="control"):
    """A record of the control topic. It is not an input of the engine: it documents a response."""

    key: str
    text: str | None = None
    base64: str | None = None


class FindingLine(_Line, frozen=True, tag="finding"):
    """A finding that the live monitor published, unchanged from its topic."""

    text: str | None = None
    base64: str | None = None


class NoticeLine(_Line, frozen=True, tag="notice"):
    """A reason why records may be missing, as reported by the source."""

    kind: str
    topic: str
    partition: str
    from_offset: Count
    to_offset: Count
    detail: str


class StreamSpan(msgspec.Struct, frozen=True):
    """The recorded part of one stream: offsets from (included) and to (excluded).

    `starts_log` means that nothing was in the stream before `from_offset`.
    """

    topic: str
    partition: str
    from_offset: Count
    to_offset: Count
    starts_log: bool


class EndLine(_Line, frozen=True, tag="end"):
    """The trailer: the number of lines of each sort, and the end of everything that was read.

    `findings` and `control` describe the reading of those topics: `whole`, `partial` (older ones
    were deleted) or `absent`.
    """

    counts: dict[str, Count]
    streams: list[StreamSpan] = []
    findings: str = "absent"
    control: str = "absent"
    reason: str = ""


Line = RecordLine | TickLine | CloseLine | ControlLine | FindingLine | NoticeLine | EndLine

_encoder: Final = msgspec.json.Encoder()
_line_decoder: Final = msgspec.json.Decoder(Line)
_header_decoder: Final = msgspec.json.Decoder(RecordingHeader)


class BrokenLineError(ValueError):
    """A line that was changed after writing; the text contains the reason."""


class Chain:
    """The digests of a recording, line after line; one for writing, one for reading."""

    def __init__(self) -> None:
        self._previous = b""

    def seal(self, content: bytes) -> bytes:
        """A JSON object with its digest as the last key, and a line break."""
        assert content.endswith(b"}") and len(content) > 2, "a JSON object with something in it"
        digest = self._next(content)
        return content[:-1] + _TAIL_HEAD + digest + b'"}\n'

    def unseal(self, line: bytes) -> bytes:
        """The sealed JSON object. Raises BrokenLineError if it was changed."""
        line = line.removesuffix(b"\n")
        content, tail = line[:-_TAIL_BYTES] + b"}", line[-_TAIL_BYTES:]
        if not (tail.startswith(_TAIL_HEAD) and tail.endswith(b'"}')):
            raise BrokenLineError("it does not end with a digest")
        if tail[len(_TAIL_HEAD) : -2] != self._next(content):
            raise BrokenLineError("its digest does not match this line and its predecessor")
        return content

    def _next(self, content: bytes) -> bytes:
        made = hashlib.blake2b(self._previous + content, digest_size=DIGEST_BYTES).hexdigest()
        self._previous = made.encode()
        return self._previous


def encode_header(header: RecordingHeader) -> bytes:
    """The header as a JSON object without digest."""
    return _encoder.encode(header)


def decode_header(content: bytes) -> RecordingHeader:
    """Raises BrokenLineError if it is not a valid header, or one of another version."""
    try:
        header = _header_decoder.decode(content)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise BrokenLineError(f"it is not a valid header: {error}") from None
    if header.format != FORMAT:
        raise BrokenLineError("it is not the header of a recording")
    if header.version != RECORDING_VERSION:
        raise BrokenLineError(
            f"the recording has version {header.version}, this release reads {RECORDING_VERSION}"
        )
    return header


def encode_line(line: Line) -> bytes:
    """A line as a JSON object without digest."""
    return _encoder.encode(line)


def decode_line(content: bytes) -> Line:
    """Raises BrokenLineError if it is not a valid line of a recording."""
    try:
        line: Line = _line_decoder.decode(content)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise BrokenLineError(f"it is not a valid line of a recording: {error}") from None
    if isinstance(line, RecordLine | ControlLine | FindingLine):
        content_of(line)
    return line


def text_or_base64(value: bytes) -> tuple[str | None, str | None]:
    """Bytes in a form that JSON represents exactly: as text if they are UTF-8, else as base64."""
    try:
        return value.decode("utf-8"), None
    except UnicodeDecodeError:
        return None, base64.b64encode(value).decode("ascii")


def content_of(line: RecordLine | ControlLine | FindingLine) -> bytes | None:
    """The exact recorded bytes; None for a tombstone of the control topic.

    Raises
    ------
    BrokenLineError
        The line contains none, or the base64 is not valid.
    """
    if line.text is not None:
        try:
            return line.text.encode("utf-8")
        except UnicodeEncodeError:
            raise BrokenLineError("`text` is not valid") from None
    if line.base64 is not None:
        try:
            return base64.b64decode(line.base64, validate=True)
        except (binascii.Error, ValueError):
            raise BrokenLineError("`base64` is not valid") from None
    if isinstance(line, ControlLine):
        return None
    raise BrokenLineError("it contains neither `text` nor `base64`")


def is_recording(first_line: bytes) -> bool:
    """True if a file with this beginning is meant as a recording, not as a file of plain events."""
    head = first_line[:64].replace(b" ", b"")
    return head.startswith(b'{"format":"' + FORMAT.encode())
