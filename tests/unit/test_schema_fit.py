"""Arguments that a tool would convert: none fits whose type is another one, and all others do."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.adapters.schema_fit import unfit

TYPES = ("object", "array", "string", "boolean", "null", "number", "integer")
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(-9, 9) | st.sampled_from(["", "7"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2)
    ),
    max_leaves=6,
)


def _larger(inner: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    branches = st.lists(inner, min_size=1, max_size=3)
    properties = st.dictionaries(st.sampled_from("ab"), inner, max_size=2)
    return st.one_of(
        branches.map(lambda found: {"anyOf": found}),
        branches.map(lambda found: {"allOf": found}),
        properties.map(lambda found: {"type": "object", "properties": found}),
        inner.map(lambda found: {"additionalProperties": found}),
        inner.map(lambda found: {"type": "array", "items": found}),
    )


SCHEMAS = st.recursive(
    st.sampled_from([*({"type": one} for one in TYPES), {}, {"$ref": "#/$defs/x"}])
    | st.lists(st.sampled_from(TYPES), min_size=1, max_size=2, unique=True).map(
        lambda found: {"type": found}
    ),
    _larger,
    max_leaves=6,
)


@given(SCHEMAS, SCHEMAS, st.dictionaries(st.sampled_from("ab"), VALUES, max_size=2))
def test_it_agrees_with_another_reader_of_schemas(
    schema: dict[str, Any], referred: dict[str, Any], args: dict[str, Any]
) -> None:
    """For the keywords that it knows; a definition that refers to itself is drawn as well."""
    is_itself = "$ref" in referred or any("$ref" in str(one) for one in referred.values())
    whole = {
        "type": "object",
        "properties": {"a": schema},
        "$defs": {"x": {"type": "string"} if is_itself else referred},
    }
    is_valid = jsonschema.Draft202012Validator(whole).is_valid(args)
    assert (unfit(whole, args) == "") == is_valid


@pytest.mark.parametrize(
    ("declared", "value"),
    [("boolean", "yes"), ("boolean", 1), ("integer", "7"), ("number", "7.5"), ("integer", True)],
)
def test_what_would_be_converted_does_not_fit(declared: str, value: object) -> None:
    schema = {"type": "object", "properties": {"to": {"items": {"type": declared}}}}
    assert unfit(schema, {"to": [value]}) == "to.0"


def test_branches_that_refer_to_each_other_end() -> None:
    """Without a bound they double at each step."""
    again = {"$ref": "#/$defs/x"}
    schema = {"$defs": {"x": {"anyOf": [again, again]}}, "properties": {"a": again}}
    assert unfit(schema, {"a": 1}) in ("", "a")


def test_a_schema_that_is_not_understood_fits_everything() -> None:
    for schema in ({"type": "date"}, {"type": 7}, {"properties": []}, {"$ref": "other.json"}, {}):
        assert unfit(schema, {"a": "yes"}) == ""
