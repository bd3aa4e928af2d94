"""An invariant's digest changes with what it refers to, in turn too, and with nothing else.

Files are drawn as data: the law knows what refers to what without parsing anything. Names are drawn
so that they occur within each other, in fields, in strings and in comments.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from random import Random

from invariants.check.specs import read_specs
from invariants.image.compile import compile_program
from tests.laws.conftest import CASES, FIRST_SEED

NAMES = ("a", "o", "oo", "host", "hostname", "args", "host_b", "tool_b", "seen_x", "lists_x")
DECOYS = (
    'args.{name} != "{name}"',
    'tool == "lists.{name}"',
    'args["{name}"].size() > 1',
    "[1].all({name}_v, {name}_v == 1)",
    "text.contains(\"only_from(args.x, '{name}')\")",
)
HEAD = 'kind == "x"'
GAPS = ("", " ", "\n", " \t ", " // {name} lists.{name} seen(x, \"{name}\")\n")  # fmt: skip


@dataclass(frozen=True)
class File:
    """Parts by name; `refers` holds what each part names: `list:x`, `source:x`, `predicate:x`."""

    refers: dict[str, tuple[str, ...]]
    marks: dict[str, int]
    """Distinguishes one content of a part from another."""
    order: tuple[str, ...]

    def reached(self, part: str) -> set[str]:
        """Everything that a part refers to, in turn, itself among it."""
        found, waiting = {part}, [part]
        while waiting:
            for name in self.refers[waiting.pop()]:
                if name not in found:
                    found.add(name)
                    waiting.append(name)
        return found

    def parts(self, sort: str) -> list[str]:
        return [part for part in self.order if part.startswith(sort + ":")]


def choose_file(random: Random) -> File:
    def names(sort: str, least: int) -> list[str]:
        return [f"{sort}:{n}" for n in random.sample(NAMES, random.randrange(least, 5))]

    def some(parts: list[str], most: int) -> tuple[str, ...]:
        return tuple(random.sample(parts, min(len(parts), random.randrange(most + 1))))

    lists, sources, predicates = names("list", 0), names("source", 0), names("predicate", 1)
    refers: dict[str, tuple[str, ...]] = dict.fromkeys(lists, ())
    refers |= {source: some(lists, 1) for source in sources}
    for predicate in predicates:
        asked = some(sources, 1)
        if asked and random.random() < 0.4:
            # `only_from` asks all sources of the file.
            asked = (*asked, *(source for source in sources if source not in asked), "all")
        refers[predicate] = (*some(lists, 2), *asked)
    for name in ("i", "j"):
        refers[f"invariant:{name}"] = some(predicates, 2) or (predicates[0],)
    refers["all"] = ()
    order = [part for part in refers if part != "all"]
    random.shuffle(order)
    return File(refers, dict.fromkeys(refers, 0), tuple(order))


def written(file: File, random: Random) -> str:
    """YAML; the layout of expressions is drawn anew each time."""

    def gap() -> str:
        return random.choice(GAPS).format(name=random.choice(NAMES))

    def expression(part: str, head: str) -> str:
        operands = [head, f"seq != {file.marks[part]}"]
        named = file.refers[part]
        operands += [f"tool in lists.{n[5:]}" for n in named if n.startswith("list:")]
        asked = [n[7:] for n in named if n.startswith("source:")][:1]
        function = "only_from" if "all" in named else "seen"
        operands += [f'{function}({gap()}args.v,{gap()}"{n}")' for n in asked]
        # Drawn from the name alone: decoys belong to the expression's content.
        own = Random(part)
        operands += [own.choice(DECOYS).format(name=own.choice(NAMES)) for _ in range(2)]
        return json.dumps(f"{gap()}&&{gap()}".join(operands))

    lines = ["version: 1"]
    for sort in ("list", "source", "predicate"):
        parts = file.parts(sort)
        lines += [f"{sort}s:"] if parts else []
        for part in parts:
            name = part.partition(":")[2]
            if sort == "list":
                lines.append(f"  {name}: [v{file.marks[part]}, w]")
            elif sort == "source":
                lines.append(f"  {name}:\n    when: {expression(part, HEAD)}")
                lines.append("    values: result")
            else:
                lines.append(f"  {name}: {expression(part, HEAD)}")
    lines.append("invariants:")
    for part in file.parts("invariant"):
        formula = " and ".join(name[10:] for name in file.refers[part])
        lines.append(f"  - {{id: {part[10:]}, severity: info, never: {formula}}}")
    return "\n".join(lines) + "\n"


def digests(file: File, random: Random) -> dict[str, str]:
    specs, _ = read_specs([("drawn.yaml", written(file, random))])
    return {f"invariant:{c.declared.id}": c.digest for c in compile_program(specs).invariants}


def test_a_digest_changes_with_what_the_invariant_refers_to_and_with_nothing_else() -> None:
    """One part is edited; layout and order change always."""
    counts = {True: 0, False: 0}
    for seed in range(max(CASES // 10, 100)):
        random = Random(FIRST_SEED + seed)
        file = choose_file(random)
        before = digests(file, random)
        edited = random.choice([p for p in file.order if not p.startswith("invariant:")])
        shuffled = tuple(random.sample(file.order, len(file.order)))
        after = replace(file, marks={**file.marks, edited: 1}, order=shuffled)
        for invariant, digest in digests(after, random).items():
            is_referred_to = edited in file.reached(invariant)
            assert (digest != before[invariant]) is is_referred_to, (
                FIRST_SEED + seed, edited, invariant, written(file, random),
            )  # fmt: skip
            counts[is_referred_to] += 1
    assert min(counts.values()) > sum(counts.values()) / 5, counts


def test_what_is_added_taken_away_or_renamed_beside_an_invariant_changes_no_digest() -> None:
    """Lists, sources and predicates to which nothing refers may come, go, and change names."""
    kept_count = 0
    for seed in range(max(CASES // 10, 100)):
        random = Random(FIRST_SEED + seed)
        file = choose_file(random)
        before = digests(file, random)
        used = set[str]().union(*map(file.reached, file.parts("invariant")))
        if "all" in used:
            continue  # `only_from` refers to every source, to one that is added too.
        loose = [part for part in file.order if part not in used]
        kept = tuple(part for part in file.order if part in used)
        sorts = {part.partition(":")[0] for part in kept}
        renamed = tuple(
            f"{sort}:{name}_renamed" for sort, _, name in (p.partition(":") for p in loose)
        )
        new = (*renamed, "list:added", "source:added", "predicate:added")
        after = File(
            {**{part: file.refers[part] for part in (*kept, "all")}, **dict.fromkeys(new, ())},
            dict.fromkeys((*file.refers, *new), 0),
            (*kept, *new),
        )  # fmt: skip
        assert sorts and digests(after, random) == before, (FIRST_SEED + seed, loose)
        kept_count += bool(loose)
    assert kept_count > 20, kept_count
