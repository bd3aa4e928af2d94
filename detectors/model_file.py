"""Encodes a model as bytes and decodes it: no pickle, no archive, nothing that executes or expands.

The format: 8 bytes of magic, 2 of the version, 32 of SHA-256 over the rest, then one msgpack record
of plain numbers; arrays are little-endian bytes, with their lengths stored separately. Reading
allocates a small multiple of the file's length, and checks everything that scoring relies on: the
checksum detects damage, the checks detect forged content. They do not authenticate the file: a user
with write access to it decides what is an alarm.
"""

from __future__ import annotations

import hashlib
import math
from itertools import pairwise
from typing import Annotated, Final, Literal

import msgspec
import numpy as np
import numpy.typing as npt

from detectors.baseline import ENTRIES_MAX, SPREAD_MIN, Baseline
from detectors.bloom import KEY_BYTES
from detectors.calibrate import Calibration
from detectors.contract import ModelError
from detectors.features import FEATURES, schema_digest
from detectors.forest import Floats, Forest, Integers
from detectors.model import Head, Heads, Model, Training
from detectors.novelty import KNOTS_MAX, Rarity

MAGIC: Final = b"ILKMODEL"
VERSION: Final = 1
FILE_BYTES_MAX: Final = 64 * 1024 * 1024
"""Chosen: ten times the largest model that training makes."""
NODES_MAX: Final = 1_000_000
TREES_MAX: Final = 1_000
DEPTH_MAX: Final = 64
SESSIONS_MAX: Final = 1_000_000
NUMBER_MAX: Final = 1e12
"""No number of a model is larger; so that sums of them are finite."""
_HEADER_BYTES: Final = len(MAGIC) + 2 + 32

_Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
_Name = Annotated[str, msgspec.Meta(max_length=200)]


class _ForestRecord(msgspec.Struct, forbid_unknown_fields=True):
    samples_max: Annotated[int, msgspec.Meta(ge=2, le=2**31)]
    depth_max: Annotated[int, msgspec.Meta(ge=0, le=DEPTH_MAX)]
    roots: bytes
    children: bytes
    feature: bytes
    threshold: bytes
    length: bytes


class _HeadRecord(msgspec.Struct, forbid_unknown_fields=True):
    means: bytes
    deviation: float


class _Record(msgspec.Struct, forbid_unknown_fields=True):
    schema: _Name
    features: list[_Name]
    forest: _ForestRecord
    rarity_values: list[bytes]
    rarity_surprisals: list[bytes]
    by_forest: _HeadRecord
    by_rarity: _HeadRecord
    usual: bytes
    groups_count: _Count
    things: bytes
    counts: bytes
    sizes: bytes
    sizes_usual: bytes
    left_out_count: _Count
    false_alarms: float
    calibration_groups: _Count
    scores: bytes
    weights: bytes
    key: bytes | None
    key_digest: bytes
    sessions_count: _Count
    moments_count: _Count
    training_groups: _Count
    grouped_by: _Name
    calibration: Literal["split", "cross"]
    seed: int
    made_with: _Name


_decoder: Final = msgspec.msgpack.Decoder(_Record)


def encode_model(model: Model) -> bytes:
    """The encoded model; equal models give equal bytes."""
    payload = msgspec.msgpack.encode(_record(model))
    head = MAGIC + VERSION.to_bytes(2, "little")
    return head + hashlib.sha256(head + payload).digest() + payload


def model_digest(data: bytes) -> str:
    """Names a model by its file, as findings and states do."""
    return "m-" + hashlib.blake2b(data, digest_size=12).hexdigest()


def decode_model(data: bytes) -> Model:
    """The model in a file.

    Raises
    ------
    ModelError
        It is not a model, of another version, trained for other features, damaged, or forged.
    """
    if len(data) > FILE_BYTES_MAX:
        raise ModelError(
            f"the model has more than {FILE_BYTES_MAX} bytes; no valid model is so large"
        )
    if data[: len(MAGIC)] != MAGIC:
        raise ModelError("this is not a model of Interlock; create one with `interlock train`")
    version = int.from_bytes(data[len(MAGIC) : len(MAGIC) + 2], "little")
    if version != VERSION:
        raise ModelError(
            f"the model has version {version} and this Interlock reads {VERSION}; train it anew"
        )
    payload = data[_HEADER_BYTES:]
    checksum = hashlib.sha256(data[: len(MAGIC) + 2] + payload).digest()
    if checksum != data[_HEADER_BYTES - 32 : _HEADER_BYTES]:
        raise ModelError(
            "the model is damaged: its checksum differs; copy it again, or train a new one"
        )
    try:
        record = _decoder.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ModelError(f"the model was not written by training: {error}") from None
    if record.schema != schema_digest():
        raise ModelError(
            "the model was trained for other features than this Interlock computes; train it anew"
        )
    return _model(record)


