r"""CEL text -> nodes, by recursive descent along the grammar of CEL's specification.

    Expr        = Or ["?" Or ":" Expr]
    Or          = And {"||" And}
    And         = Relation {"&&" Relation}
    Relation    = Sum {("<" | "<=" | ">=" | ">" | "==" | "!=" | "in") Sum}
    Sum         = Product {("+" | "-") Product}
    Product     = Unary {("*" | "/" | "%") Unary}
    Unary       = Member | "!" {"!"} Member | "-" {"-"} Member
    Member      = Primary {"." NAME ["(" [Exprs] ")"] | "[" Expr "]"}
    Primary     = ["."] NAME ["(" [Exprs] ")"] | "(" Expr ")" | "[" [Exprs] [","] "]"
                | "{" [Expr ":" Expr {"," Expr ":" Expr}] [","] "}" | ["-"] NUMBER | LITERAL

Macros become nodes of their own. Left out, and refused by name: bytes, uints, messages, optional
values. Raises `SyntaxFault` at the first fault; bounds: `SOURCE_LENGTH_MAX`, `DEPTH_MAX`.
"""

from __future__ import annotations

from typing import Final, Literal, cast

from ..model.errors import Place
from ..model.source_text import SourceText
from .ast import (
    MACROS,
    QUALIFIED,
    RELATIONS,
    Arithmetic,
    Calculation,
    Call,
    Comparison,
    Comprehension,
    Conditional,
    Constant,
    Has,
    Index,
    ListOf,
    Logical,
    Macro,
    MapOf,
    Name,
    Node,
    Relation,
    Select,
    Unary,
    children,
)
from .lexer import LITERAL_WORDS, RESERVED, Places, SyntaxFault, Token, checked_int, tokens
from .syntax_mends import (
    INNER_CHOICE,
    MAP,
    mend_of_choice,
    mend_of_key,
    mend_of_leading,
    mend_of_missing_value,
    mend_of_reserved,
    met_behind,
    shown,
)

SOURCE_LENGTH_MAX: Final = 10_000  # Source: the brief of the language, characters of a `when`.
DEPTH_MAX: Final = 50  # Source: likewise, nodes on the way from the root to a leaf.


def parse(source: SourceText, *, explains: bool = True) -> Node:
    """The expression that `source` is, each node with its place in the file.

    Without `explains` a fault says only where it is: for a text that may well be none.
    """
    if len(source.text) > SOURCE_LENGTH_MAX:
        message = (
            f"an expression of {len(source.text)} characters; the maximum is {SOURCE_LENGTH_MAX}"
        )
        raise SyntaxFault(0, message, "split it into several predicates", "E107")
    parser = _Parser(source, explains=explains)
    node = parser.expression()
    parser.expect_end()
    if _depth(node) > DEPTH_MAX:
        raise _too_deep(0)
    return node


def _too_deep(offset: int) -> SyntaxFault:
    message = f"an expression nested more than {DEPTH_MAX} deep"
    return SyntaxFault(offset, message, "split it into several predicates", "E107")


def _depth(root: Node) -> int:
    """Length of the longest way to a leaf; without recursion, since a sum may be long."""
    deepest, pending = 0, [(root, 1)]
    while pending:
        node, depth = pending.pop()
        deepest = max(deepest, depth)
        pending.extend((child, depth + 1) for child in children(node))
    return deepest


