"""Values of a foreign document, each as what a reader expects there, or as nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from monitor.traces.documents import Fault, parsed

_NOTHING: Final[Mapping[str, Any]] = {}


def is_text(value: Any) -> bool:
    """True for a text."""
    return isinstance(value, str)


def text_of(value: Any) -> str:
    """A text; `""` for all else."""
    return value if isinstance(value, str) else ""


def mapping_of(value: Any) -> Mapping[str, Any]:
    """An object; an empty one for all else."""
    return value if isinstance(value, dict) else _NOTHING


def texts_of(content: Any) -> str:
    """A text, or the texts of a list of blocks, one below the other."""
    if isinstance(content, str):
        return content
    blocks = content if isinstance(content, list) else []
    return "\n".join(filter(None, (text_of(mapping_of(block).get("text")) for block in blocks)))


def json_object(value: Any) -> Mapping[str, Any] | None:
    """An object, or a text that is one in JSON, as a model writes arguments; None for all else."""
    if isinstance(value, str):
        value = parsed(value.encode("utf-8", "surrogatepass"))
    return value if isinstance(value, dict) else None


def json_of(value: Any) -> Any:
    """The value that a text of JSON tells; a text that is not JSON, and any other value, itself."""
    if not isinstance(value, str):
        return value
    found = parsed(value.encode("utf-8", "surrogatepass"))
    return value if isinstance(found, Fault) else found
