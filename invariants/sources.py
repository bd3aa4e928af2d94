"""Data memories: which values a session has been shown, and by which source.

A source remembers, of every string that it was shown, each token and each pair of neighbouring
tokens, as keyed fingerprints of 8 bytes: what was said cannot be read out of a memory. `seen(v, s)`
asks whether all pairs of v are among them. What is remembered is never dropped; a source that is
full, or did not see everything, answers "not known" where it would say "not seen".

A memory is a value: entries are numbered, a version sees those below its length, and versions of
one history share what they hold. Taking in from an old version copies.
Source: docs/language.md, Data memories; docs/decisions/0022.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final, NamedTuple

from .fact import Truth
from .tokens_of_text import HIDDEN_CHARACTERS_MAX, hidden_texts, spellings, tokens

FINGERPRINT_BYTES: Final = 8
STRING_BYTES_MAX: Final = 256 * 1024  # Source: docs/language.md, `string_bytes_max`.
_PERSON: Final = b"interlock source"


class Entry(NamedTuple):
    """One fingerprint, and whether it was shown for certain."""

    fingerprint: bytes
    is_certain: bool


@dataclass(slots=True)
class _Ledger:
    """All that versions of one history remember, in the order in which it came.

    `certain` and `possible` say under which number a fingerprint came. (Two lists and not one of
    entries: a full memory has 200,000.)
    """

    fingerprints: list[bytes] = field(default_factory=list)
    are_certain: bytearray = field(default_factory=bytearray)
    certain: dict[bytes, int] = field(default_factory=dict)
    possible: dict[bytes, int] = field(default_factory=dict)

    def holds(self, fingerprint: bytes, is_certain: bool) -> bool:
        """Whether it would add nothing."""
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
        """A name for the key, from which it cannot be told."""
        made = hashlib.blake2b(b"key", key=self.key, person=_PERSON, digest_size=8)
        return made.hexdigest()

    def shown(self, found: tuple[str, ...]) -> frozenset[bytes]:
        """What a text of these tokens leaves behind: each token, and each pair of neighbours."""
        texts = {*found, *map("\x00".join, pairwise(found))}
        return self._of(texts)

    def asked(self, found: tuple[str, ...]) -> frozenset[bytes]:
        """What must be known for a text of these tokens to have been seen."""
        return self._of(set(map("\x00".join, pairwise(found))) or set(found))

    def _of(self, texts: Iterable[str]) -> frozenset[bytes]:
        begun = hashlib.blake2b(digest_size=FINGERPRINT_BYTES, key=self.key, person=_PERSON)
        made = set()
        for text in texts:
            digest = begun.copy()
            digest.update(text.encode("utf-8", "surrogatepass"))
            made.add(digest.digest())
        return frozenset(made)


class SourceMemory(NamedTuple):
    """What one source has shown a session.

    `is_whole` is false once something found no room or was not seen; then "not seen" is not known.
    """

    fingerprints: Fingerprints
    ledger: _Ledger
    length: int = 0
    is_whole: bool = True

    def entries(self, first: int = 0, last: int | None = None) -> list[Entry]:
        """What is remembered under the numbers from `first` to `last`, that one not among them."""
        end = self.length if last is None else min(last, self.length)
        pairs = zip(
            self.ledger.fingerprints[first:end], self.ledger.are_certain[first:end], strict=True
        )
        return [Entry(fingerprint, bool(is_certain)) for fingerprint, is_certain in pairs]

    def knows(self, asked: frozenset[bytes]) -> Truth:
        """Whether all of some fingerprints (one at least) were shown."""
        return min(map(self._knows, asked))

    def _knows(self, fingerprint: bytes) -> Truth:
        if self.ledger.certain.get(fingerprint, self.length) < self.length:
            return Truth.TRUE
        if not self.is_whole or self.ledger.possible.get(fingerprint, self.length) < self.length:
            return Truth.UNKNOWN
        return Truth.FALSE

    def taking(self, value: Any, *, is_certain: bool, pairs_max: int) -> SourceMemory:
        """The memory after the strings of a JSON value were shown; what finds no room is lost."""
        if not self.is_whole and self.length >= pairs_max:
            return self
        memory = self._own()
        is_whole, hidden_left = self.is_whole, HIDDEN_CHARACTERS_MAX
        for text in strings_of(value):
            if len(text) * 4 > STRING_BYTES_MAX and _bytes_count(text) > STRING_BYTES_MAX:
                is_whole = False
                continue
            hidden = hidden_texts(text, hidden_left)
            hidden_left -= sum(map(len, hidden.texts))
            is_whole = is_whole and hidden.is_whole
            for plain in (text, *hidden.texts):
                is_whole = memory._take_text(plain, is_certain, pairs_max) and is_whole
        length = len(memory.ledger.fingerprints)
        if length == self.length and is_whole is self.is_whole:
            return self
        return memory._replace(length=length, is_whole=is_whole)

    def _take_text(self, text: str, is_certain: bool, pairs_max: int) -> bool:
        """Adds to the ledger, which is this memory's own; says whether there was room for all."""
        ledger = self.ledger
        # In order, so that one history always fills a memory alike.
        for fingerprint in sorted(self.fingerprints.shown(tokens(text))):
            if ledger.holds(fingerprint, is_certain):
                continue
            if len(ledger.fingerprints) >= pairs_max:
                return False
            ledger.add(fingerprint, is_certain)
        return True

    def _own(self) -> SourceMemory:
        """This memory, with a ledger that ends where it does; the empty one is everybody's."""
        if self.length and len(self.ledger.fingerprints) == self.length:
            return self
        return memory_of(self.fingerprints, self.entries(), is_whole=self.is_whole)


