"""Requests made from the OpenAPI document, right and wrong ones, against a real server: each answer
has a status that the document names for its page, and a body of the type that it gives.
"""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.gate_server.bounds import Bounds
from tests.support.gate_in_thread import ServedHere

DOCUMENT = json.loads((Path(__file__).resolve().parents[2] / "docs" / "openapi.json").read_text())
OPERATIONS = [
    (path, method, operation)
    for path, methods in sorted(DOCUMENT["paths"].items())
    for method, operation in sorted(methods.items())
]
NAMED = {
    "session": st.sampled_from(["a", "b", "c", "ended"]),
    "tool": st.sampled_from(["read_file", "http.post", "pay", ""]),
    "request": st.sampled_from(["r1", "r2", "r3", ""]),
    "call": st.sampled_from(["", "", "c1", "c2"]),
    "kind": st.sampled_from(
        [
            "tool.completed",
            "message.user",
            "session.ended",
            "approval.granted",
            "own",
            "Tool_Failed",
        ]
    ),
}
"""Values of fields that make requests meet each other; half of the time any text."""
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)
OBJECTS = st.dictionaries(st.sampled_from(["path", "amount", "url"]) | st.text(), JSON_VALUES)


def _resolved(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema that a reference leads to."""
    found: dict[str, Any] = schema
    if "$ref" in schema:
        found = DOCUMENT
        for part in schema["$ref"].removeprefix("#/").split("/"):
            found = found[part]
    return found


def values(schema: dict[str, Any], name: str = "") -> st.SearchStrategy[Any]:
    """Values that fit a schema."""
    schema = _resolved(schema)
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    match schema.get("type"):
        case "string":
            return NAMED.get(name, st.text(max_size=20)) | st.text(max_size=20)
        case "integer":
            return st.integers(schema.get("minimum"), 10**9)
        case "array":
            return st.lists(values(schema["items"]), max_size=3)
        case "object" if "properties" in schema:
            return _objects(schema)
        case "object":
            return OBJECTS
    assert set(schema) <= {"description"}, schema
    return JSON_VALUES


def _objects(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    fields = {name: values(of, name) for name, of in schema["properties"].items()}
    required = set(schema["required"])
    optional = {name: of for name, of in fields.items() if name not in required}
    return st.fixed_dictionaries({name: fields[name] for name in required}, optional=optional)


@st.composite
def spoilt(draw: st.DrawFn, value: Any) -> Any:
    """The value, or one that is wrong somewhere."""
    if not isinstance(value, dict) or draw(st.integers(0, 2)):
        return value
    value = dict(value)
    if value and draw(st.booleans()):
        name = draw(st.sampled_from(sorted(value)))
        value[name] = draw(JSON_VALUES)
    elif value and draw(st.booleans()):
        del value[draw(st.sampled_from(sorted(value)))]
    else:
        value[draw(st.text(max_size=5))] = draw(JSON_VALUES)
    return value


@st.composite
def requests(draw: st.DrawFn) -> tuple[int, str, bytes | None, dict[str, str]]:
    """The index of an operation, a target, a body and headers."""
    index = draw(st.integers(0, len(OPERATIONS) - 1))
    path, _, operation = OPERATIONS[index]
    query = {}
    for parameter in operation.get("parameters", ()):
        if parameter["in"] == "path":
            id_ = draw(st.text(min_size=1, max_size=8) | st.just("a-0"))
            path = path.replace("{id}", quote(id_, safe="", errors="replace"))
        elif parameter["required"] or draw(st.booleans()):
            value = draw(values(parameter["schema"], parameter["name"]))
            query[parameter["name"]] = "0" if parameter["name"] == "wait_s" else value
    query = draw(spoilt(query)) if draw(st.booleans()) else query
    if query:
        path += "?" + urlencode(query, errors="replace")
    headers, body = {}, None
    if "requestBody" in operation:
        ((media_type, content),) = operation["requestBody"]["content"].items()
        headers["Content-Type"] = media_type
        value = draw(spoilt(draw(values(content["schema"]))))
        body = json.dumps(value, ensure_ascii=draw(st.booleans())).encode(errors="replace")
    for name, wrong in ("Content-Type", "text/plain"), ("Origin", "http://a"), ("Upgrade", "h2c"):
        if draw(st.integers(0, 30)) == 0:
            headers[name] = wrong
    if draw(st.integers(0, 30)) == 0:
        headers["Authorization"] = "Bearer guess"
    return index, path, body, headers


@cache
def _checker(name: str) -> jsonschema.Draft202012Validator:
    """Checks a body against a schema of the document, which may have no other fields."""
    schemas = json.loads(json.dumps(DOCUMENT["components"]["schemas"]))
    for schema in schemas.values():
        if "properties" in schema:
            schema["additionalProperties"] = False
    whole = {"$ref": f"#/components/schemas/{name}", "components": {"schemas": schemas}}
    return jsonschema.Draft202012Validator(whole)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedHere]:
    bounds = Bounds(refusal_pause_s=0, sessions_burst_max=10_000_000)
    with ServedHere(tmp_path_factory.mktemp("gate"), bounds) as server:
        yield server


@given(request=requests())
def test_answers_are_those_of_the_document(
    server: ServedHere, request: tuple[int, str, bytes | None, dict[str, str]]
) -> None:
    """Status, media type, body, and the code of an error."""
    index, target, body, headers = request
    operation = OPERATIONS[index][2]
    connection = http.client.HTTPConnection("localhost")
    connection.sock = server.connect()
    connection.request(OPERATIONS[index][1].upper(), target, body, headers)
    response = connection.getresponse()
    given_body = response.read()
    connection.close()
    documented = operation["responses"].get(str(response.status))
    assert documented is not None, (response.status, given_body)
    ((media_type, content),) = _resolved(documented)["content"].items()
    given_type = response.getheader("Content-Type", "")
    assert given_type.partition(";")[0] == media_type.partition(";")[0]
    if "$ref" in content["schema"]:
        value = json.loads(given_body)
        _checker(content["schema"]["$ref"].rpartition("/")[2]).validate(value)
        if response.status != 200:
            assert documented["$ref"].rpartition("/")[2] == value["error"]["code"]


def test_the_document_is_itself_valid() -> None:
    """Every reference leads somewhere, and every schema is one."""

    def references(value: Any) -> Iterator[str]:
        if isinstance(value, dict):
            yield from ([value["$ref"]] if isinstance(value.get("$ref"), str) else [])
            value = list(value.values())
        for part in value if isinstance(value, list) else ():
            yield from references(part)

    for reference in references(DOCUMENT):
        assert _resolved({"$ref": reference})
    for schema in DOCUMENT["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)
