"""A mend that says what to write is written, and then its fault is gone.

Each golden file is read, each of its faults mended in turn, and the file read again. What cannot be
written by a machine (`choose another name`) is left to a reader.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from invariants.cel import foreign_signs, syntax_mends, type_mends, unknown_names
from invariants.check.specs import read_specs
from invariants.model.errors import Fault, SpecError
from monitor.authoring.field_faults import field_faults
from monitor.authoring.kind_faults import kind_faults
from tests.golden.test_diagnostics import BAD, GOOD, read_golden

# The first word in backticks behind it is written in the place of the fault.
_WRITTEN: Final = re.compile(r"^(?:write|did you mean) `([^`]+)`(?:$|\?|,| or|, unless)")
_MET: Final = re.compile(r"`((?:[^`]|``)+)`")
REPLACING: Final = frozenset(
    {"E101", "E102", "E103", "E108", "E110", "E204", "E208", "E213", "E215", "E301"}
    | {"E302", "E304", "E308", "E401", "E402", "E417", "E418", "W506"}
)
"""Codes whose mends take the place of what was met, as the message quotes it."""
MENDS_MIN: Final = 60


def _told(text: str) -> tuple[Fault, ...]:
    try:
        specs, warnings = read_specs([("x.yaml", text)])
    except SpecError as error:
        return error.faults
    return (*warnings, *kind_faults(specs), *field_faults(specs))


def _mended(text: str, fault: Fault) -> str | None:
    """The file with the mend written in the place of what was met; None if that is not at hand."""
    written = _WRITTEN.match(fault.mend)
    if written is None or fault.code not in REPLACING or "..." in written[1]:
        return None
    lines = text.split("\n")
    line = lines[fault.place.line - 1]
    column = fault.place.column - 1
    for met in sorted(_MET.findall(fault.message), key=len, reverse=True):
        start = column + 1 if line[column : column + 1] in "\"'" else column
        if line.startswith(met, start):
            word = written[1]
            behind = line[start + len(met) :]
            # `!p` becomes `not p`.
            space = " " if word[-1].isalnum() and behind[:1].isalnum() else ""
            lines[fault.place.line - 1] = line[:start] + word + space + behind
            return "\n".join(lines)
    return None


def _cases() -> Iterator[tuple[Path, Fault]]:
    for path in (*BAD, *GOOD):
        text = read_golden(path)
        for fault in _told(text):
            if _mended(text, fault) is not None:
                yield path, fault


CASES: Final = list(_cases())


def test_mends_are_found() -> None:
    """The mends that a machine can write are many: else the pattern reads them no more."""
    assert len(CASES) >= MENDS_MIN
    assert len({fault.code for _, fault in CASES}) >= 12


@pytest.mark.parametrize(
    ("path", "fault"), CASES, ids=lambda one: one.stem if isinstance(one, Path) else one.code
)
def test_a_mend_that_is_written_mends(path: Path, fault: Fault) -> None:
    """The fault is not told again at its place."""
    mended = _mended(read_golden(path), fault)
    assert mended is not None
    again = {(other.place, other.code, other.message) for other in _told(mended)}
    assert (fault.place, fault.code, fault.message) not in again


FILE: Final = """\
version: 1
lists:
  hosts: [a.example]
predicates:
  p: PREDICATE
  q:
    when: kind == "tool.failed"
    with: {v: args.v}
  r: kind == "message.user"
invariants:
  - id: x
    severity: warning
    STATED
  - {id: uses-all, severity: info, never: p and once q and once r}
