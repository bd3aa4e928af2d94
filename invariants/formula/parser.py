"""Formula text into a `Formula`, by the grammar of docs/language.md.

    formula    = implication [ "iff" implication ]
    implication= disjunct [ "implies" implication ]
    disjunct   = conjunct { "or" conjunct }
    conjunct   = interval { "and" interval }
    interval   = unary [ ("since" | "until") [ window ] unary ]
    unary      = "not" unary
               | word [ window ] unary          (* a word of `UNARY_OPERATORS` in `ast.py` *)
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
recurse, and both are counted. A literal beside an aggregate is moved to its right. Names and
binding are checked by `check/specs.py`.
"""

from __future__ import annotations

from typing import Final, NoReturn, cast

from ..model.errors import Fault, Place, SpecError
from .ast import (
    UNARY_OPERATORS,
    UNBOUNDED,
    Binary,
    Exists,
    Formula,
    Not,
    SessionEnd,
    Temporal,
    UnaryOperator,
    Until,
    Window,
)
from .cursor import COMPARISON_SIGNS, Cursor, Locate
from .leaves import parse_duration, parse_leaf, parse_window
from .meant import TWO_COMPARISONS, WINDOW, meant_by_names
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
    """The place of `text[offset]` if `text[0]` is at `place` and lines start at 1."""
    newlines = text.count("\n", 0, offset)
    if not newlines:
        return Place(place.line, place.column + offset)
    return Place(place.line + newlines, offset - text.rindex("\n", 0, offset))


_PRECEDENCE: Final = {"iff": 1, "implies": 2, "or": 3, "and": 4, "since": 5, "until": 5}
_NOT_CHAINED: Final = frozenset({1, 5})
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
        if cursor.is_word("not", *UNARY_OPERATORS):
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
        return Temporal(cast(UnaryOperator, operator.text), window, body, place), depth + 1

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
            message = "this bracket is not closed"
            raise FormulaFault(opening.offset, "E301", message, "add the missing `)`")
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
    message = f"`{first.text}` and `{second.text}` in one chain are ambiguous"
    mend = f"write `(a {first.text} b) {second.text} c` or `a {first.text} (b {second.text} c)`"
    raise FormulaFault(second.offset, "E305", message, mend)


def _fail_operand(cursor: Cursor) -> NoReturn:
    """Describe the unexpected text where a formula should begin."""
    token = cursor.token
    message = f"expected a predicate, an operator or `(`, but found {cursor.met()}"
    mend = "write a formula here, such as `once p`"
    if token.sort == "duration":
        mend = f"write a window in square brackets: `[{token.text}]`"
    elif cursor.is_sign("[") and cursor.following.text == "]":
        mend = "write `always` for `[]`"
    elif cursor.is_sign("["):
        mend = "a window follows its operator: `once[10m] p`"
    elif token.text in _PRECEDENCE:
        mend = f"write a formula before `{token.text}`"
        if cursor.before() in OPERATOR_WORDS:
            mend = f"write a formula between it and `{cursor.before()}`"
    raise FormulaFault(token.offset, "E301", message, mend)


def _fail_behind(cursor: Cursor) -> NoReturn:
    """Describe the unexpected text where a connective or the end should be."""
    token = cursor.token
    message = f"expected `and`, `or`, `implies`, ... or the end, but found {cursor.met()}"
    mend = "join two formulas with `and`, `or`, `implies`, `iff` or `since`"
    if cursor.is_sign(")"):
        message, mend = "this `)` has no opening `(`", "remove it, or add the missing `(`"
    elif cursor.is_sign("["):
        mend = WINDOW
    elif token.sort == "duration":
        mend = f"a window follows its operator in brackets: `once[{token.text}] p`"
    elif cursor.is_sign("."):
        mend = (
            "formulas cannot read fields: test it in a predicate's `when`, or declare it in `with` "
            "and write `p(name=x)`; an aggregate is `sum(p.amount)`"
        )
    elif cursor.is_sign("<", "<=", ">", ">=", "==", "!="):
        mend = "only variables, literals and aggregates can be compared"
        if cursor.before(2) in COMPARISON_SIGNS or cursor.before() == "]":
            mend = TWO_COMPARISONS
    elif cursor.is_word("not", *UNARY_OPERATORS, "exists"):
        mend = f"write `and {token.text}`, `or {token.text}` or `implies {token.text}`"
    elif token.sort == "name":
        mend = meant_by_names(cursor.before(), token.text, cursor.following) or mend
    raise FormulaFault(token.offset, "E301", message, mend)
