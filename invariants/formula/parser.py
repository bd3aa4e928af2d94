"""Formula text into a `Formula`, by the grammar of docs/language.md.

    formula    = implication [ "iff" implication ]
    implication= disjunct [ "implies" implication ]
    disjunct   = conjunct { "or" conjunct }
    conjunct   = interval { "and" interval }
    interval   = unary [ ("since" | "until") [ window ] unary ]
    unary      = "not" unary
               | ("previous" | "once" | "historically" | "next" | "eventually" | "always")
                 [ window ] unary
               | "exists" variable "(" formula ")"
               | "(" formula ")" | "session_end" | comparison | atom
    comparison = side operator side            (* at most one side an aggregate *)
    side       = variable | literal | aggregate
    operator   = "==" | "!=" | "<" | "<=" | ">" | ">="
    aggregate  = "count" "(" atom ")" [ window ]
               | ("sum" | "min" | "max" | "avg" | "distinct") "(" atom "." name ")" [ window ]
    atom       = name [ "(" [ argument { "," argument } ] ")" ]
    argument   = name "=" ( "_" | variable | literal )
    window     = "[" duration [ "," duration ] "]"
    duration   = digits ("ms" | "s" | "m" | "h" | "d")
    literal    = JSON string | number | "true" | "false"

Method: operator precedence with explicit stacks, so that only brackets and unary operators
recurse, and both are counted. A literal beside an aggregate is moved to its right. It checks
no names and no binding rules: `check.py` does.
"""

from __future__ import annotations

from typing import Final, Literal, NoReturn, cast

from ..errors import Fault, Place, SpecError
from ..nearest import nearest
from .ast import UNBOUNDED, Binary, Exists, Formula, Not, SessionEnd, Temporal, Until, Window
from .cursor import Cursor, Locate
from .leaves import parse_duration, parse_leaf, parse_window
from .tokens import OPERATOR_WORDS, FormulaFault, Token, split_tokens

DEPTH_MAX: Final = 100  # Chosen: every later pass may recurse; Python's own limit is 1,000 frames.


def parse_formula(text: str, *, file: str = "", place: Place = Place()) -> Formula:  # noqa: B008
    """The parsed formula of the text; `place` is that of its first character.

    Raises
    ------
    SpecError
        With one fault (E301 to E312) at the first unexpected point.
    """
    return parse_formula_at(text, file=file, locate=lambda offset: advance(place, text, offset))


def parse_formula_at(text: str, *, file: str, locate: Locate) -> Formula:
    """Like `parse_formula`, for text whose characters have the places of `locate`."""
    try:
        return _Parser(Cursor(split_tokens(text), locate)).parse()
    except FormulaFault as fault:
        where = locate(fault.offset)
        raise SpecError([Fault(file, where, fault.code, fault.message, fault.mend)]) from None


def parse_span(text: str, *, file: str, locate: Locate) -> int:
    """The nanoseconds of a duration such as `10m`, without other text; raises SpecError."""
    try:
        cursor = Cursor(split_tokens(text), locate)
        duration_ns = parse_duration(cursor)
        if not cursor.is_end():
            _fail_behind(cursor)
        return duration_ns
    except FormulaFault as fault:
        where = locate(fault.offset)
        raise SpecError([Fault(file, where, fault.code, fault.message, fault.mend)]) from None


def advance(place: Place, text: str, offset: int) -> Place:
    """The place of `text[offset]`, when `text[0]` stands at `place` and lines start at 1."""
    newlines = text.count("\n", 0, offset)
    if not newlines:
        return Place(place.line, place.column + offset)
    return Place(place.line + newlines, offset - text.rindex("\n", 0, offset))