def _record(model: Model) -> _Record:
    heads, baseline, training = model.heads, model.baseline, model.training
    things, sizes = sorted(baseline.counts), sorted(baseline.usual)
    return _Record(
        schema=schema_digest(),
        features=[feature.name for feature in FEATURES],
        forest=_forest_record(heads.forest),
        rarity_values=[_float_bytes(column) for column in heads.rarity.values],
        rarity_surprisals=[_float_bytes(column) for column in heads.rarity.surprisals],
        by_forest=_HeadRecord(_float_bytes(heads.by_forest.means), heads.by_forest.deviation),
        by_rarity=_HeadRecord(_float_bytes(heads.by_rarity.means), heads.by_rarity.deviation),
        usual=_float_bytes([bound for bounds in heads.usual for bound in bounds]),
        groups_count=baseline.groups_count,
        things=np.array(things, dtype="<u8").tobytes(),
        counts=np.array([baseline.counts[thing] for thing in things], dtype="<i8").tobytes(),
        sizes=np.array(sizes, dtype="<u8").tobytes(),
        sizes_usual=_float_bytes([part for size in sizes for part in baseline.usual[size]]),
        left_out_count=baseline.left_out_count,
        false_alarms=model.calibration.false_alarms,
        calibration_groups=model.calibration.groups_count,
        scores=_float_bytes(model.calibration.scores),
        weights=_float_bytes(model.calibration.weights),
        key=model.key,
        key_digest=model.key_digest,
        sessions_count=training.sessions_count,
        moments_count=training.moments_count,
        training_groups=training.groups_count,
        grouped_by=training.grouped_by,
        calibration=training.calibration,
        seed=training.seed,
        made_with=training.made_with,
    )


def _forest_record(forest: Forest) -> _ForestRecord:
    return _ForestRecord(
        samples_max=forest.samples_max,
        depth_max=forest.depth_max,
        roots=forest.roots.astype("<i8").tobytes(),
        children=forest.children.astype("<i8").tobytes(),
        feature=forest.feature.astype("<i8").tobytes(),
        threshold=forest.threshold.astype("<f8").tobytes(),
        length=forest.length.astype("<f8").tobytes(),
    )


def _model(record: _Record) -> Model:
    _require([feature.name for feature in FEATURES] == record.features, "its list of features")
    _require(record.key is None or len(record.key) == KEY_BYTES, "its key")
    _require(len(record.key_digest) == KEY_BYTES, "the digest of its key")
    usual = _floats(record.usual, "what is usual", 2 * len(FEATURES))
    return Model(
        heads=Heads(
            forest=_forest(record.forest),
            rarity=_rarity(record),
            by_forest=_head(record.by_forest),
            by_rarity=_head(record.by_rarity),
            usual=tuple((float(low), float(high)) for low, high in usual.reshape(-1, 2)),
        ),
        baseline=_baseline(record),
        calibration=_calibration(record),
        training=Training(
            sessions_count=record.sessions_count,
            groups_count=record.training_groups,
            moments_count=record.moments_count,
            grouped_by=record.grouped_by,
            calibration=record.calibration,
            seed=record.seed,
            made_with=record.made_with,
        ),
        key=record.key,
        key_digest=record.key_digest,
    )


def _forest(record: _ForestRecord) -> Forest:
    """Every index stays inside, and every path ends within `depth_max` steps at a leaf."""
    roots = _integers(record.roots, "the roots of its trees")
    feature = _integers(record.feature, "its nodes")
    count = len(feature)
    _require(0 < len(roots) <= TREES_MAX and 0 < count <= NODES_MAX, "the size of its forest")
    children = _integers(record.children, "its nodes' children", 2 * count)
    threshold = _numbers(record.threshold, "its thresholds", count)
    length = _floats(record.length, "its path lengths", count)
    own = np.arange(count)
    left, right = children[0::2], children[1::2]
    is_leaf = left == own
    _require(bool(((roots >= 0) & (roots < count)).all()), "a root of a tree")
    _require(bool(((children >= 0) & (children < count)).all()), "a node's child")
    _require(bool(((feature >= 0) & (feature < len(FEATURES))).all()), "a node's feature")
    _require(bool((right[is_leaf] == own[is_leaf]).all()), "a leaf")
    inner = ~is_leaf
    _require(bool(((left > own) & (right > own))[inner].all()), "the order of its nodes")
    _require(bool(np.isfinite(threshold[inner]).all()), "a threshold")
    _require(bool((threshold[is_leaf] == np.inf).all()), "a leaf's threshold")
    _require(bool((length >= 0).all()), "a path length")
    _require(_depth(roots, children, is_leaf) <= record.depth_max, "its depth")
    return Forest(
        features_count=len(FEATURES),
        samples_max=record.samples_max,
        depth_max=record.depth_max,
        roots=roots,
        children=children,
        feature=feature,
        threshold=threshold,
        length=length,
    )