"""
PREDICATE: Final = 'kind == "tool.requested"'
STATED: Final = "never: p and once q"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ('always: "count(p)[10 minutes] <= 3"', 'always: "count(p)[10m] <= 3"'),
        ("never: p and once[1.5h] q", "never: p and once[90m] q"),
        ("never: p and once[1h30m] q", "never: p and once[90m] q"),
        ("never: p and once[2w] q", "never: p and once[14d] q"),
        ("never: p and once[05s] q", "never: p and once[5s] q"),
        ("never: p && once q", "never: p and once q"),
        ("never: (p || r) & once q", "never: (p or r) and once q"),
        ("always: p => once q", "always: p implies once q"),
        ("always: '!p or once q'", "always: 'not p or once q'"),
        ("never: p /\\ once q", "never: p and once q"),
        ("always: p ==> once q", "always: p implies once q"),
        ("always: p → once q", "always: p implies once q"),
        ("never: p andnot q", "never: p and not q"),
        ("never: p AND once q", "never: p and once q"),
        ("always: count(q)[5m] => 3", "always: count(q)[5m] >= 3"),
        ("always: count(q)[5m] = 3", "always: count(q)[5m] == 3"),
        ("always: count(q)[5m] <> 3", "always: count(q)[5m] != 3"),
        ("never: q(v=*) and p", "never: q(v=_) and p"),
        ("never: p adn once q", "never: p and once q"),
        ("never: p and onec q", None),
        ("never: p but once q", "never: p and once q"),
        ("never: p and once q(v=true) and r == true", "never: p and once q(v=true) and r"),
        ("never: p and r == false", "never: p and not r"),
        ("never: p and r != false", "never: p and r"),
        ("never: p(x) and q", None),
        ("nevr: p", None),
        ("never: p and eventually[5m] q", "never: q and once[5m] p"),
        ("always: p implies not eventually[5m] q", "always: p implies always[5m] not q"),
        ("never: p and next q", "never: q and previous p"),
        ("never: p and r and eventually[5m] q(v=3)", "never: q(v=3) and once[5m] (p and r)"),
        ("never: q(v=x) and eventually q(v=x)", "never: q(v=x) and once q(v=x)"),
        ("never: p and always[5m] q", "always: p implies eventually[5m] not q"),
        ("always: p implies not always[5m] q", "always: p implies eventually[5m] not q"),
        ("never: eventually q", "never: q"),
        ("always: always (p or r)", "always: p or r"),
    ],
)
def test_formulas_are_mended_until_nothing_is_told(written: str, meant: str | None) -> None:
    """Whoever writes what each mend says ends with a file that says what was meant."""
    _follow(FILE.replace("PREDICATE", PREDICATE), written, meant, "STATED")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ('kind == "tool.request"', 'kind == "tool.requested"'),
        ('kind == "toolRequested"', 'kind == "tool.requested"'),
        ('kind in ["tool.requested", "tool.fail"]', 'kind in ["tool.requested", "tool.failed"]'),
        ('kind.startsWith("tools.")', 'kind.startsWith("tool.")'),
        ('knid == "tool.requested"', 'kind == "tool.requested"'),
        ('type == "tool.requested"', 'kind == "tool.requested"'),
        ('arg.path == "a"', 'args.path == "a"'),
        ('attribute.x == "a"', 'attributes.x == "a"'),
        ('arguments.path == "a"', 'args.path == "a"'),
        ('tool = "pay"', 'tool == "pay"'),
        ('tool == "pay" & has(args.x)', 'tool == "pay" && has(args.x)'),
        ('tool == "pay" and has(args.x)', 'tool == "pay" && has(args.x)'),
        ('tool == "pay" or has(args.x)', 'tool == "pay" || has(args.x)'),
        ('tool is "pay"', 'tool == "pay"'),
        ('tool.startswith("pay")', 'tool.startsWith("pay")'),
        ('tool === "pay"', 'tool == "pay"'),
        ('tool !== "pay"', 'tool != "pay"'),
        ('tool <> "pay"', 'tool != "pay"'),
        ('tool ! = "pay"', 'tool != "pay"'),
        ("number(args.n) =< 3", "number(args.n) <= 3"),
        ("number(args.n) ≥ 3", "number(args.n) >= 3"),
        ("number(args.n) at most 3", "number(args.n) <= 3"),
        ("number(args.n) is greater than 3", "number(args.n) > 3"),
        ("number(args.n) gt 3 AND has(args.x)", "number(args.n) > 3 && has(args.x)"),
        ('(tool == "a" Or tool == "b")', '(tool == "a" || tool == "b")'),
        ('has(args.x) ∧ ¬(tool == "pay")', 'has(args.x) && !(tool == "pay")'),
        ('tool is not "pay"', 'tool != "pay"'),
        ("tool does not equal 'pay'", "tool != 'pay'"),
        ("args.x is None", "args.x == null"),
        ("args.x == True", "args.x == true"),
        ("args.x is not FALSE", "args.x != false"),
        ("tool == “pay”", 'tool == "pay"'),
        ('$tool == "pay"', 'tool == "pay"'),
        ('${tool} == "pay"', 'tool == "pay"'),
        ("host(args.url) in @hosts", "host(args.url) in lists.hosts"),
        ("args.list.exists(x => x == 1)", "args.list.exists(x , x == 1)"),
        ('tool is in ["a", "b"]', 'tool in ["a", "b"]'),
        ("hots(args.url) in lists.hosts", "host(args.url) in lists.hosts"),
        ("host(args.url) in hosts", "host(args.url) in lists.hosts"),
        ("host(args.url) in lists.host", "host(args.url) in lists.hosts"),
    ],
)
def test_expressions_are_mended_until_nothing_is_told(written: str, meant: str) -> None:
    """The same of an expression."""
    _follow(FILE.replace("STATED", STATED), written, meant, "PREDICATE")


EXPRESSIONS_BY_HAND: Final = (
    ('not tool == "a"', '!(tool == "a")'),
    ('not (tool == "a")', '!(tool == "a")'),
    ('!tool == "a"', '!(tool == "a")'),
    ('tool not in ["a"]', '!(tool in ["a"])'),
    ('tool in ("a", "b")', 'tool in ["a", "b"]'),
    ('tool in "a", "b"', 'tool in ["a", "b"]'),
    ('tool in {"a", "b"}', 'tool in ["a", "b"]'),
    ('tool == "a', 'tool == "a"'),
    ("tool == 'it's'", 'tool == "it\'s"'),
    ('(tool == "a"', '(tool == "a")'),
    ('tool == "a")', 'tool == "a"'),
    ('tool in ["a"', 'tool in ["a"]'),
    ('tool == "a" &&', 'tool == "a"'),
    ('tool == "a" ? true', 'tool == "a" ? true : false'),
    ('true if tool == "a" else false', 'tool == "a" ? true : false'),
    ('args.in == "a"', 'args["in"] == "a"'),
    ('for == "a"', 'args.for == "a"'),
    ('args?.x == "a"', 'has(args.x) && args.x == "a"'),
    ('args.x ?? "" == ""', '(has(args.x) ? args.x : "") == ""'),
    ("1 < args.n < 3", "1 < args.n && args.n < 3"),
    ("args.n between 1 and 3", "args.n >= 1 && args.n <= 3"),
    ('tool like "pay%"', 'glob("pay*", tool)'),
    ("tool.matches(/^pay/)", 'tool.matches("^pay")'),
    ('tool == "a" || "b"', 'tool == "a" || tool == "b"'),
    ('tool == ["a", "b"]', 'tool in ["a", "b"]'),
    ('tool == ("a" || "b")', 'tool in ["a", "b"]'),
    ("exists(args.x)", "has(args.x)"),
    ("args.x not null", "args.x != null"),
    ('tool one of ["a", "b"]', 'tool in ["a", "b"]'),
    ('args->x == "a"', 'args.x == "a"'),
    ("args.list.exists(x | x == 1)", "args.list.exists(x, x == 1)"),
    ("args.list.exists(x: x == 1)", "args.list.exists(x, x == 1)"),
    ("args.list.any(lambda x: x == 1)", "args.list.exists(x, x == 1)"),
    ("args.list[*].x == 1", "args.list.exists(x, x.x == 1)"),
    ("time.hour > 8", "time.getHours() > 8"),
    ('startsWith(tool, "a")', 'tool.startsWith("a")'),
    ("args.x.isEmpty()", "size(args.x) == 0"),
    ('args.has("x")', "has(args.x)"),
    ("tool.length > 3", "size(tool) > 3"),
    ('tool.contains "a"', 'tool.contains("a")'),
    ("tool != null", "present(tool)"),
    ('seq > "3"', "seq > 3"),
    ("tool == 3", 'tool == "3"'),
    ('time > "2026-01-01T00:00:00Z"', 'time > timestamp("2026-01-01T00:00:00Z")'),
    ('tool == "a" -> has(args.x)', '!(tool == "a") || has(args.x)'),
    ('tool == "a" unless has(args.x)', 'tool == "a" && !(has(args.x))'),
)
"""Expressions with one fault, and what their correction says."""


@pytest.mark.parametrize(("written", "meant"), EXPRESSIONS_BY_HAND)
def test_a_correction_of_an_expression_is_valid(written: str, meant: str) -> None:
    """Each mistake has a correction, and the corrected expression has no fault."""
    file = FILE.replace("STATED", STATED)
    faults = _told(file.replace("PREDICATE", _block(written)))
    assert faults and all(fault.mend for fault in faults)
    assert not _told(file.replace("PREDICATE", _block(meant)))


def _block(expression: str) -> str:
    return f"|-\n    {expression}"


DIALECTS: Final = {
    "JavaScript": {"==": "===", "!=": "!=="},
    "Python": {"==": "is", "!=": "is not", "&&": "and", "||": "or"},
    "SQL": {"==": "=", "!=": "<>", "&&": "AND", "||": "OR"},
    "logic": {"!=": "≠", "<=": "≤", ">=": "≥", "&&": "∧", "||": "∨", "!(": "¬("},
    "English": {"==": "equals", "!=": "is not equal to", "<=": "is at most", ">=": "at least"},
}


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("seed", range(8))
def test_a_dialect_is_corrected_to_the_same_expression(dialect: str, seed: int) -> None:
    """An expression in the operators of another language becomes the one that was meant."""
    chance = random.Random(seed)
    parts = ['tool == "a"', "tool != 'b'", "number(args.n) <= 3", "number(args.n) >= 1"]
    parts += ['!(host(args.url) == "a.example")', '(tool == "c" || has(args.x))']
    meant = chance.choice(parts[:2])
    for part in chance.sample(parts, 3):
        meant += f" {chance.choice(['&&', '||'])} {part}"
    written = meant
    for ours, theirs in DIALECTS[dialect].items():
        written = written.replace(ours, theirs)
    text = FILE.replace("STATED", STATED).replace("PREDICATE", _block(written))
    for _ in range(20):
        fault = next((one for one in _told(text) if one.severity == "error"), None)
        if fault is None:
            break
        mended = _mended(text, fault)
        assert mended is not None, fault
        text = mended
    assert text == FILE.replace("STATED", STATED).replace("PREDICATE", _block(meant))


_SNIPPET: Final = re.compile(r"`([^`]+)`")
_SCHEMA: Final = re.compile(
    r"\.\.\.|\bcondition\b|\ba\b (?:implies|iff|xor|unless|&&)|\([ab]\)|its form"
)


def _snippets() -> Iterator[str]:
    """What the corrections of expressions show as code, without operators and forms."""
    tables = (
        *(mend for _, mend in syntax_mends._PHRASES),
        *syntax_mends._LEADING.values(),
        *syntax_mends._RESERVED.values(),
        *foreign_signs._MENDS.values(),
        *unknown_names.MEANT_FUNCTIONS.values(),
        *type_mends._CALLS.values(),
        *(fault.mend for path in BAD for fault in _told(read_golden(path)) if "E1" in fault.code),
    )
    for mend in tables:
        for snippet in _SNIPPET.findall(mend):
            is_code = re.search(r"\w", snippet) and re.search(r"[(\"\[]|\w \w", snippet)
            if is_code and not _SCHEMA.search(mend):
                yield snippet


@pytest.mark.parametrize("snippet", sorted(set(_snippets())))
def test_code_in_a_correction_is_valid(snippet: str) -> None:
    """An example in a correction is an expression or a formula without a fault itself."""
    file = FILE.replace("STATED", STATED)
    as_predicate = (f"dyn({snippet}) == 1", f"dyn(tool {snippet}) == 1", f"dyn(args{snippet}) == 1")
    texts = [file.replace("PREDICATE", _block(one)) for one in as_predicate]
    texts.append(FILE.replace("PREDICATE", PREDICATE).replace("STATED", f"never: '{snippet} > 1'"))
    texts.append(FILE.replace("PREDICATE", PREDICATE).replace("STATED", f"never: '{snippet}'"))
    codes = [{fault.code for fault in _told(text) if fault.severity == "error"} for text in texts]
    assert not all(codes), codes


# What a mend says in words, in each way that it names, written by hand.
BY_HAND: Final = (
    ("never: p and once q(v=x)", "E406", "never: p and once q(v=_)"),
    ("never: p and once q(v=x)", "E406", "never: q(v=x) and once q(v=x)"),
    ("always: q(v=x)", "E406", "always: q(v=_)"),
    ("never: p or q(v=x)", "E406", "never: p or q(v=_)"),
    ("never: p and x > 3", "E406", "never: q(v=x) and x > 3"),
    ("always: count(q(v=x))[5m] >= 1", "E406", "always: q(v=x) implies count(q(v=x))[5m] >= 1"),
    ("never: count(q(v=x))[5m] < 1", "E406", "never: q(v=x) and count(q(v=x))[5m] < 1"),
    ("never: p and count(r)[5m] > x", "E406", "never: q(v=x) and count(r)[5m] > x"),
    ("always: count(r)[5m] < x", "E406", "always: q(v=x) implies count(r)[5m] < x"),
    ("never: q(v=x) and once not q(v=x)", "E407", "never: q(v=x) and not once q(v=x)"),
    ("never: q(v=x) and once not q(v=x)", "E407", "never: q(v=x) and once not q(v=_)"),
    ("never: q(v=x) and once once q(v=x)", "E407", "never: q(v=x) and once[5m] q(v=x)"),
    ("always: q(v=x) implies historically q(v=x)", "E407", "always: q(v=x) implies historically q"),
    (
        "always: q(v=x) implies historically q(v=x)",
        "E407",
        "always: q(v=x) implies not once q(v=x)",
    ),
    (
        "always: q(v=x) implies always[5m] q(v=x)",
        "E407",
        "always: q(v=x) implies always[5m] not q(v=x)",
    ),
    (
        "never: q(v=x) and (p since (p or q(v=x)))",
        "E407",
        "never: q(v=x) and (p since (q(v=x) and (p or q(v=x))))",
    ),
    ("never: p and exists x (p or q(v=x))", "E407", "never: p and exists x (q(v=x))"),
    (
        "always: q(v=x) implies ((not q(v=y)) since q(v=x))",
        "E408",
        "always: q(v=x) implies ((not q(v=_)) since q(v=x))",
    ),
    (
        "never: q(v=x) and ((x == 3) since q(v=x))",
        "E408",
        "never: q(v=x) and (x == 3) and once q(v=x)",
    ),
    (
        "never: q(v=x) and ((once q(v=x)) since q(v=x))",
        "E408",
        "never: q(v=x) and ((once q(v=_)) since q(v=x))",
    ),
    (
        "never: q(v=x) and ((count(q(v=x))[5m] > 2) since q(v=x))",
        "E408",
        "never: q(v=x) and ((count(q)[5m] > 2) since q(v=x))",
    ),
    ("never: q(v=x) and once (q(v=y) and y < x)", "E409", None),
    ("never: q(v=x) and x < true", "E410", "never: q(v=x) and x == true"),
    ("never: p implies q", "W501", "always: p implies q"),
    ("never: p implies q", "W501", "never: p and q"),
    ("never: q(v=x) and p", "W504", "never: q(v=_) and p"),
    ("never: p and x == 3", "W504", "never: q(v=x) and x == 3"),
    ("never: p since r since q", "E305", "never: (p since r) since q"),
    ("never: p since r since q", "E305", "never: p since (r since q)"),
    ("never: sum(q)[5m] > 3", "E307", "never: sum(q.v)[5m] > 3"),
    ("never: count(q.v)[5m] > 3", "E307", "never: distinct(q.v)[5m] > 3"),
    ("never: count(q)[5m]", "E307", "never: count(q)[5m] <= 3"),
    ("never: q(x)", "E303", "never: q(v=x) and once q(v=x)"),
    ("never: q(v < 3)", "E303", "never: q(v=x) and x < 3"),
    ("never: q(v=1, v=2)", "E311", "never: q(v=1) and q(v=2)"),
    ('never: q(v="")', "E308", "never: q"),
    ("never: p and O q", "E301", "never: p and once q"),
    ("never: p and O(q)", "E303", "never: p and once (q)"),
    ("always: p W q", "E301", "always: p or once q"),
    ("never: p preceded by q", "E301", "never: p and once q"),
    ("never: p followed by q", "E301", "never: q and once p"),
    ("never: p and previously q", "E301", "never: p and once q"),
    ("never: p != r", "E418", "never: not (p iff r)"),
    ("never: p == r", "E418", "never: p iff r"),
    ("never: COUNT(q)[5m] > 3", "E303", "never: count(q)[5m] > 3"),
    ("never: mean(q)[5m] > 3", "E303", "never: avg(q.v)[5m] > 3"),
    ("never: 1 < count(q)[5m] < 3", "E301", "never: count(q)[5m] > 1 and count(q)[5m] < 3"),
    ("never: p more than 3 times", "E301", "never: count(p)[10m] > 3"),
    ("never: p and once[<5m] q", "E304", "never: p and once[5m] q"),
    ("never: p and once[inf] q", "E304", "never: p and once q"),
    ("never: p once q", "E301", "never: p and once q"),
    ("never: p [5m] q", "E301", "never: p and once[5m] q"),
    ("never: once 5m p", "E301", "never: once[5m] p"),
    ("never: count(p, 5m) > 3", "E301", "never: count(p)[5m] > 3"),
    ("never: p and q > 3", "E418", "never: q(v=x) and x > 3"),
    ("never: p and tool == x", "E418", "never: q(v=x) and x == 3"),
)


@pytest.mark.parametrize(("written", "code", "meant"), BY_HAND)
def test_what_a_mend_says_in_words_is_taken(written: str, code: str, meant: str | None) -> None:
    """Each way out that a mend names leads out: what it says is a formula without a fault."""
    file = FILE.replace("PREDICATE", PREDICATE)
    faults = _told(file.replace("STATED", _quoted(written)))
    assert code in {fault.code for fault in faults}
    if meant is not None:
        left = _told(file.replace("STATED", _quoted(meant)))
        assert [fault for fault in left if fault.severity == "error" or fault.code == code] == []


def _quoted(stated: str) -> str:
    form, formula = stated.split(": ", 1)
    return f"{form}: '{formula}'"


def _follow(file: str, written: str, meant: str | None, key: str) -> None:
    text = file.replace(key, written)
    for _ in range(5):
        # `previous` and `next` are warned of wherever they stand.
        faults = [fault for fault in _told(text) if fault.code != "W503"]
        if not faults:
            break
        whole = re.match(r"write `((?:never|always): [^`]+)`$", faults[0].mend)
        mended = file.replace(key, whole[1]) if whole else _mended(text, faults[0])
        if mended is None:
            assert meant is None, faults[0]
            return
        text = mended
    assert meant is not None
    assert text == file.replace(key, meant)


def test_no_mend_is_the_opposite() -> None:
    """What only adds or drops a negation is not what was misspelt."""
    text = FILE.replace("PREDICATE", PREDICATE).replace("  r: ", "  unapproved: kind == 'a'\n  r: ")
    (fault, *_) = _told(text.replace("STATED", "never: approved"))
    assert fault.code == "E401"
    assert "did you mean" not in fault.mend
    for join in ("xor", "nor", "nand", "unless", "without", "andnot", "ornot", "more", "for"):
        (fault, *_) = _told(text.replace("STATED", f"never: p {join} q"))
        assert not re.match("write `(or|and)`$", fault.mend), join
    (fault, *_) = _told(text.replace("STATED", "never: count(q(v=x))[5m] < 2"))
    assert (fault.code, "implies" in fault.mend) == ("E406", False)
