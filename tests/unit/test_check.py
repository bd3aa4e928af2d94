"""What checking says of whole files; single faults are held word for word by tests/golden."""

import pytest
from hypothesis import given

from invariants.check.specs import RefusedNames, check_specs, read_specs
from invariants.formula.format import format_formula
from invariants.model.errors import Fault, SpecError
from invariants.spec.load import load_spec
from tests.unit.test_formula_format import formulas

HEAD = """\
version: 1
predicates:
  p:
    when: kind == "a"
    with:
      v: args.v
      n: number(args.n)
  q:
    when: kind == "b"
    with:
      v: args.v
"""


def _file(*formulas: str, ids: str = "abcdef") -> str:
    items = "".join(
        f"  - id: {name}\n    severity: info\n    {text}\n"
        for name, text in zip(ids, formulas, strict=False)
    )
    return f"{HEAD}invariants:\n{items}"


def _faults(*texts: str) -> list[Fault]:
    try:
        return read_specs([(f"{index}.yaml", text) for index, text in enumerate(texts)])[1]
    except SpecError as error:
        return list(error.faults)


def _codes(formula: str) -> list[str]:
    return [fault.code for fault in _faults(_file(formula)) if fault.code != "W502"]


@pytest.mark.parametrize(
    "formula",
    [
        "always: p(v=x) implies (once[10m] q(v=x) or once q)",
        "always: count(p(v=t, n=d))[60s] <= 3",
        "never: count(p(v=t))[60s] > 3",
        "always: q(v=1) implies previous p(v=1)",
        "always: p(v=x) implies ((not q(v=x)) since q(v=x))",
        "always: p(v=x) implies eventually[15m] q(v=x)",
        "never: p(v=x) and not eventually[15m] q(v=x)",
        "always: sum(p.n)[24h] <= 1000",
        "always: q implies historically[5s, 10s] p",
        "never: p(v=x, n=n) and q(v=x) and n > 3",
        "never: p(v=x) and x == y and once q(v=y)",
        "never: (p(v=x) or q(v=x)) and not once p(v=x)",
        "never: p(v=x) and not (once q(v=x) iff once[1m] q(v=x))",
        "always: p(v=x) implies count(q(v=x))[1h] >= 1",
        "always: p(n=n) implies count(q) <= n",
    ],
)
def test_what_the_language_allows(formula: str) -> None:
    """Formulas that docs/language.md gives a meaning are not refused."""
    assert not [code for code in _codes(formula) if code.startswith("E")]


@pytest.mark.parametrize(
    ("formula", "codes"),
    [
        ("never: p implies q", ["W501"]),
        ("always: p(v=x) implies previous q(v=x)", ["W503"]),
        ("never: p(v=x) and once q", ["W504"]),
        ("always: count(p(v=t))[60s] <= 3", []),
        ("never: p(v=_) and once q", []),
        ("never: p(v=x) and x != 3", []),
        ("never: p and x == 3", ["W504"]),
    ],
)
def test_warnings(formula: str, codes: list[str]) -> None:
    """Each warning stands where something is allowed and seldom meant, and nowhere else."""
    assert _codes(formula) == codes


def test_previous_may_be_guarded() -> None:
    """`previous` takes what is false for a value that no event has named (case 16)."""
    assert _codes("never: p(v=x) and not previous ((not p(v=x)) since q(v=x))") == ["W503"]
    assert _codes("never: p(v=x) and once ((not p(v=x)) since q(v=x))") == ["E407"]


def test_ids_are_one_name_space_and_predicates_are_not() -> None:
    """Two files may each have a predicate `p`, but no invariant of the same id."""
    faults = _faults(_file("never: p and q"), _file("never: q and p"))
    assert [(fault.file, fault.code) for fault in faults] == [("1.yaml", "E403")]
    assert "0.yaml, line 13" in faults[0].mend


def test_all_faults_of_all_files_in_order() -> None:
    """Faults of shape, of formulas and of names come together, by file and place."""
    broken = _file("never: p and r", "always: p && q").replace("when: kind", "wen: kind", 1)
    faults = _faults(broken, "version: 1\n", _file("never: p(z=1) and q", ids="z"))
    assert [(fault.file, fault.code) for fault in faults] == [
        ("0.yaml", "E204"),
        ("0.yaml", "E205"),
        ("0.yaml", "E401"),
        ("0.yaml", "E302"),
        ("1.yaml", "E205"),
        ("2.yaml", "E402"),
    ]


def test_warnings_are_handed_out_with_specs() -> None:
    """A file with warnings alone is read; its spec keeps the warnings."""
    specs, warnings = read_specs([("f.yaml", _file("never: p"))])
    assert [(fault.code, fault.severity) for fault in warnings] == [("W502", "warning")]
    assert list(specs[0].warnings) == warnings


def test_iff_doubles_no_fault() -> None:
    """A fault inside `iff` is told once, although the violating formula holds it twice."""
    assert _codes("never: p(v=x) and ((once once q(v=x)) iff q(v=x))") == ["E407"]


@given(formulas)
def test_checking_never_fails(formula: object) -> None:
    """Every formula of the grammar is either fine or refused with faults at places of the file."""
    text = _file(f"never: {format_formula(formula)!r}")  # type: ignore[arg-type]
    lines_count = text.count("\n") + 1
    for fault in _faults(text):
        assert 1 <= fault.place.line <= lines_count
        assert len(str(fault).splitlines()) == 1


def test_load_and_check_agree_on_what_is_whole() -> None:
    """`load_spec` gives a spec exactly where no error of shape is told."""
    text = _file("never: p and unknown_one")
    spec, faults = load_spec(text, "f.yaml")
    assert (spec is not None, faults) == (True, [])
    assert spec is not None
    assert [fault.code for fault in check_specs([(spec, RefusedNames())]).faults] == ["E401"]