_PRECEDENCE: Final = {"iff": 1, "implies": 2, "or": 3, "and": 4, "since": 5, "until": 5}
_MEANT_JOINS: Final = {
    "in": 'formulas have no `in`: ask for it in a predicate, `p: tool in ["a", "b"]`',
    "within": "a window stands right behind its operator: `once[10m] p`, `count(p)[10m] <= 3`",
    "xor": "write `not (p iff q)`",
    "nor": "write `not (p or q)`",
    "nand": "write `not (p and q)`",
    "but": "write `and`",
    "then": "write `always: p implies q`, or for what must not follow `never: q and once p`",
    "if": "write `always: q implies p`, or for what must not be `never: p and q`",
    "unless": "write `always: p or q`, or for what must not be `never: p and not q`",
    "without": "write `and not`",
    "before": "`p before q` is `q and once p`",
    "after": "`p after q` is `p and once q`",
}
"""Text between two formulas that is not an operator. A correction may apply under `never` or
`always`."""
_MEANT_OPERATORS: Final = {
    "if": "write `always: p implies q`, or for what must not follow `never: q and once p`",
    "when": "write `always: p implies q`, or for what must not follow `never: q and once p`",
    "never": "within a formula `never q` is `not once q`",
    "ever": "write `once q`",
    "last": "write `previous q`",
    "before": "write `once q`",
    "no": "write `not q`",
}
"""For a name that other words follow, and that is not an operator."""
_NOT_CHAINED: Final = frozenset({1, 5})
_UNARY: Final = (
    "not",
    "previous",
    "once",
    "historically",
    "next",
    "eventually",
    "always",
    "exists",
)
_UNARY_TEMPORAL: Final = ("previous", "once", "historically", "next", "eventually", "always")

_UnaryTemporal = Literal["previous", "once", "historically", "next", "eventually", "always"]

_Sized = tuple[Formula, int]
"""A formula and its depth."""


class _Parser:
    """The upper half of the parser: connectives, temporal operators and brackets."""

    def __init__(self, cursor: Cursor) -> None:
        self.cursor = cursor
        self.nesting = 0

    def parse(self) -> Formula:
        if self.cursor.is_end():
            raise FormulaFault(0, "E312", "the formula is empty", "write one, such as `once p`")
        formula, _ = self.formula()
        if not self.cursor.is_end():
            _fail_behind(self.cursor)
        return formula

    def formula(self) -> _Sized:
        cursor = self.cursor
        operands = [self.unary()]
        operators: list[tuple[Token, Window]] = []
        while cursor.is_word(*_PRECEDENCE):
            operator = cursor.take()
            self.reduce(operands, operators, operator)
            is_timed = operator.text in ("since", "until")
            operators.append((operator, parse_window(cursor) if is_timed else UNBOUNDED))
            operands.append(self.unary())
        self.reduce(operands, operators, None)
        assert len(operands) == 1
        return operands[0]

    def reduce(
        self, operands: list[_Sized], operators: list[tuple[Token, Window]], coming: Token | None
    ) -> None:
        """Build the nodes on the stacks that bind tighter than the operator that comes."""
        floor = _PRECEDENCE[coming.text] if coming else 0
        while operators:
            operator, window = operators[-1]
            precedence = _PRECEDENCE[operator.text]
            if precedence < floor or (precedence == floor and operator.text == "implies"):
                return
            if coming and precedence == floor and precedence in _NOT_CHAINED:
                _fail_chained(operator, coming)
            operators.pop()
            right, right_depth = operands.pop()
            left, left_depth = operands.pop()
            depth = self.check_depth(max(left_depth, right_depth) + 1, operator)
            operands.append((self.join(operator, window, left, right), depth))

    def join(self, operator: Token, window: Window, left: Formula, right: Formula) -> Formula:
        place = self.cursor.place(operator)
        match operator.text:
            case "since" | "until" as word:
                return Until(word, window, left, right, place)
            case "and" | "or" | "implies" | "iff" as word:
                return Binary(word, left, right, place)
        raise AssertionError(operator)

    def unary(self) -> _Sized:
        cursor = self.cursor
        token = cursor.token
        if cursor.is_sign("("):
            return self.bracketed(cursor.take())
        if cursor.is_word("not", *_UNARY_TEMPORAL):
            return self.operand_of(cursor.take())
        if cursor.is_word("exists"):
            return self.exists(cursor.take())
        if cursor.is_word("session_end"):
            return SessionEnd(cursor.place(cursor.take())), 1
        if not _can_begin(token):
            _fail_operand(cursor)
        return parse_leaf(cursor), 1

    def operand_of(self, operator: Token) -> _Sized:
        window = UNBOUNDED if operator.text == "not" else parse_window(self.cursor)
        self.enter(operator)
        body, depth = self.unary()
        self.nesting -= 1
        self.check_depth(depth + 1, operator)
        place = self.cursor.place(operator)
        if operator.text == "not":
            return Not(body, place), depth + 1
        return Temporal(cast(_UnaryTemporal, operator.text), window, body, place), depth + 1

    def exists(self, operator: Token) -> _Sized:
        variable = self.cursor.name("a variable", "write `exists x (...)`")
        if variable.text == "_":
            message = "`_` is not a variable"
            raise FormulaFault(variable.offset, "E309", message, "write `exists x (...)`")
        mend = f"write `exists {variable.text} (...)`, with one `exists` for each variable"
        body, depth = self.bracketed(self.cursor.expect("(", mend))
        self.check_depth(depth + 1, operator)
        return Exists(variable.text, body, self.cursor.place(operator)), depth + 1

    def bracketed(self, opening: Token) -> _Sized:
        """The content after an opening bracket that was just consumed, and its closing one."""
        self.enter(opening)
        sized = self.formula()
        if self.cursor.is_end():
            message = "this bracket is never closed"
            raise FormulaFault(opening.offset, "E301", message, "write `)` where it ends")
        if not self.cursor.is_sign(")"):
            _fail_behind(self.cursor)
        self.cursor.take()
        self.nesting -= 1
        return sized

    def enter(self, token: Token) -> None:
        self.nesting += 1
        self.check_depth(self.nesting, token)

    def check_depth(self, depth: int, token: Token) -> int:
        if depth > DEPTH_MAX:
            message = f"this formula is more than {DEPTH_MAX} levels deep"
            mend = "name parts of it as predicates, or group a long chain with brackets"
            raise FormulaFault(token.offset, "E306", message, mend)
        return depth


