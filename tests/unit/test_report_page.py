"""The incident report: what it shows, and that no text in it can become anything but text."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from monitor.cli.__main__ import main
from monitor.findings.incident import incident_of
from replay.report.chart import draw_chart
from replay.report.render import policy_for
from replay.report.scores import Scored
from tests.support.hostile import PAYLOADS, write_incident

INVARIANTS = Path(__file__).parents[2] / "fixtures" / "invariants"
SESSIONS = Path(__file__).parents[2] / "fixtures" / "sessions"
TAGS = {
    *("html", "head", "meta", "title", "style", "body", "main", "header", "footer", "section"),
    *("article", "div", "span", "p", "h1", "h2", "h3", "h4", "dl", "dt", "dd", "ul", "ol", "li"),
    *("table", "thead", "tbody", "tr", "th", "td", "a", "bdi", "code", "pre", "details", "summary"),
    *("svg", "text", "line", "polyline", "circle"),
    *("nav", "h5", "b", "form", "label", "select", "option", "input", "button", "caption"),
    "script",
}
ATTRIBUTES = {
    *("lang", "charset", "http-equiv", "content", "name", "class", "id", "href", "title", "role"),
    *("viewbox", "aria-label", "x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "r", "points"),
    *("text-anchor", "aria-labelledby", "scope", "open", "hidden", "value", "type", "autocomplete"),
    *("spellcheck", "data-session", "data-groups", "data-group", "data-severity"),
    "data-severities",
}


class Page(HTMLParser):
    """What a browser would make of a page: its elements, attributes and text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.links: list[str] = []
        self.texts: list[str] = []
        self.style: list[str] = []
        self.script: list[str] = []
        self.scripts_count = 0
        self._texts_of: list[str] = self.texts
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]
        self.scripts_count += tag == "script"
        self._texts_of = {"style": self.style, "script": self.script}.get(tag, self.texts)

    def handle_endtag(self, tag: str) -> None:
        self._texts_of = self.texts

    def handle_data(self, data: str) -> None:
        self._texts_of.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


def _report(
    recording: Path, invariants: Path, folder: Path, *more: str, expected_code: int = 0
) -> str:
    out = folder / "incident.html"
    code = main(["report", str(recording), "--invariants", str(invariants), "-o", str(out), *more])
    assert code == expected_code
    return out.read_text()


def test_hostile_text_is_text(tmp_path: Path) -> None:
    """Elements and attributes are the template's, links stay in the page, payloads are shown."""
    recording, invariants = write_incident(tmp_path)
    page = Page(_report(recording, invariants, tmp_path))
    assert page.tags <= TAGS
    assert page.attributes <= ATTRIBUTES
    assert page.scripts_count == 1
    assert all(re.fullmatch(r"#[a-z]+(-\d+|-[a-z]+)*", link) for link in page.links)
    for payload in PAYLOADS[:5]:
        assert payload[:60] in page.text, "hostile text is shown as it was written"


def test_no_control_character_reaches_the_page(tmp_path: Path) -> None:
    """Nor one that turns the direction of text."""
    recording, invariants = write_incident(tmp_path)
    page = _report(recording, invariants, tmp_path)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]", page)
    assert "\\u202e" in page


def test_the_policy_allows_its_own_style_and_script_and_nothing_else(tmp_path: Path) -> None:
    """The digests in the policy are those of the style and the script as a browser reads them."""
    recording, invariants = write_incident(tmp_path)
    text = _report(recording, invariants, tmp_path)
    page = Page(text)
    policy = policy_for("".join(page.style), "".join(page.script))
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy and "http" not in policy
    assert policy.replace("'", "&#39;") in text


def test_a_session_is_told_whole(tmp_path: Path) -> None:
    """Who, what, the proof with links to its events, every part of the formula."""
    recording = SESSIONS / "finance-1.jsonl.gz"
    text = _report(recording, INVARIANTS, tmp_path, "--title", "Four & twenty")
    page = Page(text)
    assert "<title>Four &amp; twenty</title>" in text
    assert page.links
    targets = set(re.findall(r'id="([^"]+)"', text))
    assert {link.removeprefix("#") for link in page.links} <= targets
    assert "Every part of the formula" in page.text
    assert "No live findings were recorded to compare this replay with" in page.text


