"""A model's file: what is written is read again, and nothing else is."""

from __future__ import annotations

import hashlib
import pickle
from dataclasses import replace
from random import Random
from typing import Any

import msgspec
import numpy as np
import pytest

from detectors import model_file
from detectors.contract import ModelError
from detectors.features import FEATURES
from detectors.model import Model
from detectors.model_file import MAGIC, VERSION, decode_model, encode_model, model_digest
from tests.support.detection import small_model

HEADER_BYTES = len(MAGIC) + 2 + 32
ROW = [float(number % 3) for number in range(len(FEATURES))]


def resealed(payload: bytes, version: int = VERSION) -> bytes:
    """A file around a payload, its checksum right: what an attacker would make."""
    head = MAGIC + version.to_bytes(2, "little")
    return head + hashlib.sha256(head + payload).digest() + payload


def record() -> dict[str, Any]:
    decoded: dict[str, Any] = msgspec.msgpack.decode(encode_model(small_model())[HEADER_BYTES:])
    return decoded


def with_record(**changes: Any) -> bytes:
    return resealed(msgspec.msgpack.encode(record() | changes))


def with_forest(**changes: Any) -> bytes:
    return with_record(forest=record()["forest"] | changes)


def changed(data: bytes, dtype: str, index: int, value: float) -> bytes:
    """An array's bytes with one number replaced."""
    array = np.frombuffer(data, dtype=dtype).copy()
    array[index] = value
    return array.tobytes()


def test_a_model_comes_back() -> None:
    """Scores and explanations of a read model are those of the written one, bit by bit."""
    model = small_model()
    data = encode_model(model)
    again = decode_model(data)
    assert encode_model(again) == data
    assert again.heads.value(ROW) == model.heads.value(ROW)
    assert (again.heads.shares(ROW) == model.heads.shares(ROW)).all()
    assert again.baseline == model.baseline
    assert again.calibration == model.calibration
    assert again.training == model.training
    assert again.key == model.key


def test_a_model_without_its_key() -> None:
    """Where the key stands in a file of its own, no byte of it is in the model."""
    model = small_model()
    assert model.key is not None
    data = encode_model(replace(model, key=None))
    assert model.key not in data
    assert decode_model(data).key is None


def test_the_digest_names_the_file() -> None:
    """Another file is another model, to states and findings."""
    data = encode_model(small_model())
    assert model_digest(data) == model_digest(bytes(data))
    assert model_digest(data) != model_digest(data + b" ")


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "not a model of Interlock"),
        (b"ILK", "not a model of Interlock"),
        (pickle.dumps({"a": 1}), "not a model of Interlock"),
        (b"PK\x03\x04" + bytes(100), "not a model of Interlock"),
        (b"\x93NUMPY" + bytes(100), "not a model of Interlock"),
        (MAGIC, "version 0"),
        (MAGIC + b"\x07\x00" + bytes(40), "version 7"),
        (MAGIC + VERSION.to_bytes(2, "little") + bytes(40), "damaged"),
        (resealed(b""), "not written by training"),
        (resealed(b"\x91" * 100_000), "not written by training"),
        (resealed(b"\xdf\xff\xff\xff\xff"), "not written by training"),
        (resealed(msgspec.msgpack.encode({"schema": 1})), "not written by training"),
    ],
)
def test_what_is_no_model_is_refused(data: bytes, says: str) -> None:
    """Foreign, cut, of another version: an error that says which."""
    with pytest.raises(ModelError, match=says):
        decode_model(data)


