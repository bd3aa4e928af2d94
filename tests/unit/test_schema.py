"""The JSON Schemas name what is really read: fields of events, keys and words of files."""

from typing import Any

import msgspec
import pytest

from invariants.model.event import EventRecord
from invariants.spec.example import EVENT_FIELDS
from invariants.spec.json_schema import DIALECT, event_schema, invariant_file_schema
from invariants.spec.load import load_spec

FILE = invariant_file_schema()
INVARIANT = FILE["properties"]["invariants"]["items"]


def _codes(key: str, value: str) -> list[str]:
    form = "" if key in ("never", "always", "pattern") else "    never: p\n"
    said = {"id": "a", "severity": "info", key: value}
    lines = "".join(f"    {name}: {text}\n" for name, text in said.items())
    text = f"version: 1\npredicates:\n  p: kind == 'a'\ninvariants:\n  -\n{lines}{form}"
    return [fault.code for fault in load_spec(text, "f.yaml")[1]]


def test_fields_of_events() -> None:
    """The schema's fields are those that are decoded, and those that examples may have.

    An example's events come from no topic on which `principal`, `excepted` or `gate` would
    be believed.
    """
    fields = set(event_schema()["properties"])
    assert fields == {field.name for field in msgspec.structs.fields(EventRecord)}
    assert fields == EVENT_FIELDS | {"principal", "gate", "excepted"}


def test_required_fields_of_events() -> None:
    """What the schema asks for is what decoding asks for."""
    required = {f.name for f in msgspec.structs.fields(EventRecord) if f.required}
    assert set(event_schema()["required"]) == required


@pytest.mark.parametrize("key", sorted(INVARIANT["properties"]))
def test_keys_of_invariants(key: str) -> None:
    """Every key that the schema names is known to the loader."""
    schema = INVARIANT["properties"][key]
    value = (schema.get("enum") or ["p"])[0]
    values = {
        "enabled": "false",
        "examples": "[{events: [{kind: a}]}]",
        "pattern": "{forbidden: {event: p}}",
        "references": "[https://a.example/b, LLM01]",
        "respond": "[alert]",
        "tags": "[a]",
    }
    assert _codes(key, values.get(key, value)) == []


def test_words_of_invariants() -> None:
    """Every choice that the schema names is taken, and no other."""
    for key, schema in INVARIANT["properties"].items():
        for word in schema.get("enum", []):
            assert _codes(key, word) == []
        if "enum" in schema:
            assert _codes(key, "nonsense") == ["E208"]


@pytest.mark.parametrize("schema", [event_schema(), FILE])
def test_schemas_are_json_and_name_their_dialect(schema: dict[str, Any]) -> None:
    """A schema can be written as JSON as it is, and says by which rules to read it."""
    assert msgspec.json.decode(msgspec.json.encode(schema)) == schema
    assert schema["$schema"] == DIALECT
