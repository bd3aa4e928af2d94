"""The canonical form of an invariant file: what it changes, and what it never does."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from invariants.formula.format import format_lines
from invariants.formula.parser import parse_formula
from invariants.model.errors import SpecError
from invariants.spec.format import rewrite
from invariants.spec.load import load_spec
from tests.unit.test_formula_format import formulas

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted(
    [*ROOT.glob("invariants/packs/*.yaml"), *ROOT.glob("fixtures/invariants/*.yaml")],
    key=lambda path: path.name,
)

HEAD = """version: 1
predicates:
  p:
    when: kind == "a"
    with:
      v: args.v
  q: kind == "b"
"""
FRAME = (
    HEAD
    + """invariants:
  - id: a
    severity: info
    STATED
"""
)


def _stated(stated: str) -> str:
    """The canonical form of the line or lines that state an invariant."""
    result = rewrite(FRAME.replace("STATED", stated), "a.yaml")
    assert result.is_same
    assert rewrite(result.text, "a.yaml").text == result.text
    head = FRAME[: FRAME.index("STATED")]
    assert result.text.startswith(head)
    return result.text.removeprefix(head).rstrip("\n")


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("never: q", "never: q"),
        ("never:   ((q) and (q))", "never: q and q"),
        ("never: 'q'", "never: q"),
        ('never: "q"', "never: q"),
        ("never: >-\n      q and\n      once[60s] q", "never: q and once[1m] q"),
        ("never: |\n      q and\n      once[60s] q", "never: q and once[1m] q"),
        ("never:\n      q\n      and q", "never: q and q"),
        ("never: q and q # why", "never: q and q # why"),
        ("never: (q)   # why", "never: q   # why"),
        ("never: >- # why\n      q", "never: q # why"),
        ("never:\n      # why\n      (q)", "never:\n      # why\n      q"),
        ('never: >-\n      p(v="a: b")', 'never: >-\n      p(v="a: b")'),
        ("never: 'p(v=\"a: b\")'", 'never: >-\n      p(v="a: b")'),
        ("never: 'p(v=\"a #b\")' # why", 'never: >- # why\n      p(v="a #b")'),
        ("never: '\"x\" == x and p(v=x)'", 'never: >-\n      "x" == x and p(v=x)'),
        ("never: 'p(v=\"\\u202e\")'", 'never: p(v="\\u202e")'),
        ("never: p(v=1.50) or 3 < count(q)", "never: p(v=1.5) or count(q) > 3"),
        ("always: q implies (not q) since q", "always: q implies ((not q) since q)"),
        ("never: q and q or q", "never: (q and q) or q"),
        ("pattern: {forbidden: {event: (q)}}", "pattern: {forbidden: {event: q}}"),
        (
            "pattern: {responds: {trigger: q, response: 'p(v=x,v=y)', within: 90000ms}}",
            None,
        ),
        (
            'pattern: {responds: {trigger: q, response: "once p(v=_)", within: 90000ms}}',
            "pattern: {responds: {trigger: q, response: once p(v=_), within: 90s}}",
        ),
        (
            "pattern: {never_after: {action: q, trigger: 'once[60s] q'}}",
            "pattern: {never_after: {action: q, trigger: 'once[1m] q'}}",
        ),
        (
            "pattern:\n      ordered:\n      - (q)\n      -   'q'\n",
            "pattern:\n      ordered:\n      - q\n      -   q",
        ),
        ("? never\n    : (q)", "? never\n    : q"),
    ],
)
def test_what_becomes_of_a_formula(written: str, canonical: str | None) -> None:
    """One line where it fits and YAML reads it whole; comments stay; windows are whole units."""
    if canonical is None:
        with pytest.raises(SpecError):
            _stated(written)
    else:
        assert _stated(written) == canonical


def test_a_long_formula_is_broken_before_its_operators() -> None:
    """The loosest operators begin lines, and what lies deeper is indented."""
    long = " and ".join(f"once[{n}m] p(v={n})" for n in range(1, 9))
    told = _stated(f"never: q and not ({long}) # why")
    assert told.splitlines()[:4] == [
        "never: >- # why",
        "      q",
        "      and not (once[1m] p(v=1)",
        "            and once[2m] p(v=2)",
    ]
    assert told.endswith("and once[8m] p(v=8))")


@given(formulas, st.integers(1, 120))
def test_lines_say_the_same(formula: object, width: int) -> None:
    """parse(format_lines(f)) == f, however narrow."""
    lines = format_lines(formula, width)  # type: ignore[arg-type]
    assert parse_formula("\n".join(lines)) == formula
    assert not lines[0].startswith(" ")


@given(formulas, st.sampled_from(["never: >-\n      F", "pattern: {forbidden: {event: F}}"]))
def test_any_formula_in_any_style_survives(formula: object, frame: str) -> None:
    """A file with any formula loads as the same file afterwards, and stays as it is."""
    text = " ".join(format_lines(formula, 10_000))  # type: ignore[arg-type]
    is_flow = "{" in frame
    quoted = "'" + text.replace("'", "''") + "'"
    stated = frame.replace("F", quoted if is_flow else text)
    given_text = FRAME.replace("STATED", stated)
    if load_spec(given_text, "a.yaml")[0] is None:
        return  # Text that YAML itself takes no more, such as half a line of controls.
    result = rewrite(given_text, "a.yaml")
    assert result.is_same
    assert rewrite(result.text, "a.yaml").text == result.text


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_our_own_files_survive(path: Path) -> None:
    """They are in the form; and written loosely they come back to it, comments and all."""
    text = path.read_text()
    assert rewrite(text, path.name).text == text
    loose = text.replace("\n    never: ", "\n    never:   ").replace("\n", "  \n\n\n", 1)
    result = rewrite(loose.replace("\n", "\r\n"), path.name)
    assert result.is_same
    assert result.text == text.replace("\n", "\n\n", 1).replace("\n\n\n", "\n\n")


WHITE = (
    "version: 1   \r\n\r\n\r\n\r\npredicates:\r\n  q: kind == 'b'  # why \r\ninvariants:\r\n"
    + (
        "  - id: a\r\n    severity: info\r\n    summary: |\r\n      two  \r\n\r\n\r\n"
        "      lines\r\n\r\n\r\n    never: q"
    )
)


def test_white_space_is_tidied_outside_values_only() -> None:
    """Line ends are `\\n`, blank lines come one at a time, and a text keeps what it holds."""
    result = rewrite("\ufeff\n\n" + WHITE + "\n\n\n", "a.yaml")
    assert result.is_same
    assert result.text == (
        "version: 1\n\npredicates:\n  q: kind == 'b'  # why\ninvariants:\n"
        "  - id: a\n    severity: info\n    summary: |\n      two  \n\n\n      lines\n\n"
        "    never: q\n"
    )


@pytest.mark.parametrize("header", ["|", "|-", "|+", ">", ">-", ">+"])
@pytest.mark.parametrize("end", ["", "\n", "\n\n\n", "\n \n\n"])
def test_a_block_at_the_end_keeps_its_meaning(header: str, end: str) -> None:
    """How many line breaks end a text may be part of it."""
    text = (
        HEAD + "invariants:\n  - never: q\n    id: a\n    severity: info\n"
        f"    summary: {header}\n      some  \n      text{end}"
    )
    result = rewrite(text, "a.yaml")
    assert result.is_same
    assert rewrite(result.text, "a.yaml").text == result.text


def test_a_faulty_file_is_told() -> None:
    """Nothing is made of a file that does not load."""
    with pytest.raises(SpecError, match="E301"):
        rewrite(FRAME.replace("STATED", "never: q and"), "a.yaml")