def _can_begin(token: Token) -> bool:
    if token.sort == "word":
        return token.text not in OPERATOR_WORDS
    return token.sort in ("name", "string", "number")


def _fail_chained(first: Token, second: Token) -> NoReturn:
    message = f"`{first.text}` and `{second.text}` stand in one chain, which could be read two ways"
    mend = f"write `(a {first.text} b) {second.text} c` or `a {first.text} (b {second.text} c)`"
    raise FormulaFault(second.offset, "E305", message, mend)


def _fail_operand(cursor: Cursor) -> NoReturn:
    """Describe the unexpected text where a formula should begin."""
    token = cursor.token
    message = f"a predicate, an operator or `(` is expected here, and {cursor.met()} was met"
    mend = "write a formula here, such as `once p`"
    if token.sort == "duration":
        mend = f"a window stands in brackets: `[{token.text}]`"
    elif cursor.is_sign("["):
        mend = "a window stands right behind its operator: `once[10m] p`"
    elif token.text in _PRECEDENCE:
        mend = f"write what stands on the left of `{token.text}`"
        if cursor.index and cursor.tokens[cursor.index - 1].text in OPERATOR_WORDS:
            mend = f"write something between it and `{cursor.tokens[cursor.index - 1].text}`"
    raise FormulaFault(token.offset, "E301", message, mend)


def _fail_behind(cursor: Cursor) -> NoReturn:
    """Describe the unexpected text where a connective or the end should be."""
    token = cursor.token
    before = cursor.tokens[cursor.index - 1].text if cursor.index else ""
    message = f"`and`, `or`, `implies`, ... or the end is expected here, and {cursor.met()} was met"
    mend = "join two formulas with `and`, `or`, `implies`, `iff` or `since`"
    if cursor.is_sign(")"):
        message, mend = "this `)` closes nothing", "take it away, or open it further left"
    elif cursor.is_sign("["):
        mend = "a window stands right behind its operator: `once[10m] p`, `count(p)[10m] <= 3`"
    elif cursor.is_sign("."):
        mend = (
            "formulas read no fields: ask for it in a predicate's `when`, or name it under `with` "
            "and write `p(name=x)`; an aggregate is `sum(p.amount)`"
        )
    elif cursor.is_sign("<", "<=", ">", ">=", "==", "!="):
        mend = "only variables, literals and aggregates are compared, not formulas"
    elif cursor.is_word("not", *_UNARY_TEMPORAL, "exists"):
        mend = f"write `and {token.text}`, `or {token.text}` or `implies {token.text}`"
    elif token.sort == "name":
        mend = _mend_of_names(before, token.text, cursor.following) or mend
    raise FormulaFault(token.offset, "E301", message, mend)


def _mend_of_names(before: str, word: str, behind: Token) -> str:
    """The probable meaning of a name after a formula: an operator, or one before it."""
    if word == "in" and behind.sort == "duration":
        return _MEANT_JOINS["within"]
    if word.lower() in _MEANT_JOINS:
        return _MEANT_JOINS[word.lower()]
    if len(word) > 1 and (near := nearest(word, _PRECEDENCE, 0.6)):
        return f"write `{near}`"
    if before in _MEANT_OPERATORS:
        return _MEANT_OPERATORS[before]
    near = nearest(before, _UNARY)
    return (
        f"write `{near}` for `{before}` if that is meant, or join the two with `and`"
        if near
        else ""
    )
