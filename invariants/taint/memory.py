"""Data memories: which values a session has been shown, and by which source.

A source remembers, for every string that it was shown, each token and each pair of neighbouring
tokens, as keyed fingerprints of 8 bytes: the text cannot be recovered from a memory. `seen(v, s)`
tests if all pairs of v are among them. Entries are never dropped. A source that is full, or did not
see everything, answers "not known" instead of "not seen".

A memory is a value: entries are numbered, a version sees those below its length, and versions of
one history share their content. Adding to an old version copies it.

Source: docs/language.md, Data memories; docs/decisions/0022.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from ..model.fact import Truth
from .tokens import HIDDEN_CHARACTERS_MAX, characters_of, hidden_texts

if TYPE_CHECKING:
    # Imported when a memory is first used: most files have no sources.
    from .fingerprints import Part, Run

FINGERPRINT_BYTES: Final = 8
STRING_BYTES_MAX: Final = 256 * 1024  # Source: docs/language.md, `string_bytes_max`.
SHOWN_CHARACTERS_MAX: Final = 320 * 1024
"""Of one event. Measured: 1 to 3 us each, so that an event of 850 kB took 3 s without a bound."""
CHARACTERS_OF_TEXT: Final = 64
"""The cost of a text besides its characters, in characters. Measured: 60 us."""
_PERSON: Final = b"interlock source"


class ShownFingerprint(NamedTuple):
    """One fingerprint, and whether it was shown for certain."""

    fingerprint: bytes
    is_certain: bool


class _Ledger(msgspec.Struct):
    """All that versions of one history remember, in the order in which it came.

    `certain` and `possible` say under which number a fingerprint came. (Two lists and not one of
    entries: a full memory has 200,000.)
    """

    fingerprints: list[bytes] = []
    are_certain: bytearray = msgspec.field(default_factory=bytearray)
    certain: dict[bytes, int] = {}
    possible: dict[bytes, int] = {}

    def holds(self, fingerprint: bytes, is_certain: bool) -> bool:
        """True if it would add nothing."""
        return fingerprint in self.certain or (not is_certain and fingerprint in self.possible)

    def add(self, fingerprint: bytes, is_certain: bool) -> None:
        known = self.certain if is_certain else self.possible
        known[fingerprint] = len(self.fingerprints)
        self.fingerprints.append(fingerprint)
        self.are_certain.append(is_certain)


@dataclass(frozen=True, slots=True)
class Fingerprints:
    """How texts are made unreadable: by a key that nobody has who only sees a memory."""

    key: bytes = field(repr=False)
    """64 bytes; see `fingerprints_of`."""

    @property
    def id(self) -> str:
        """A name for the key, from which the key cannot be derived."""
        made = hashlib.blake2b(b"key", key=self.key, person=_PERSON, digest_size=8)
        return made.hexdigest()

    def of(self, texts: Iterable[str]) -> list[bytes]:
        """The fingerprint of each of some texts."""
        begun = hashlib.blake2b(digest_size=FINGERPRINT_BYTES, key=self.key, person=_PERSON)
        made = []
        for text in texts:
            digest = begun.copy()
            digest.update(text.encode("utf-8", "surrogatepass"))
            made.append(digest.digest())
        return made


class Known(NamedTuple):
    """A memory's record of a part of a value."""

    exact: Truth
    widely: Truth
    """At least `exact`: a part in a wider form only was shown, but not vouched for."""

    @property
    def endorsed(self) -> Truth:
        """True if the part itself was shown, for sources other than the accused one."""
        return max(self.exact, min(self.widely, Truth.UNKNOWN))