def _depth(roots: Integers, children: Integers, is_leaf: npt.NDArray[np.bool_]) -> int:
    """The steps until every path is at a leaf; at most `DEPTH_MAX` are made."""
    nodes = np.unique(roots)
    for depth in range(DEPTH_MAX + 1):
        nodes = nodes[~is_leaf[nodes]]
        if not len(nodes):
            return depth
        nodes = np.unique(np.concatenate((children[nodes * 2], children[nodes * 2 + 1])))
    return DEPTH_MAX + 1


def _rarity(record: _Record) -> Rarity:
    values = [_rising(data, "a column's values") for data in record.rarity_values]
    surprisals = [_rising(data, "a column's surprisals") for data in record.rarity_surprisals]
    _require(len(values) == len(surprisals) == len(FEATURES), "its columns")
    for feature, column, rest in zip(FEATURES, values, surprisals, strict=True):
        is_whole = len(rest) == len(column) + 1 and len(column) <= KNOTS_MAX
        _require(is_whole if feature.is_told else not column and not rest, "a column")
    return Rarity(tuple(values), tuple(surprisals))


def _head(record: _HeadRecord) -> Head:
    _require(math.isfinite(record.deviation) and 0 < record.deviation < NUMBER_MAX, "a deviation")
    return Head(_floats(record.means, "the means of a head", len(FEATURES)), record.deviation)


def _baseline(record: _Record) -> Baseline:
    things = _keys(record.things, "its known items")
    counts = _integers(record.counts, "their counts", len(things))
    sizes = _keys(record.sizes, "its known sizes")
    usual = _floats(record.sizes_usual, "their usual values", 2 * len(sizes)).reshape(-1, 2)
    _require(max(len(things), len(sizes)) <= ENTRIES_MAX, "the number of its known items")
    _require(bool((counts > 0).all()), "a count")
    _require(bool((counts <= record.groups_count).all()), "a count beyond its groups")
    _require(bool((usual[:, 1] >= SPREAD_MIN).all()), "a spread")
    return Baseline(
        groups_count=record.groups_count,
        counts=dict(zip(things.tolist(), counts.tolist(), strict=True)),
        usual={
            key: (pair[0], pair[1])
            for key, pair in zip(sizes.tolist(), usual.tolist(), strict=True)
        },
        left_out_count=record.left_out_count,
    )


def _calibration(record: _Record) -> Calibration:
    scores = _rising(record.scores, "its calibration scores")
    weights = _floats(record.weights, "their weights", len(scores))
    groups = record.calibration_groups
    _require(0 < record.false_alarms < 1, "its rate of false alarms")
    _require(len(scores) <= SESSIONS_MAX and groups <= len(scores), "the size of its calibration")
    _require(bool((weights > 0).all()), "a weight")
    _require(abs(float(weights.sum()) - groups / (groups + 1)) < 1e-6, "the sum of its weights")
    return Calibration(record.false_alarms, groups, scores, tuple(weights.tolist()))


def _rising(data: bytes, what: str) -> tuple[float, ...]:
    values = tuple(_floats(data, what).tolist())
    _require(all(before <= after for before, after in pairwise(values)), f"{what}: their order")
    return values


def _keys(data: bytes, what: str) -> npt.NDArray[np.uint64]:
    _require(len(data) % 8 == 0, what)
    keys = np.frombuffer(data, dtype="<u8").astype(np.uint64)
    _require(bool((keys[1:] > keys[:-1]).all()), what)
    return keys


def _integers(data: bytes, what: str, count: int | None = None) -> Integers:
    _require(len(data) % 8 == 0 and count in (None, len(data) // 8), what)
    return np.frombuffer(data, dtype="<i8").astype(np.int64)


def _floats(data: bytes, what: str, count: int | None = None) -> Floats:
    """Finite numbers that can be summed without an overflow."""
    numbers = _numbers(data, what, count)
    _require(bool((np.abs(numbers) <= NUMBER_MAX).all()), what)
    return numbers


def _numbers(data: bytes, what: str, count: int | None = None) -> Floats:
    _require(len(data) % 8 == 0 and count in (None, len(data) // 8), what)
    return np.frombuffer(data, dtype="<f8").astype(np.float64)


def _float_bytes(values: object) -> bytes:
    return np.array(values, dtype="<f8").tobytes()


def _require(is_so: bool, what: str) -> None:
    if not is_so:
        raise ModelError(f"the model was not written by training ({what}); train it anew")
