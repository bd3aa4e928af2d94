"""`sources:` of an invariant file: data memories, as their author wrote them.

sources:
  user_said:
    when: kind == "message.user"
    values: text
"""

from __future__ import annotations

from ..cel.data_functions import FUNCTIONS_ASKING
from ..yaml.nodes import YamlNode
from .model import SourceSpec
from .typed_yaml import CEL_WORDS, Shape


def read_sources(
    node: YamlNode | None, shape: Shape
) -> tuple[tuple[SourceSpec, ...], frozenset[str]]:
    """The sources, and the names of those that were named but could not be read."""
    sources: list[SourceSpec] = []
    refused: set[str] = set()
    top = shape.map_of(node, "`sources`") if node is not None else None
    for key, value in top.entries if top else ():
        what = f"the source `{key.text}`"
        is_named = shape.name_of(
            key, "the name of a source", also_reserved=CEL_WORDS | FUNCTIONS_ASKING
        )
        inner = shape.map_of(value, what)
        names = ("when", "values")
        keys = shape.keys_of(inner, what, names, names) if inner is not None else {}
        read = [
            shape.expression_of(keys[name], f"`{name}` of {what}") if name in keys else None
            for name in names
        ]
        when, values = read
        if when is None or values is None or not is_named:
            refused.add(key.text)
        else:
            sources.append(SourceSpec(key.text, when, values, key.place))
    return tuple(sources), frozenset(refused)