class SourceMemory(NamedTuple):
    """The values that one source has shown a session.

    `is_whole` is false once an entry was not added or not seen; then "not seen" is unknown.
    """

    fingerprints: Fingerprints
    ledger: _Ledger
    length: int = 0
    is_whole: bool = True

    def entries(self, first: int = 0, last: int | None = None) -> list[ShownFingerprint]:
        """The entries with numbers from `first` to `last` (excluded)."""
        end = self.length if last is None else min(last, self.length)
        pairs = zip(
            self.ledger.fingerprints[first:end], self.ledger.are_certain[first:end], strict=True
        )
        return [
            ShownFingerprint(fingerprint, bool(is_certain)) for fingerprint, is_certain in pairs
        ]

    def knows(self, part: Part) -> Known:
        """If a part of a value was shown, in its own form and in a wider one."""
        exact = self._knows_any(part.exact)
        widely = max(exact, self._knows_any(part.wider))
        if part.account is not None and widely is not Truth.TRUE:
            widely = max(widely, min(map(self._knows_one, part.account)))
        return Known(exact, widely)

    def _knows_any(self, runs: tuple[Run, ...]) -> Truth:
        """True if all keys of at least one run were shown."""
        known = (min(map(self._knows, self.fingerprints.of(run))) for run in runs)
        return max(known, default=Truth.FALSE)

    def _knows_one(self, keys: tuple[str, ...]) -> Truth:
        return max(map(self._knows, self.fingerprints.of(keys)), default=Truth.FALSE)

    def _knows(self, fingerprint: bytes) -> Truth:
        if self.ledger.certain.get(fingerprint, self.length) < self.length:
            return Truth.TRUE
        if not self.is_whole or self.ledger.possible.get(fingerprint, self.length) < self.length:
            return Truth.UNKNOWN
        return Truth.FALSE

    def taking(self, value: Any, *, is_certain: bool, pairs_max: int) -> SourceMemory:
        """The memory after the strings of a JSON value were shown; entries beyond the bound are
        lost.
        """
        if not self.is_whole and self.length >= pairs_max:
            return self
        memory = self._own()
        is_whole, hidden_left = self.is_whole, HIDDEN_CHARACTERS_MAX
        left = SHOWN_CHARACTERS_MAX
        for text in dict.fromkeys(strings_of(value)):
            cost = CHARACTERS_OF_TEXT + len(text)
            more = characters_of(text) - len(text)
            is_long = len(text) * 4 > STRING_BYTES_MAX and _bytes_count(text) > STRING_BYTES_MAX
            if is_long or cost > left or more > hidden_left:
                is_whole = False
                continue
            left -= cost
            hidden_left -= more
            hidden = hidden_texts(text, hidden_left)
            hidden_left -= sum(CHARACTERS_OF_TEXT + characters_of(part) for part in hidden.texts)
            is_whole = is_whole and hidden.is_whole
            for plain in (text, *hidden.texts):
                is_whole = memory._take_text(plain, is_certain, pairs_max) and is_whole
        length = len(memory.ledger.fingerprints)
        if length == self.length and is_whole is self.is_whole:
            return self
        return memory._replace(length=length, is_whole=is_whole)

    def _take_text(self, text: str, is_certain: bool, pairs_max: int) -> bool:
        """Adds to the ledger, which belongs to this memory; True if there was room for all."""
        from .fingerprints import shown_keys

        ledger = self.ledger
        # In order, so that one history always fills a memory alike.
        left = shown_keys(text)
        for fingerprint in sorted(self.fingerprints.of(left.keys)):
            if ledger.holds(fingerprint, is_certain):
                continue
            if len(ledger.fingerprints) >= pairs_max:
                return False
            ledger.add(fingerprint, is_certain)
        return left.is_whole

    def _own(self) -> SourceMemory:
        """This memory, with a ledger that ends at its length; the empty one is shared."""
        if self.length and len(self.ledger.fingerprints) == self.length:
            return self
        return memory_of(self.fingerprints, self.entries(), is_whole=self.is_whole)


class Shown(NamedTuple):
    """Everything that a session was shown, a memory for each source of the program.

    `is_child`: another session started this one, and the values shown to that one are not here.
    """

    memories: tuple[SourceMemory, ...] = ()
    is_child: bool = False

    @property
    def length(self) -> int:
        """How many fingerprints all memories hold."""
        return sum(memory.length for memory in self.memories)

    def seen(self, source: int, value: str) -> Truth | None:
        """If a source showed `value`, in some reading of it; None if it has no token.

        For a value with addresses, every address. An unreadable part is never "not seen".
        """
        from .fingerprints import readings_of

        readings = readings_of(value)
        if not readings:
            return None
        memory = self.memories[source]
        return max(min(_seen(part, memory) for part in parts) for parts in readings)

    def only_from(self, source: int, others: Sequence[int], value: str) -> Truth | None:
        """If `value` was shown by a source and by none of the others; None as in `seen`.

        For a value with addresses, any address. Each reading is tested by itself: if a value
        happens to be base64 of the user's words, the user did not write that value.
        """
        from .fingerprints import readings_of

        readings = readings_of(value)
        if not readings:
            return None
        if self.is_child:
            return Truth.UNKNOWN
        memory, rest = self.memories[source], [self.memories[other] for other in others]
        return max(_only_from(part, memory, rest) for parts in readings for part in parts)


NOTHING_SHOWN: Final = Shown()


def fingerprints_of(secret: bytes) -> Fingerprints:
    """Fingerprints by a secret of any length."""
    return Fingerprints(hashlib.blake2b(secret, person=_PERSON).digest())


def memory_of(
    fingerprints: Fingerprints, entries: Iterable[ShownFingerprint] = (), *, is_whole: bool = True
) -> SourceMemory:
    """A memory with a history of its own."""
    ledger = _Ledger()
    for fingerprint, is_certain in entries:
        ledger.add(fingerprint, is_certain)
    return SourceMemory(fingerprints, ledger, len(ledger.fingerprints), is_whole)


def strings_of(value: Any) -> Iterator[str]:
    """Every string of a JSON value, keys of maps among them; of any depth."""
    waiting = [value]
    while waiting:
        part = waiting.pop()
        if isinstance(part, str):
            yield part
        elif isinstance(part, list):
            waiting.extend(reversed(part))
        elif isinstance(part, dict):
            for key, inner in reversed(part.items()):
                waiting += (inner, key)


def _seen(part: Part, memory: SourceMemory) -> Truth:
    """A part next to addresses, or one that is not a readable address, can only be doubtful or
    shown.
    """
    known = _shown(part, memory)
    return known if part.sort in ("certain", "perhaps") else max(known, Truth.UNKNOWN)


def _shown(part: Part, memory: SourceMemory) -> Truth:
    """If the source showed it; text marked `perhaps` was perhaps shown."""
    if part.sort == "perhaps":
        return min(memory.knows(part._replace(exact=())).widely, Truth.UNKNOWN)
    return memory.knows(part).widely


def _only_from(part: Part, memory: SourceMemory, others: Sequence[SourceMemory]) -> Truth:
    here = _shown(part, memory)
    if part.sort == "unreadable":
        here = max(here, Truth.UNKNOWN)
    if part.sort == "rest":
        here = min(here, Truth.UNKNOWN)
    if here is Truth.FALSE:
        return here
    return min([here, *(Truth(2 - other.knows(part).endorsed) for other in others)])


def _bytes_count(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))
