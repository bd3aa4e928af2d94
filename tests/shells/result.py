"""What a run has seen, as lines and as a section of a page."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path

from tests.laws.result import revision

from .generator import FORMS
from .judge import ORDER
from .trial import SHELL_NAMES, Absent, Tally

BEGIN, END = "<!-- begin of the shell run -->", "<!-- end of the shell run -->"
WORDS = {
    "known": "listed word for word",
    "partly": "listed with words known only at run time",
    "unknown": "listed as unknown",
    "absent": "silently absent",
}


def lines(tally: Tally, seed: int, took_s: float) -> list[str]:
    """The result as text: shares, by shell and by group, and every absent form."""
    told = [
        f"{tally.texts_count} texts of {len(FORMS)} forms, seed {seed}, {took_s:.0f} s; "
        f"{tally.late_count} runs killed for their time"
    ]
    for shell in SHELL_NAMES:
        ran = tally.ran_count(shell)
        shares = (f"{WORDS[how]} {_share(tally.told[shell, how], ran)}" for how in ORDER)
        told.append(f"{shell}: {ran} texts start the marker; " + ", ".join(shares))
    for group in sorted({name for name, _ in tally.groups}):
        counts = [tally.groups[group, how] for how in ORDER]
        shares = (f"{how} {_share(n, sum(counts))}" for how, n in zip(ORDER, counts, strict=True))
        told.append(f"  {group}: " + ", ".join(shares))
    for found in _distinct(tally):
        told.append(f"ABSENT {found.shell} {found.text!r} (index {found.index})")
        told.append(f"  ran {_shown(found.ran)}; listed {found.listed}")
    return told


def markdown(tally: Tally) -> list[str]:
    """The absent ones for a reader, grouped by the table of their first form."""
    groups: dict[str, list[Absent]] = defaultdict(list)
    group_of = {form.template: form.group for form in FORMS}
    for found in _distinct(tally):
        own = [group_of[name] for name in found.forms if name in group_of]
        groups[" + ".join(sorted(set(own))) or "words"].append(found)
    page = [f"# Silently absent: {len(_distinct(tally))} distinct of {tally.texts_count} texts", ""]
    for group, members in sorted(groups.items(), key=lambda item: -len(item[1])):
        page += [f"## {group} ({len(members)})", ""]
        for found in members:
            page.append(f"- {found.shell} `{found.text!r}` ran {_shown(found.ran)}")
            page.append(f"  - listed {found.listed}")
        page.append("")
    return page


def write(page: Path, tally: Tally, seed: int, took_s: float) -> None:
    """Put the result of a run without an absent text between the marks of a page."""
    before, rest = page.read_text("utf-8").split(BEGIN)
    after = rest.split(END)[1]
    head = "| shell | texts that start the marker | " + " | ".join(WORDS[how] for how in ORDER)
    rows = [
        f"| {shell} | {tally.ran_count(shell):,} | "
        + " | ".join(_share(tally.told[shell, how], tally.ran_count(shell)) for how in ORDER)
        for shell in SHELL_NAMES
    ]
    when = f"{datetime.now(UTC):%Y-%m-%d}, revision `{revision()}`"
    told = (
        f"{tally.texts_count:,} texts of {len(FORMS):,} forms, seed {seed}, {took_s / 60:.0f} min; "
        f"{when}. Nothing was silently absent."
    )
    table = "\n".join(f"{row} |" for row in (head, "|---" * (len(ORDER) + 2), *rows))
    table = table.replace("--- |", "---|")
    page.write_text(f"{before}{BEGIN}\n{told}\n\n{table}\n{END}{after}", "utf-8")


def _distinct(tally: Tally) -> list[Absent]:
    """One of each set of forms: the shortest."""
    best: dict[tuple[str, ...], Absent] = {}
    for found in tally.absent:
        known = best.get(found.forms)
        if known is None or len(found.text) < len(known.text):
            best[found.forms] = found
    return sorted(best.values(), key=lambda found: found.forms)


def _share(count: int, whole: int) -> str:
    return f"{100 * count / whole:.1f} %" if whole else "none"


def _shown(ran: tuple[str, ...]) -> list[str]:
    """Without the folder, which is another in each run."""
    return [ran[0].rpartition("/")[2], *ran[1:]]
