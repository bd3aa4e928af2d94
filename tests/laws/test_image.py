"""An image says all of a program: written to bytes and read back, it gives the same verdicts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from random import Random

import pytest

from invariants.check.checked import CheckedSpec
from invariants.image.codec import ImageError, decode_image, encode_image
from invariants.image.load import load_program
from invariants.image.make import image_of
from invariants.model.event import Event, Origin
from invariants.runtime.program import Program
from monitor.authoring.files import default_pack_specs, read_specs
from monitor.authoring.packs import all_packs
from monitor.findings.model import Finding
from monitor.ingest.decode import decode_event
from monitor.kernel.kernel import Kernel
from monitor.kernel.settings import KernelSettings
from tests.laws import test_program as programs
from tests.support.recorded import events as recorded_events
from tests.support.recorded import smallest_file

FIRST_SEED, PROGRAMS, EVENTS_COUNT, RECORDED_COUNT = 0, 60, 30, 1_500


def read_back(specs: Sequence[CheckedSpec]) -> tuple[Program, Program]:
    """The program of an image, and that of the image as it comes back from bytes."""
    image = image_of(specs)
    data = encode_image(image)
    back = decode_image(data)
    assert back == image
    assert encode_image(back) == data
    return load_program(image, digest_key=b"k"), load_program(back, digest_key=b"k")


def findings(program: Program, events: Sequence[Event]) -> Iterator[list[Finding]]:
    engine = Kernel(program, KernelSettings(trust_ts=True))
    for event in events:
        yield engine.step(event)


def test_random_programs() -> None:
    """Verdicts of drawn invariants, in sessions and in wider scopes."""
    told = 0
    for seed in range(FIRST_SEED, FIRST_SEED + PROGRAMS):
        random = Random(seed)
        specs = programs.draw_specs(random, is_plain=False)
        one, other = read_back(specs)
        assert one.digest == other.digest
        events = [
            programs.draw_event(random, number, programs.START_NS + number * 10**9, programs.LISTS)
            for number in range(EVENTS_COUNT)
        ]
        found = list(findings(one, events))
        assert found == list(findings(other, events)), seed
        told += sum(map(len, found))
    assert told > PROGRAMS


def test_packs_over_recorded_sessions() -> None:
    """Every pack, with all that its expressions call."""
    one, other = read_back(read_specs(*(pack.path for pack in all_packs())))
    given = [
        decode_event(data, Origin("t", "0", number))
        for number, data in enumerate(islice(recorded_events(smallest_file()), RECORDED_COUNT))
    ]
    events = [event for event in given if isinstance(event, Event)]
    found = list(findings(one, events))
    assert found == list(findings(other, events))
    assert any(found)


def test_damage_is_found() -> None:
    """No byte can be changed, and nothing be cut off, without an error."""
    data = encode_image(image_of(default_pack_specs()[:1]))
    random = Random(0)
    for _ in range(200):
        place = random.randrange(len(data))
        damaged = (
            data[:place] + bytes([data[place] ^ (1 << random.randrange(8))]) + data[place + 1 :]
        )
        for wrong in (damaged, data[:place]):
            with pytest.raises(ImageError):
                decode_image(wrong)