def test_a_page_of_nothing_says_so(tmp_path: Path) -> None:
    """No finding is a sentence, not an empty page."""
    (tmp_path / "quiet.jsonl").write_text(
        '{"session":"s","seq":0,"ts":1767225600000000000,"kind":"session.started"}\n'
    )
    page = Page(_report(tmp_path / "quiet.jsonl", INVARIANTS, tmp_path))
    assert "No findings" in page.text


def test_a_line_that_is_of_no_session_stands_in_front(tmp_path: Path) -> None:
    """The first words of the page are not that nothing was found, and what has no name is named."""
    recording = tmp_path / "events.jsonl"
    recording.write_text('{"session":"s","seq":0,"ts":5,"kind":"x"}\ngarbage\n')
    page = Page(_report(recording, INVARIANTS, tmp_path, expected_code=4))
    assert "1 session has findings; stops were not recorded." in page.text
    said = "“inconclusive: a record could not be read” (1 finding in 1 session)."
    assert f"Most severe: {said}" in page.text
    assert page.text.count("no known session") >= 2
    assert "1 rejected record was not judged" in page.text


def test_a_session_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """As usage, with no page written."""
    recording, invariants = write_incident(tmp_path)
    out = tmp_path / "x.html"
    arguments = ["report", str(recording), "--invariants", str(invariants), "-o", str(out)]
    assert main([*arguments, "--session", "nobody"]) == 2
    assert not out.exists()


def test_an_incident_names_its_session(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By its own id or its finding's, the page is that of the session; an unknown id is refused."""
    events = tmp_path / "events.jsonl"
    lines = [
        f'{{"session":"{name}","seq":0,"ts":1767225600000000000,"kind":"tool.requested","tool":"{tool}"}}'
        for name, tool in (("good", "ls"), ("bad", "pay"))
    ]
    events.write_text("\n".join(lines))
    invariants = tmp_path / "x.yaml"
    invariants.write_text(
        'version: 1\npredicates: {p: tool == "pay"}\n'
        "invariants: [{id: no-pay, severity: warning, never: p}]\n"
    )
    main(["run", "--invariants", str(invariants), "--source", str(events), "--output", "json"])
    id_ = json.loads(capsys.readouterr().out.splitlines()[0])["id"]
    wanted = _report(events, invariants, tmp_path, "--session", "bad")
    for asked in (id_, incident_of(id_)):
        assert _report(events, invariants, tmp_path, "--incident", asked) == wanted
    _report_refused(events, invariants, tmp_path)
    assert "`i-0`" in capsys.readouterr().err


def _report_refused(events: Path, invariants: Path, folder: Path) -> None:
    out = folder / "refused.html"
    arguments = ["report", str(events), "--invariants", str(invariants), "-o", str(out)]
    assert main([*arguments, "--incident", "i-0"]) == 2
    assert not out.exists()


@pytest.mark.parametrize("count", [1, 2, 5_000])
def test_a_chart_stays_within_its_picture(count: int) -> None:
    """Points lie inside, the highest is kept however many there are, the threshold is drawn."""
    scores = [Scored(n, 0.9 if n == count // 2 else 0.4 + n % 7 / 100, 0.6) for n in range(count)]
    chart = draw_chart(scores)
    assert chart is not None
    points = [tuple(map(float, point.split(","))) for point in chart.line.split()]
    assert len(points) <= 960
    assert all(0 <= x <= chart.width and 0 <= y <= chart.height for x, y in points)
    assert chart.threshold_y is not None
    assert min(y for _, y in points) < chart.threshold_y
    assert f"highest score 0.900 at event {count // 2}" in chart.summary.lower()


def test_a_chart_says_that_there_is_no_threshold() -> None:
    """Too few sessions are no threshold of zero."""
    chart = draw_chart([Scored(0, 0.5, None)])
    assert chart is not None
    assert chart.threshold_y is None
    assert "too few sessions" in chart.summary
    assert draw_chart([]) is None
