"""Is a condition true of every row, whatever the rows are? None where it may well be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from .tokens import Token

DEPTH_MAX: Final = 30  # Chosen: brackets within brackets; keeps recursion bounded.

_COMPARISONS: Final = frozenset({"=", "==", "<>", "!=", "<", ">", "<=", ">=", "<=>"})


def is_always_true(tokens: Sequence[Token], depth: int = 0) -> bool | None:
    """Of `a OR b`, one that is always true is enough; of `a AND b`, both must be."""
    tokens = _unwrapped(tokens)
    if depth > DEPTH_MAX or not tokens:
        return None
    parts = _split(tokens, "OR", "||")
    if len(parts) > 1:
        answers = [is_always_true(part, depth + 1) for part in parts]
        return True if True in answers else (None if None in answers else False)
    parts = _split(tokens, "AND", "&&")
    if len(parts) > 1:
        answers = [is_always_true(part, depth + 1) for part in _between_joined(parts)]
        return False if False in answers else (None if None in answers else True)
    return _is_true(tokens)


def _unwrapped(tokens: Sequence[Token]) -> Sequence[Token]:
    """Without brackets around all of it."""
    while len(tokens) >= 2 and _end_of_bracket(tokens) == len(tokens) - 1:
        tokens = tokens[1:-1]
    return tokens


def _end_of_bracket(tokens: Sequence[Token]) -> int | None:
    """Where the bracket closes that these tokens begin with; None where they begin with none."""
    depth = 0
    for index, token in enumerate(tokens):
        if token.kind == "sign":
            depth += {"(": 1, ")": -1}.get(token.text, 0)
        if depth <= 0:
            return index if index else None
    return None


def _split(tokens: Sequence[Token], word: str, sign: str) -> list[list[Token]]:
    parts: list[list[Token]] = [[]]
    depth = 0
    for token in tokens:
        if token.kind == "sign":
            depth += {"(": 1, ")": -1}.get(token.text, 0)
        is_joint = token.kind == "word" and token.text == word
        is_joint = is_joint or (token.kind == "sign" and token.text == sign)
        if is_joint and depth == 0:
            parts.append([])
        else:
            parts[-1].append(token)
    return parts


def _between_joined(parts: list[list[Token]]) -> list[list[Token]]:
    """`x BETWEEN 1 AND 2` is one part."""
    made: list[list[Token]] = []
    for part in parts:
        if made and any(token.text == "BETWEEN" for token in made[-1]):
            made[-1] += part
        else:
            made.append(part)
    return made


def _is_true(tokens: Sequence[Token]) -> bool | None:
    texts = [token.text for token in tokens]
    if len(tokens) == 1:
        return _is_true_value(tokens[0])
    if texts[0] == "NOT":
        inner = is_always_true(tokens[1:], DEPTH_MAX)
        return None if inner in (True, None) and len(tokens) == 2 else False
    if texts[0] == "EXISTS" or "LIKE" in texts or texts[-3:] == ["IS", "NOT", "NULL"]:
        # `x LIKE '%'`, `id IS NOT NULL`: true of every row as often as not.
        is_wide = "LIKE" not in texts or set(texts[-1]) <= {"%"}
        return None if is_wide else False
    for index, token in enumerate(tokens):
        if token.kind == "sign" and token.text in _COMPARISONS:
            return _compared(tokens[:index], token.text, tokens[index + 1 :])
    if "IN" in texts or "BETWEEN" in texts or "IS" in texts:
        return (
            None
            if all(token.kind != "word" or token.text in _OPERATORS for token in tokens)
            else False
        )
    return None


_OPERATORS: Final = frozenset({"IN", "BETWEEN", "AND", "IS", "NOT", "NULL", "TRUE", "FALSE"})


def _is_true_value(token: Token) -> bool | None:
    if token.kind == "number":
        return float(token.text) != 0
    if token.kind == "word" and token.text in ("TRUE", "FALSE"):
        return token.text == "TRUE"
    return None


def _compared(left: Sequence[Token], sign: str, right: Sequence[Token]) -> bool | None:
    left, right = _unwrapped(left), _unwrapped(right)
    if [token.text for token in left] == [token.text for token in right]:
        return sign in ("=", "==", "<=", ">=", "<=>")
    if len(left) == len(right) == 1 and {left[0].kind, right[0].kind} == {"number"}:
        first, second = float(left[0].text), float(right[0].text)
        return {
            "=": first == second,
            "==": first == second,
            "<=>": first == second,
            "<>": first != second,
            "!=": first != second,
            "<": first < second,
            ">": first > second,
            "<=": first <= second,
            ">=": first >= second,
        }[sign]
    sides = [*left, *right]
    if all(token.kind in ("number", "text", "sign") for token in sides):
        return None  # Constants on both sides, in a way that is not calculated here.
    is_bound = sign in (">", ">=", "<>", "!=")
    limit = [token.text for token in right]
    if is_bound and limit in (["0"], ["-", "1"], ["''"], [""], ["1"]):
        return None  # `id > 0`: true of every row as often as not.
    return False