class _Parser:
    """A position in the tokens of one expression."""

    def __init__(self, source: SourceText, *, explains: bool) -> None:
        self._explains = explains
        self._places = Places(source)
        self._text = source.text
        self._tokens = tokens(source.text)
        self._index = 0
        self._depth = 0

    @property
    def _token(self) -> Token:
        return self._tokens[self._index]

    def _place(self) -> Place:
        return self._places.at(self._token.offset)

    def _advance(self) -> Token:
        token = self._token
        self._index += 1
        return token

    def _accept(self, *signs: str) -> str | None:
        if self._token.kind == "sign" and self._token.value in signs:
            return str(self._advance().value)
        return None

    def _expect(self, sign: str) -> None:
        if not self._accept(sign):
            raise self._behind(f"`{sign}`", sign)

    def _behind(self, expected: str, closing: str) -> SyntaxFault:
        """A token that cannot follow a whole expression."""
        if not self._explains:
            return SyntaxFault(self._token.offset, expected)
        met = met_behind(self._text, self._tokens, self._index, closing)
        return self._unexpected(expected, met.words, met.mend)

    def _unexpected(self, expected: str, met: str, mend: str) -> SyntaxFault:
        found = f"found `{met}`" if met else "the expression ends"
        return SyntaxFault(self._token.offset, f"expected {expected}, but {found}", mend)

    def _no_value(self) -> SyntaxFault:
        mend = mend_of_missing_value(self._tokens, self._index)
        return self._unexpected("a value", shown(self._text, self._token), mend)

    def _no_choice(self) -> SyntaxFault:
        if self._token.value == "?":
            return self._unexpected("`:`", "?", INNER_CHOICE)
        if self._token.kind == "end":
            mend = mend_of_choice(self._text, self._token.offset)
            return self._unexpected("`:`", "", mend)
        return self._behind("`:`", "")

    def expect_end(self) -> None:
        if self._token.kind != "end":
            raise self._behind("an operator or the end", "")

    def expression(self) -> Node:
        self._depth += 1
        # Every bracket passes here, and costs about ten frames of Python's stack.
        if self._depth > DEPTH_MAX:
            raise _too_deep(self._token.offset)
        place = self._place()
        node = self._logical("||")
        if self._accept("?"):
            chosen = self._logical("||")
            if not self._accept(":"):
                raise self._no_choice()
            node = Conditional(node, chosen, self.expression(), place)
        self._depth -= 1
        return node

    def _logical(self, operator: Literal["||", "&&"]) -> Node:
        place = self._place()
        operands = [self._logical("&&") if operator == "||" else self._relation()]
        while self._accept(operator):
            operands.append(self._logical("&&") if operator == "||" else self._relation())
        return operands[0] if len(operands) == 1 else Logical(operator, tuple(operands), place)

    def _relation(self) -> Node:
        node = self._calculation(("+", "-"))
        while True:
            place, token = self._place(), self._token
            is_operator = token.kind == "sign" or (token.kind == "name" and token.value == "in")
            if not is_operator or token.value not in RELATIONS:
                return node
            self._advance()
            right = self._calculation(("+", "-"))
            node = Comparison(cast(Relation, token.value), node, right, place)

    def _calculation(self, operators: tuple[str, ...]) -> Node:
        is_sum = "+" in operators
        below = ("*", "/", "%")
        node = self._calculation(below) if is_sum else self._unary()
        while True:
            place = self._place()
            operator = self._accept(*operators)
            if operator is None:
                return node
            right = self._calculation(below) if is_sum else self._unary()
            node = Calculation(cast(Arithmetic, operator), node, right, place)

    def _unary(self) -> Node:
        """`!` or `-`, repeated; the last minus before a number belongs to the number."""
        if self._token.kind != "sign" or self._token.value not in ("!", "-"):
            return self._member()
        sign = cast(Literal["!", "-"], self._token.value)
        places: list[Place] = []
        while not self._is_negative_number():
            place = self._place()
            if not self._accept(sign):
                break
            places.append(place)
            if len(places) > DEPTH_MAX:
                raise _too_deep(self._token.offset)
        node = self._member()
        for place in reversed(places):
            node = Unary(sign, node, place)
        return node

    def _is_negative_number(self) -> bool:
        following = self._tokens[min(self._index + 1, len(self._tokens) - 1)]
        is_minus = self._token.kind == "sign" and self._token.value == "-"
        return is_minus and following.kind in ("int", "double")

    def _member(self) -> Node:
        node = self._primary()
        while True:
            place = self._place()
            if self._accept("."):
                node = self._selection(node, place)
            elif self._accept("["):
                node = Index(node, self.expression(), place)
                self._expect("]")
            else:
                return node

    def _selection(self, operand: Node, place: Place) -> Node:
        token = self._advance()
        is_word = token.kind == "name" and token.value not in (*LITERAL_WORDS, "in")
        if token.kind != "quoted" and not is_word:
            raise SyntaxFault(token.offset, "expected a name after `.`", mend_of_key(token))
        if token.kind == "name" and self._accept("("):
            return self._method(operand, token, place)
        word = str(token.value)
        if isinstance(operand, Name) and is_word and f"{operand.name}.{word}" in QUALIFIED:
            return Name(f"{operand.name}.{word}", operand.place)
        return Select(operand, word, place)

    def _method(self, receiver: Node, name: Token, place: Place) -> Node:
        arguments = self._arguments(")")
        if name.value in MACROS:
            return self._macro(receiver, name, arguments, place)
        return Call(str(name.value), True, (receiver, *arguments), self._places.at(name.offset))

    def _macro(self, source: Node, name: Token, arguments: tuple[Node, ...], at: Place) -> Node:
        most = 3 if name.value == "map" else 2
        if not 2 <= len(arguments) <= most:
            message = f"`{name.value}` takes a variable and an expression"
            raise SyntaxFault(name.offset, message, f"write .{name.value}(x, ...)", "E103")
        variable, body, *rest = arguments
        if not isinstance(variable, Name):
            message = f"the first argument of `{name.value}` is a name"
            raise SyntaxFault(name.offset, message, f"write .{name.value}(x, ...)", "E103")
        transform = rest[0] if rest else None
        macro = cast(Macro, name.value)
        return Comprehension(macro, source, variable.name, body, transform, at)

    def _arguments(self, closing: str) -> tuple[Node, ...]:
        """Expressions up to `closing`; in a list a comma may follow the last."""
        arguments: list[Node] = []
        while not self._accept(closing):
            if arguments:
                if not self._accept(","):
                    raise self._behind(f"`,` or `{closing}`", closing)
                if closing == "]" and self._accept(closing):
                    break
            arguments.append(self.expression())
        return tuple(arguments)

    def _primary(self) -> Node:
        place, token = self._place(), self._token
        if token.kind == "sign":
            return self._bracketed(place)
        self._advance()
        if token.kind == "int":
            return Constant(checked_int(token.value, token.offset), place)
        if token.kind in ("double", "string"):
            return Constant(token.value, place)
        if token.kind == "name":
            return self._named(token, place)
        self._index -= 1
        raise self._no_value()

    def _bracketed(self, place: Place) -> Node:
        if self._is_negative_number():
            self._advance()
            number = self._advance()
            value = -number.value
            is_int = number.kind == "int"
            return Constant(checked_int(value, number.offset) if is_int else value, place)
        if self._accept("("):
            node = self.expression()
            self._expect(")")
            return node
        if self._accept("["):
            return ListOf(self._arguments("]"), place)
        if self._accept("{"):
            return MapOf(self._entries(), place)
        self._accept(".")
        if self._token.kind == "name":
            return self._named(self._advance(), place)
        raise self._no_value()

    def _entries(self) -> tuple[tuple[Node, Node], ...]:
        entries: list[tuple[Node, Node]] = []
        while not self._accept("}"):
            if entries:
                if not self._accept(","):
                    raise self._behind("`,` or `}`", "}")
                if self._accept("}"):
                    break
            key = self.expression()
            if not self._accept(":"):
                raise self._unexpected("`:`", shown(self._text, self._token), MAP)
            entries.append((key, self.expression()))
        return tuple(entries)

    def _named(self, token: Token, place: Place) -> Node:
        word = str(token.value)
        if word in LITERAL_WORDS:
            return Constant(LITERAL_WORDS[word], place)
        if word == "in":
            message = "expected a value before `in`"
            raise SyntaxFault(token.offset, message, 'write one, as in `tool in ["a", "b"]`')
        if word in RESERVED:
            message = f"`{word}` is a reserved word of CEL"
            raise SyntaxFault(token.offset, message, mend_of_reserved(word, self._token))
        if mend := mend_of_leading(word, self._token):
            raise SyntaxFault(token.offset, f"`{word}` is not valid CEL here", mend)
        if self._accept("("):
            return self._call(token, place)
        if self._token.kind == "sign" and self._token.value == "{":
            message = "messages are not supported, and events contain none"
            raise SyntaxFault(self._token.offset, message, 'write a map, as in `{"key": 1}`')
        return Name(word, place)

    def _call(self, name: Token, place: Place) -> Node:
        arguments = self._arguments(")")
        if name.value != "has":
            return Call(str(name.value), False, arguments, place)
        if len(arguments) != 1 or not isinstance(arguments[0], Select):
            first = arguments[0] if arguments else None
            mend = "write has(args.x)"
            if isinstance(first, Name) and first.name in QUALIFIED:
                mend = f"write present({first.name})"
            message = "`has` takes one field, not any value"
            raise SyntaxFault(name.offset, message, mend, "E103")
        return Has(arguments[0].operand, arguments[0].key, place)
