"""The incident report as it is read: narrow, dark, on paper, without scripts, by keyboard."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from monitor.cli.__main__ import main
from tests.support.devtools import Tab, open_tab
from tests.support.hostile import PAYLOADS, write_incident

CONTRAST_MIN = 4.5
"""Source: WCAG 2.2, 1.4.3, for text of ordinary size."""
START_NS = 1_767_225_600_000_000_000
INVARIANTS = """\
version: 1
predicates:
  calls:
    when: kind == "tool.requested"
    with:
      tool: tool
  failed: kind == "tool.failed"
invariants:
  - id: {long}
    summary: A name of one long word
    severity: critical
    on_unknown: violate
    never: calls(tool=x) and once failed
  - id: no-failure
    severity: warning
    never: failed
"""
LONG = "x" * 180
# Every text with its colour, and the ground that is behind it, as they come out of all styles.
CONTRASTS = """
(() => {
  const channels = (colour) => (colour.match(/[\\d.]+/g) || []).map(Number);
  const light = (colour) => {
    const [r, g, b] = channels(colour).map((v) => v / 255)
      .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const groundOf = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor;
      const parts = channels(colour);
      if (parts.length === 3 || parts[3] === 1) return colour;
      if (parts[3] > 0) return "not opaque " + colour;
    }
    return "rgb(255, 255, 255)";
  };
  const worst = new Map();
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const element = walk.currentNode.parentElement;
    if (!walk.currentNode.data.trim() || ["SCRIPT", "OPTION"].includes(element.tagName)) continue;
    const style = getComputedStyle(element), ground = groundOf(element);
    const ink = element.closest("svg") && element.tagName !== "title" ? style.fill : style.color;
    const [a, b] = [light(ink), light(ground)];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const name = `${element.tagName}.${element.className} ${ink} on ${ground}`;
    worst.set(name, ratio);
  }
  return Array.from(worst);
})()
"""


def _write(folder: Path) -> Path:
    """Three sessions: two violate gravely, one mildly; one name is a word of 180 letters."""
    folder.mkdir(exist_ok=True)
    events: list[dict[str, Any]] = []

    def put(session: str, kind: str, **more: Any) -> None:
        seq = sum(one["session"] == session for one in events)
        ts = START_NS + len(events) * 1_000_000_000
        events.append({"session": session, "seq": seq, "ts": ts, "kind": kind, **more})

    for session in ("alpha", LONG):
        put(session, "session.started", agent="agent-" + "y" * 120)
        put(session, "tool.failed", tool="t" * 150, call="c", error="needle " + "z" * 400)
        for n in range(3):
            put(session, "tool.requested", tool="send", call=f"c{n}", args={"k" * 200: "v" * 900})
            put(session, "tool.completed", tool="send", call=f"c{n}", result={"ok": "w" * 900})
    put("gamma", "tool.failed", tool="read", call="c", error="haystack")
    recording, invariants = folder / "r.jsonl", folder / "i.yaml"
    recording.write_text("".join(json.dumps(one) + "\n" for one in events))
    invariants.write_text(INVARIANTS.format(long="a-" + "long-" * 18 + "name"))
    return _report(folder, recording, invariants)


def _report(folder: Path, recording: Path, invariants: Path) -> Path:
    out = folder / "page.html"
    arguments = ["report", str(recording), "--invariants", str(invariants), "-o", str(out)]
    assert main(arguments) == 0
    return out


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """An ordinary page with long words, and one whose every text is hostile."""
    folder = tmp_path_factory.mktemp("pages")
    hostile = folder / "hostile"
    hostile.mkdir()
    return {
        "long": _write(folder / "long"),
        "hostile": _report(hostile, *write_incident(hostile)),
    }


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    """One browser for the tests of this file; each looks as its own reader."""
    with open_tab(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


def _shown(tab: Tab, selector: str) -> list[str]:
    """The ids of elements that are shown."""
    found: list[str] = tab.value(
        f"Array.from(document.querySelectorAll({selector!r}))"
        ".filter((e) => !e.closest('[hidden]')).map((e) => e.id)"
    )
    return found


def _filter(tab: Tab, **fields: str) -> None:
    """Fill in the filter and wait until it was applied."""
    for name, text in fields.items():
        tab.value(
            f"(() => {{ const e = document.querySelector('#filter [name={name}]');"
            f" e.value = {text!r}; e.dispatchEvent(new Event('input', {{bubbles: true}})); }})()"
        )
    tab.value("new Promise((done) => setTimeout(done, 300))")


@pytest.mark.parametrize("is_dark", [False, True])
@pytest.mark.parametrize("name", ["long", "hostile"])
def test_nothing_scrolls_sideways_on_a_phone(
    tab: Tab, pages: dict[str, Path], name: str, is_dark: bool
) -> None:
    """At 390 px, with everything opened; nor does any part of the page scroll by itself."""
    tab.look(width=390, is_dark=is_dark)
    tab.open(pages[name])
    tab.value("document.querySelectorAll('details').forEach((e) => { e.open = true; })")
    assert tab.value("document.scrollingElement.scrollWidth") <= 390
    wide = tab.value(
        "Array.from(document.querySelectorAll('main *, nav *'))"
        ".filter((e) => e.clientWidth && e.scrollWidth > e.clientWidth + 1 &&"
        " !['visible', 'clip'].includes(getComputedStyle(e).overflowX))"
        ".map((e) => e.outerHTML.slice(0, 80))"
    )
    assert wide == []
    beyond = tab.value(
        "Array.from(document.querySelectorAll('main *'))"
        ".filter((e) => !e.closest('thead') && e.getBoundingClientRect().right > 391)"
        ".map((e) => e.outerHTML.slice(0, 80))"
    )
    assert beyond == []


@pytest.mark.parametrize("media", ["screen", "print"])
@pytest.mark.parametrize("is_dark", [False, True])
def test_every_text_stands_out_from_its_ground(
    tab: Tab, pages: dict[str, Path], media: str, is_dark: bool
) -> None:
    """With a contrast of 4.5 at least, in both colour schemes and on paper."""
    tab.look(is_dark=is_dark, media=media)
    tab.open(pages["long"])
    found = dict(tab.value(CONTRASTS))
    assert len(found) > 15
    assert {name: ratio for name, ratio in found.items() if not ratio >= CONTRAST_MIN} == {}


def test_the_colours_are_those_of_the_reader(tab: Tab, pages: dict[str, Path]) -> None:
    """The ground is light or dark as the system is."""
    grounds = []
    for is_dark in (False, True):
        tab.look(is_dark=is_dark)
        tab.open(pages["long"])
        grounds.append(tab.value("getComputedStyle(document.body).backgroundColor"))
    assert grounds[0] != grounds[1]


def test_a_tone_is_said_in_words(tab: Tab, pages: dict[str, Path]) -> None:
    """No mark that is coloured for its severity leaves the word out."""
    tab.look()
    tab.open(pages["long"])
    silent = tab.value(
        "['critical', 'warning'].flatMap((tone) => Array.from(document.querySelectorAll("
        "`#findings .mark.${tone}, #sessions .mark.${tone}, .card .mark.${tone}`))"
        ".filter((e) => !e.textContent.includes(tone)).map((e) => e.outerHTML))"
    )
    assert silent == []


def test_no_request_leaves_the_page(tab: Tab, pages: dict[str, Path]) -> None:
    """The file itself is all that is ever asked for."""
    tab.requests.clear()
    tab.look()
    for page in pages.values():
        tab.open(page)
        tab.value("new Promise((done) => setTimeout(done, 200))")
    assert set(tab.requests) == {page.as_uri() for page in pages.values()}


def test_hostile_text_stays_text_beside_our_script(tab: Tab, pages: dict[str, Path]) -> None:
    """Our script is the only one, ran, and made no element of a text, filtered or not."""
    tab.look()
    tab.open(pages["hostile"])
    assert tab.value("document.querySelectorAll('script, img, iframe, base, link').length") == 1
    assert tab.value("document.getElementById('filter').hidden") is False
    _filter(tab, text=PAYLOADS[0])
    assert _shown(tab, "section.session") == ["session-1"]
    assert tab.value("document.querySelectorAll('script, img, iframe, base, link').length") == 1
    assert tab.value("document.title") == "Incident report"


def test_the_policy_lets_no_other_script_run(
    tab: Tab, pages: dict[str, Path], tmp_path: Path
) -> None:
    """Markup put into the page runs nothing, nor can a script make markup of text."""
    armed = tmp_path / "armed.html"
    text = pages["long"].read_text()
    armed.write_text(text.replace('<main id="top">', '<main id="top">' + " ".join(PAYLOADS[:5])))
    tab.look()
    tab.open(armed)
    assert tab.value("document.title") == "Incident report"
    assert tab.value("document.getElementById('filter').hidden") is False
    made = (
        "(() => { try { document.body.innerHTML = 'x'; return 'made' } catch { return 'no' } })()"
    )
    assert tab.value(made) == "no"


def test_the_filter_leaves_what_was_asked_for(tab: Tab, pages: dict[str, Path]) -> None:
    """By severity, invariant, session and text, alone and together; it says how many are left."""
    tab.look()
    tab.open(pages["long"])
    everything = _shown(tab, "section.session")
    assert len(everything) == 3
    _filter(tab, severity="critical")
    assert len(_shown(tab, "section.session")) == 2
    assert _shown(tab, "details.group") == ["group-1"]
    assert all(one.endswith("group-1") for one in _shown(tab, "article.card"))
    _filter(tab, severity="", session="ALPHA")
    assert len(_shown(tab, "section.session")) == 1
    assert _shown(tab, "details.group") == ["group-1", "group-2"]
    _filter(tab, session="", group="2", text="needle")
    assert len(_shown(tab, "section.session")) == 2
    assert "of 3 timelines match" in tab.value("document.getElementById('filter-said').textContent")
    _filter(tab, text="in no event at all")
    assert _shown(tab, "section.session") == [] == _shown(tab, "details.group")
    assert tab.value("document.getElementById('nothing').hidden") is False
    tab.value("document.querySelector('#filter [type=reset]').click()")
    tab.value("new Promise((done) => setTimeout(done, 200))")
    assert _shown(tab, "section.session") == everything


def test_a_link_to_what_is_filtered_out_or_folded_shows_it(
    tab: Tab, pages: dict[str, Path]
) -> None:
    """A link arrives, even if its target was hidden or closed."""
    tab.look()
    tab.open(pages["long"])
    _filter(tab, text="in no event at all")
    tab.value("location.hash = '#session-1-finding-2'")
    tab.value("new Promise((done) => setTimeout(done, 200))")
    at = "document.getElementById('session-1-finding-2')"
    assert tab.value(f"{at}.open && {at}.getBoundingClientRect().height > 0") is True
    assert len(_shown(tab, "section.session")) == 3


@pytest.mark.parametrize("name", ["long", "hostile"])
def test_without_scripts_all_is_readable(tab: Tab, pages: dict[str, Path], name: str) -> None:
    """Every finding and event is there and not hidden, and no dead control is offered."""
    tab.look(scripts=False)
    tab.open(pages[name])
    hidden = tab.value(
        "Array.from(document.querySelectorAll('.finding, li.event, .group, section, article'))"
        ".filter((e) => e.closest('[hidden]') || getComputedStyle(e).display === 'none').length"
    )
    assert hidden == 0
    assert tab.value("document.querySelectorAll('.finding, li.event').length") > 5
    assert tab.value("getComputedStyle(document.getElementById('filter')).display") == "none"
    # A link into a folded part opens it, or leads to its summary, which is shown.
    tall = "Array.from(document.querySelectorAll('.finding > summary'))"
    assert tab.value(f"{tall}.every((e) => e.getBoundingClientRect().height > 10)") is True
    tab.look()


def test_paper_shows_what_is_folded(tab: Tab, pages: dict[str, Path]) -> None:
    """Proofs of every finding are printed; the filter and the navigation are not."""
    tab.look(media="print")
    tab.open(pages["long"])
    proofs = "Array.from(document.querySelectorAll('.finding .witness'))"
    assert tab.value(f"{proofs}.length") > 3
    assert tab.value(f"{proofs}.every((e) => e.checkVisibility())") is True
    assert tab.value("getComputedStyle(document.querySelector('nav')).display") == "none"
    assert tab.value("getComputedStyle(document.getElementById('filter')).display") == "none"


def test_keys_lead_through_the_page(tab: Tab, pages: dict[str, Path]) -> None:
    """The first key leads past the head, the next through the parts; the focus can be seen."""
    tab.look()
    tab.open(pages["long"])
    tab.press("Tab")
    focus = "document.activeElement"
    assert tab.value(f"{focus}.className") == "skip"
    assert tab.value(f"{focus}.getBoundingClientRect().left") >= 0
    tab.press("Enter")
    assert tab.value("location.hash") == "#findings"
    tab.press("Tab")
    assert tab.value(f"{focus}.tagName") == "SUMMARY"
    assert tab.value(f"getComputedStyle({focus}).outlineStyle") == "solid"
    before = tab.value(f"{focus}.parentElement.open")
    tab.press("Enter")
    assert tab.value(f"{focus}.parentElement.open") is not before


def test_the_page_is_built_as_assistive_software_reads_it(tab: Tab, pages: dict[str, Path]) -> None:
    """Unique ids, headings without gaps, named controls and parts, tables with scopes."""
    tab.look()
    tab.open(pages["long"])
    faults = tab.value(
        """
        (() => {
          const all = (s) => Array.from(document.querySelectorAll(s));
          const ids = all("[id]").map((e) => e.id), faults = [];
          if (new Set(ids).size !== ids.length) faults.push("an id twice");
          let level = 0;
          for (const h of all("h1, h2, h3, h4, h5")) {
            const next = Number(h.tagName[1]);
            if (next > level + 1) faults.push("a gap before " + h.textContent);
            level = next;
          }
          for (const e of all("select, input")) if (!e.labels.length) faults.push(e.name);
          for (const e of all("a, button, summary"))
            if (!e.textContent.trim()) faults.push("empty");
          for (const e of all("th")) if (!e.scope) faults.push("th " + e.textContent);
          for (const e of all("svg")) if (!e.getAttribute("aria-label")) faults.push("svg");
          if (!document.documentElement.lang) faults.push("lang");
          if (all("main").length !== 1 || all("h1").length !== 1) faults.push("main, h1");
          return faults;
        })()
        """
    )
    assert faults == []