class Shown(NamedTuple):
    """All that a session was shown, a memory for each source of the program.

    `is_child`: another session started this one, and what that was shown is not here.
    """

    memories: tuple[SourceMemory, ...] = ()
    is_child: bool = False

    @property
    def length(self) -> int:
        """How many fingerprints all memories hold."""
        return sum(memory.length for memory in self.memories)

    def seen(self, source: int, value: str) -> Truth | None:
        """Whether a source showed `value`, in any spelling; None where it has no token."""
        if not tokens(value):
            return None
        return max(self._known(found, source)[0] for found in _spelt(value))

    def only_from(self, source: int, others: Sequence[int], value: str) -> Truth | None:
        """Whether `value` was shown by a source and by none of the others.

        Each spelling is asked for itself: a value that happens to be base64 of what the user said
        was not said by the user.
        """
        if not tokens(value):
            return None
        if self.is_child:
            return Truth.UNKNOWN
        answers = [self._known(found, source, *others) for found in _spelt(value)]
        return max(min([here, *(Truth(2 - other) for other in rest)]) for here, *rest in answers)

    def _known(self, found: tuple[str, ...], *sources: int) -> list[Truth]:
        """What each of some sources knows of a text; most have one key, and are asked the same."""
        asked: dict[Fingerprints, frozenset[bytes]] = {}
        answers = []
        for source in sources:
            memory = self.memories[source]
            key = memory.fingerprints
            asked[key] = asked[key] if key in asked else key.asked(found)
            answers.append(memory.knows(asked[key]))
        return answers


NOTHING_SHOWN: Final = Shown()


def fingerprints_of(secret: bytes) -> Fingerprints:
    """Fingerprints by a secret of any length."""
    return Fingerprints(hashlib.blake2b(secret, person=_PERSON).digest())


def memory_of(
    fingerprints: Fingerprints, entries: Iterable[Entry] = (), *, is_whole: bool = True
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


def _spelt(value: str) -> list[tuple[str, ...]]:
    return [found for found in map(tokens, spellings(value)) if found]


def _bytes_count(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))
