"""What a PromQL expression asks for: the metrics it names, and the labels it matches or groups by.

A reading by pattern, enough for the expressions of this project: it errs on the side of naming too
much, so that a misspelt metric or label is never passed over.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

TEXT = re.compile(r'"(?:[^"\\]|\\.)*"')
SELECTOR = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)\s*\{([^}]*)\}")
MATCHER = re.compile(r'([a-zA-Z_]\w*)\s*(=~|!~|!=|=)\s*"((?:[^"\\]|\\.)*)"')
GROUPING = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)")
NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
WORDS = {"and", "or", "unless", "offset", "bool", "by", "without", "on", "ignoring", "inf", "nan"}
WORDS |= {"group_left", "group_right"}


@dataclass(frozen=True)
class Matcher:
    """One matcher of a selector: `metric{label op "value"}`."""

    metric: str
    label: str
    operator: str
    value: str

    @property
    def alternatives(self) -> list[str]:
        """The values that it names, where it is a plain list of them."""
        return self.value.split("|") if "~" in self.operator else [self.value]


def matchers_of(expression: str) -> list[Matcher]:
    """Every matcher, with the metric that it stands at."""
    return [
        Matcher(metric, label, operator, value)
        for metric, inside in SELECTOR.findall(expression)
        for label, operator, value in MATCHER.findall(inside)
    ]


def grouped_by(expression: str) -> set[str]:
    """Labels in `by (...)`, `on (...)` and the like."""
    return {name for inside in GROUPING.findall(expression) for name in NAME.findall(inside)}


def metrics_of(expression: str) -> set[str]:
    """Every name that is no function, keyword, label or text."""
    bare = re.sub(r"\{[^}]*\}", "", expression)
    bare = re.sub(r"\[[^\]]*\]", "", GROUPING.sub("", TEXT.sub("", bare)))
    bare = re.sub(r"\boffset\s+-?\w+", "", bare)
    return {
        match[0]
        for match in NAME.finditer(bare)
        if match[0].lower() not in WORDS
        and not bare[match.end() :].lstrip().startswith("(")
        and not bare[: match.start()].endswith(tuple("0123456789.$"))
    }
