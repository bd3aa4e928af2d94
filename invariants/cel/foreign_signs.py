"""Signs of other languages in an expression, with their corrections.

Input: a text and a position at which no token of CEL begins, or at which a foreign operator begins
like one of CEL (`===`, `=>`, `**`). Output: the sign and its correction. Texts that are valid CEL
are never matched: `a<-1`, `--a` and `a?.5:b` are.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

IMPLIES: Final = "`a implies b` is `!(a) || b`"
CHOICE: Final = "a choice is written `condition ? value : other`"
_EQUIVALENT: Final = "`a iff b` is `(a) == (b)`"
_ASSIGNS: Final = "expressions only compare; events are counted in formulas, as in `count(p)[10m]`"
_MATCHES: Final = 'write `tool.matches("^pay")`'
_MATCHES_NOT: Final = 'write `!tool.matches("^pay")`'
_DEFAULT: Final = 'a default is written `has(args.x) ? args.x : ""`'
_POWER: Final = "there is no power: write a product; for exclusive or, `(a) != (b)`"

_OPERATORS: Final = re.compile(
    r"<->|<=>|[!=]==|[<>]==|=>|->|<>|=<|=~|!~\*?|~[=*]?|\*\*|\+\+|(?:\+|-|\*|/|%|\|\||&&)=(?!=)"
    r"|:=|\?\?|/\*|\?:|[=!<>][ \t]+=(?!=)|&[ \t]+&|\|[ \t]+\|"
    r"|=(?!=)|&(?!&)|\|(?!\|)|[\^;#≠≤≥∧∨¬∈∉→⇒↔⇔−–×]"
)
_MENDS: Final = {
    "<->": _EQUIVALENT,
    "<=>": _EQUIVALENT,
    "↔": _EQUIVALENT,
    "⇔": _EQUIVALENT,
    "===": "write `==`",
    "!==": "write `!=`",
    ">==": "write `>=`",
    "<==": "write `<=`",
    "=>": f"`at least` is `>=`, and {IMPLIES}",
    "->": IMPLIES,
    "→": IMPLIES,
    "⇒": IMPLIES,
    "<>": "write `!=`",
    "=<": "write `<=`",
    "=~": _MATCHES,
    "~": _MATCHES,
    "~*": _MATCHES,
    "!~": _MATCHES_NOT,
    "!~*": _MATCHES_NOT,
    "~=": '`!=` compares, and `tool.matches("^pay")` tests a pattern',
    "**": _POWER,
    "^": _POWER,
    "++": _ASSIGNS,
    ":=": "write `==`",
    "??": _DEFAULT,
    "?:": _DEFAULT,
    "/*": "a comment begins with `//`",
    "#": "a comment begins with `//`",
    ";": "write `&&` between two conditions, and drop the last `;`",
    "=": "write `==`",
    "==": "write `==`",
    "!=": "write `!=`",
    ">=": "write `>=`",
    "<=": "write `<=`",
    "&": "write `&&`",
    "&&": "write `&&`",
    "|": "write `||`",
    "||": "write `||`",
    "≠": "write `!=`",
    "≤": "write `<=`",
    "≥": "write `>=`",
    "∧": "write `&&`",
    "∨": "write `||`",
    "¬": "write `!`",
    "∈": "write `in`",
    "∉": 'write `!(tool in ["a", "b"])`',
    "−": "write `-`",
    "–": "write `-`",
    "×": "write `*`",
}
_LAMBDA: Final = re.compile(r"\([ \t]*[A-Za-z_]\w*[ \t]*\Z")
_MAP: Final = re.compile(r"\b(?:args|attributes|result|lists)\Z")
_CURLED: Final = re.compile(r"[“”„«‘’‚]([^“”„»‘’\"\\\n]*)[“”»‘’]")
_VARIABLE: Final = re.compile(r"\$\{([A-Za-z_][\w.]*)\}|[$@]([A-Za-z_][\w.]*)")


class Foreign(NamedTuple):
    """A sign as it is written in the text, and its correction."""

    sign: str
    mend: str


def foreign_operator(source: str, position: int) -> Foreign | None:
    """The operator of another language that begins at `position`."""
    met = _OPERATORS.match(source, position)
    if met is None:
        return None
    sign = "".join(met[0].split())
    if sign == "->" and _MAP.search(source, 0, position):
        return Foreign(met[0], "write `.`")
    if sign in ("=>", "->", "|") and _LAMBDA.search(source, 0, position):
        return Foreign(met[0], "write `,`, as in `args.list.exists(x, x == 1)`")
    return Foreign(met[0], _MENDS.get(sign, _ASSIGNS))


def foreign_character(source: str, position: int) -> Foreign:
    """The text at `position`, where nothing of CEL begins."""
    if curled := _CURLED.match(source, position):
        return Foreign(curled[0], f'write `"{curled[1]}"`')
    if variable := _VARIABLE.match(source, position):
        return Foreign(variable[0], f"write `{variable[1] or variable[2]}`")
    sign = source[position]
    if sign in "$@":
        return Foreign(sign, f"drop the `{sign}`")
    if sign == "\\":
        return Foreign(sign, "drop the backslash outside of texts")
    return Foreign(sign, "write names in ASCII letters, and other characters within quotes")