def test_what_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything of it is looked at."""
    data = encode_model(small_model())
    monkeypatch.setattr(model_file, "FILE_BYTES_MAX", len(data) - 1)
    with pytest.raises(ModelError, match="more than"):
        decode_model(data)


def test_other_features_are_refused() -> None:
    """A model of another table of features would read columns as what they are not."""
    with pytest.raises(ModelError, match="other features"):
        decode_model(with_record(schema="0" * 32))


def made_up() -> list[tuple[str, bytes]]:
    """Files with a right checksum that would make scoring run for ever, outside, or into NaN."""
    whole = record()
    forest = whole["forest"]
    nodes = len(forest["feature"]) // 8
    leaf = int(np.flatnonzero(np.isinf(np.frombuffer(forest["threshold"], "<f8")))[0])
    return [
        ("a root outside", with_forest(roots=changed(forest["roots"], "<i8", 0, nodes))),
        ("a negative root", with_forest(roots=changed(forest["roots"], "<i8", 0, -1))),
        ("no roots", with_forest(roots=b"")),
        ("a child outside", with_forest(children=changed(forest["children"], "<i8", 1, nodes))),
        ("a loop", with_forest(children=changed(forest["children"], "<i8", 3, 0))),
        ("half a leaf", with_forest(children=changed(forest["children"], "<i8", 2 * leaf, 0))),
        ("a feature outside", with_forest(feature=changed(forest["feature"], "<i8", 0, 99))),
        ("NaN on the way", with_forest(threshold=changed(forest["threshold"], "<f8", 0, np.nan))),
        ("a short array", with_forest(threshold=forest["threshold"][:-8])),
        ("a torn array", with_forest(length=forest["length"][:-1])),
        ("NaN at a leaf", with_forest(length=changed(forest["length"], "<f8", leaf, np.nan))),
        ("a length below 0", with_forest(length=changed(forest["length"], "<f8", leaf, -1))),
        ("a depth too small", with_forest(depth_max=1)),
        ("a depth too large", with_forest(depth_max=10**6)),
        ("one sample", with_forest(samples_max=1)),
        ("no deviation", with_record(by_forest=whole["by_forest"] | {"deviation": 0.0})),
        ("means of others", with_record(by_rarity=whole["by_rarity"] | {"means": b"\0" * 8})),
        ("a rate of 0", with_record(false_alarms=0.0)),
        ("a rate of NaN", with_record(false_alarms=float("nan"))),
        ("scores that fall", with_record(scores=changed(whole["scores"], "<f8", 0, 1e9))),
        ("a heavy weight", with_record(weights=changed(whole["weights"], "<f8", 0, 1.0))),
        ("more groups than scores", with_record(calibration_groups=10**9)),
        ("a count of 0", with_record(counts=changed(whole["counts"], "<i8", 0, 0))),
        ("a count too many", with_record(counts=changed(whole["counts"], "<i8", 0, 10**6))),
        ("a spread of 0", with_record(sizes_usual=changed(whole["sizes_usual"], "<f8", 1, 0))),
        ("a thing twice", with_record(things=whole["things"][:8] + whole["things"][:-8])),
        ("a short key", with_record(key=b"short")),
        ("a column too few", with_record(rarity_values=whole["rarity_values"][:-1])),
        ("a column too long", with_record(rarity_surprisals=whole["rarity_values"])),
        ("names of others", with_record(features=["x"] * len(FEATURES))),
        ("a field too many", with_record(extra=1)),
        ("numbers that overflow", with_record(usual=changed(whole["usual"], "<f8", 0, 1e300))),
    ]


def test_what_was_made_up_is_refused() -> None:
    """A right checksum does not make a file a model."""
    for what, data in made_up():
        with pytest.raises(ModelError, match="not written by training"):
            decode_model(data)
            pytest.fail(f"{what} was read")


def is_usable(model: Model) -> bool:
    """Scores are finite, and every verb ends."""
    value = model.heads.value(ROW)
    return bool(np.isfinite(value) and np.isfinite(model.heads.shares(ROW)).all())


@pytest.mark.parametrize("seed", range(4))
def test_a_flipped_bit_is_damage(seed: int) -> None:
    """Wherever it is, in the header or behind it."""
    random, data = Random(seed), encode_model(small_model())
    for _ in range(150):
        place = random.randrange(len(data))
        flipped = data[:place] + bytes([data[place] ^ 1 << random.randrange(8)]) + data[place + 1 :]
        with pytest.raises(ModelError):
            decode_model(flipped)


@pytest.mark.parametrize("seed", range(4))
def test_a_mutant_with_a_right_checksum_is_refused_or_harmless(seed: int) -> None:
    """Bytes flipped, cut out, put in, moved: an error of ours, or a model that scores."""
    random, data = Random(seed), encode_model(small_model())[HEADER_BYTES:]
    refused = 0
    for _ in range(120):
        mutant = bytearray(data)
        for _ in range(random.choice((1, 1, 2, 8))):
            # Most of a file are arrays; its structure stands at the beginning.
            place = random.randrange(min(len(mutant), random.choice((400, len(mutant)))))
            kind = random.randrange(4)
            if kind == 0:
                mutant[place] = random.randrange(256)
            elif kind == 1:
                del mutant[place : place + random.choice((1, 8, 1000))]
            elif kind == 2:
                mutant[place:place] = random.randbytes(random.choice((1, 8)))
            else:
                mutant[place : place + 8] = random.choice((b"\xff" * 8, b"\x00" * 8, b"\x7f" * 8))
        try:
            assert is_usable(decode_model(resealed(bytes(mutant))))
        except ModelError:
            refused += 1
    assert refused > 30
