"""The file of principals: what is read, what is refused, and that no token is shown."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Final

import pytest

from invariants.model.errors import ConfigError
from invariants.model.event import SECOND_NS
from invariants.model.standing import Standing
from monitor.principals import parse
from monitor.principals.load import load_principals
from monitor.principals.model import ApprovalRules, Principals
from monitor.principals.parse import parse_principals

TOKEN: Final = "tok-7f3a91"
SHA256: Final = hashlib.sha256(TOKEN.encode()).hexdigest()
JANUARY_NS: Final = 1_767_225_600 * SECOND_NS
FEBRUARY_NS: Final = JANUARY_NS + 31 * 86_400 * SECOND_NS
FILE: Final = f"""versions:
  - version: 1
    since: 2026-01-01T00:00:00Z
    principals:
      billing-bot: {{token_sha256: {SHA256}, uid: 1001, roles: [support], attributes: {{team: b}}}}
      ana: {{roles: [approver]}}
      idle: {{}}
    approvals: {{roles: [approver], approvers: 1, expires: 15m}}
  - version: 2
    since: 2026-02-01T00:00:00Z
    principals:
      billing-bot: {{uid: 1002, roles: [support, refunds]}}
"""
PAGE: Final = Path(__file__).resolve().parents[2] / "docs" / "principals.md"
SHORT: Final = """versions:
  - version: 1
    since: 2026-01-01T00:00:00Z
    principals:
"""


@pytest.fixture
def principals() -> Principals:
    return parse_principals(FILE, "principals.yaml")


def _faults(text: str) -> list[str]:
    with pytest.raises(ConfigError) as refused:
        parse_principals(text, "p.yaml")
    return str(refused.value).split("\n")


def test_the_version_in_force_gives_the_standing(principals: Principals) -> None:
    """A version is in force from its time to the next one's; before the first nobody is known."""
    first = Standing(1, ("support",), {"team": "b"})
    assert principals.standing("billing-bot", JANUARY_NS - 1) is None
    assert principals.standing("billing-bot", JANUARY_NS) == first
    assert principals.standing("billing-bot", FEBRUARY_NS - 1) == first
    assert principals.standing("billing-bot", FEBRUARY_NS) == Standing(2, ("support", "refunds"))
    assert principals.standing("idle", JANUARY_NS) == Standing(1)
    assert principals.standing("idle", FEBRUARY_NS) is None
    assert principals.standing("nobody", JANUARY_NS) is None


def test_credentials_name_a_principal_while_their_version_is_in_force(
    principals: Principals,
) -> None:
    """A token or user id of an older version counts no longer; the digest is not a token."""
    assert principals.by_token(TOKEN, JANUARY_NS) == "billing-bot"
    assert principals.by_token(TOKEN, FEBRUARY_NS) is None
    for guess in ("", SHA256, TOKEN + " ", "\ud800", "é"):
        assert principals.by_token(guess, JANUARY_NS) is None
    assert principals.by_uid(1001, JANUARY_NS) == "billing-bot"
    assert (principals.by_uid(1001, FEBRUARY_NS), principals.by_uid(1002, FEBRUARY_NS)) == (
        None,
        "billing-bot",
    )
    assert principals.by_uid(0, JANUARY_NS) is None


def test_a_digest_that_begins_alike_is_another_token() -> None:
    """All of it is compared."""
    alike = SHA256[:60] + ("0000" if SHA256[60:] != "0000" else "1111")
    text = SHORT + f"      a: {{token_sha256: {alike}}}\n"
    assert parse_principals(text, "p.yaml").by_token(TOKEN, JANUARY_NS) is None


def test_approvers_have_a_role_of_the_version_in_force(principals: Principals) -> None:
    """Without rules in the version in force nobody may approve."""
    assert principals.may_approve("ana", JANUARY_NS)
    assert not principals.may_approve("ana", JANUARY_NS - 1)
    assert not principals.may_approve("ana", FEBRUARY_NS)
    assert not principals.may_approve("billing-bot", JANUARY_NS)
    assert not principals.may_approve("nobody", JANUARY_NS)
    rules = principals.approvals(JANUARY_NS)
    assert rules == ApprovalRules(frozenset({"approver"}), 1, 15 * 60 * SECOND_NS)
    assert principals.approvals(FEBRUARY_NS) == principals.approvals(0) == ApprovalRules()


def test_no_text_form_shows_a_credential(principals: Principals) -> None:
    """Neither a token's digest nor a user id appears in a log that shows the principals."""
    assert SHA256 not in repr(principals)
    assert "1001" not in repr(principals)


def test_the_digest_is_of_roles_and_rules(principals: Principals) -> None:
    """Layout and credentials do not count, roles, attributes, times and rules do."""

    def digest(*change: str) -> str:
        return parse_principals(FILE.replace(*change), "other.yaml").digest

    assert digest("uid: 1001, ", "") == digest(f"token_sha256: {SHA256}, ", "") == principals.digest
    assert digest("      idle: {}\n", "      'idle': {roles: [], attributes: {}}\n") == (
        principals.digest
    )
    changes = [
        ("[support]", "[other]"),
        ("team: b", "team: c"),
        ("2026-02-01", "2026-02-02"),
        ("expires: 15m", "expires: 16m"),
        ("      idle: {}\n", ""),
        ("version: 2", "version: 3"),
    ]
    assert len({principals.digest, *(digest(*change) for change in changes)}) == 7


@pytest.mark.parametrize(
    ("entry", "code"),
    [
        ("a b: {}", "P102"),
        ("uid-7: {uid: 8}", "P102"),
        ("a: {token_sha256: abc}", "P103"),
        ("a: {token_sha256: [x]}", "P103"),
        ("a: {uid: -1}", "P103"),
        ("a: {uid: 4294967295}", "P103"),
        ("a: {uid: true}", "P103"),
        ("a: {uid: root}", "P103"),
        ("a: {uid: 1}\n      b: {uid: 1}", "P103"),
        (f"a: {{token_sha256: {SHA256}}}\n      b: {{token_sha256: {SHA256.upper()}}}", "P103"),
        ("a: {roles: support}", "E207"),
        ("a: {roles: [support, support]}", "P104"),
        ("a: {roles: ['a b']}", "P102"),
        ("a: {roles: [[x]]}", "P102"),
        (f"a: {{roles: [{', '.join(f'r{n}' for n in range(65))}]}}", "P104"),
        ("a: {attributes: [x]}", "E207"),
        ("a: {attributes: {n: 9223372036854775808}}", "P104"),
        ("a: {attributes: {n: .nan}}", "E215"),
        ("a: {attributes: {n: " + "[" * 8 + "]" * 8 + "}}", "P104"),
        ("a: {attributes: {n: " + "x" * 16_384 + "}}", "P104"),
        ("a: {rolls: [x]}", "E204"),
        ("a: support", "E207"),
        ("a: {}\n      a: {}", "E203"),
        ("a: {}\n    approvals: {roles: [x]}", "P105"),
        ("a: {roles: [x]}\n    approvals: {roles: [x], approvers: 2}", "P105"),
        ("a: {roles: [x]}\n    approvals: {roles: [x], approvers: 0}", "P105"),
        ("a: {roles: [x]}\n    approvals: {roles: [x], expires: 0s}", "P105"),
        ("a: {roles: [x]}\n    approvals: {roles: [x], expires: 8d}", "P105"),
        ("a: {roles: [x]}\n    approvals: {roles: [x], expires: 15 minutes}", "P105"),
        ("a: {roles: [x]}\n    approvals: {expires: 15m}", "E205"),
        ("a: {roles: [x]}\n    approvals: [x]", "E207"),
        ("a: {roles: [x]}\n    approvals: {roles: []}", ""),
    ],
)
def test_faulty_entries_are_refused(entry: str, code: str) -> None:
    """Each has one fault, with a place, a reason and a correction."""
    text = SHORT + f"      {entry}\n"
    if not code:
        assert parse_principals(text, "p.yaml")
        return
    (line,) = _faults(text)
    assert f": {code}: " in line
    assert "; " in line


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "E206"),
        ("x: 1", "E204"),
        ("versions: []", "E206"),
        ("versions: {a: b}", "E207"),
        ("versions: [1]", "E207"),
        ("versions:\n  - {version: 1, principals: {a: {}}}", "E205"),
        ("versions:\n  - {version: 0, since: 2026-01-01T00:00:00Z, principals: {a: {}}}", "P101"),
        ("versions:\n  - {version: 1, since: 2026-01-01, principals: {a: {}}}", "P101"),
        ("versions:\n  - {version: 1, since: 1969-01-01T00:00:00Z, principals: {a: {}}}", "P101"),
        (FILE.replace("version: 2", "version: 1"), "P101"),
        (FILE.replace("2026-02-01", "2026-01-01"), "P101"),
        ("versions: \x00", "E212"),
        ("{" * 60, "E202"),
    ],
)
def test_faulty_files_are_refused(text: str, code: str) -> None:
    """Versions are numbered and timed upwards, so that appending one changes no earlier event."""
    lines = _faults(text)
    assert any(f": {code}: " in line for line in lines), lines
    assert all(line.startswith("p.yaml:") for line in lines)


KEY: Final = "ed25519:" + "A" * 43 + "="
KEYS: Final = f"""      olga: {{roles: [security], public_key: "{KEY}"}}
      max: {{roles: [oncall]}}
"""


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (KEYS + "    exceptions: {roles: [security], longest: 90d}\n", ""),
        (KEYS + "    exceptions: {roles: []}\n", ""),
        (KEYS + "    break_glass: {roles: [security, oncall]}\n", ""),
        (KEYS + "    break_glass: {roles: [oncall]}\n", "P106"),
        (KEYS + "    break_glass: {roles: [security], longest: 61m}\n", "P106"),
        (KEYS + "    exceptions: {roles: [security], longest: 91d}\n", "P106"),
        (KEYS + "    exceptions: {roles: [security], longest: 30s}\n", "P106"),
        (KEYS + "    exceptions: {roles: [security], longest: forever}\n", "P106"),
        (KEYS + "    exceptions: {longest: 1h}\n", "E205"),
        (KEYS + "    exceptions: {roles: [security], shortest: 1h}\n", "E204"),
        (KEYS.replace("ed25519:", "ed448:"), "P106"),
        (KEYS.replace("A=", "A"), "P106"),
        (KEYS.replace("[oncall]", f"[oncall], public_key: '{KEY}'"), "P103"),
    ],
)
def test_who_may_make_exceptions_has_a_key(text: str, code: str) -> None:
    """Rules that nobody could satisfy are faults, as are keys that two principals share."""
    if not code:
        (version,) = parse_principals(SHORT + text, "p.yaml").versions
        assert version.public_keys == {"olga": bytes(32)}
        return
    assert [code in line for line in _faults(SHORT + text)] == [True]


def test_rules_of_exceptions_have_defaults(principals: Principals) -> None:
    """Without rules nobody may make any; with rules, for a while."""
    version = SHORT + KEYS + "    exceptions: {roles: [security]}\n"
    read = parse_principals(version + "    break_glass: {roles: [security]}\n", "p.yaml")
    assert read.exceptions("exception", JANUARY_NS).longest_ns == 7 * 86_400 * SECOND_NS
    assert read.exceptions("break-glass", JANUARY_NS).longest_ns == 900 * SECOND_NS
    assert read.may_except("olga", "exception", JANUARY_NS)
    assert not read.may_except("max", "exception", JANUARY_NS)
    assert not read.may_except("olga", "exception", JANUARY_NS - 1)
    assert not principals.may_except("ana", "exception", JANUARY_NS)


def test_all_faults_come_at_once() -> None:
    """In the order of their places."""
    entries = "      a: {uid: x, roles: [1, 1]}\n      b: {token_sha256: y}\n"
    codes = [line.split(" ")[1] for line in _faults(SHORT + entries + "zzz: 1\n")]
    assert codes == ["P103:", "P104:", "P103:", "E204:"]


@pytest.mark.parametrize(
    "entry",
    [
        f"a: {TOKEN}",
        f"a: [{TOKEN}]",
        f"a: {{token: {TOKEN}}}",
        f"a: {{token_sha256: {TOKEN}}}",
        f"a: {{token_sha256: [{TOKEN}]}}",
        f"a: {{token_sha256: !{TOKEN}}}",
        f"a: {{token_sha256: '&{TOKEN}'}}",
        f"a: {{token_sha256: &{TOKEN} x}}",
        f"a: {{token_sha256: *{TOKEN}}}",
        f"a: {{uid: {TOKEN}}}",
    ],
)
def test_no_message_shows_a_token(entry: str) -> None:
    """A token that was written where it does not belong stays out of the message."""
    assert TOKEN not in "\n".join(_faults(SHORT + f"      {entry}\n"))


def test_the_page_is_true() -> None:
    """Its example loads, and it names every code."""
    page = PAGE.read_text("utf-8")
    example = page.partition("```yaml\n")[2].partition("```")[0]
    assert len(parse_principals(example, "page.yaml").versions) == 2
    codes = set(re.findall(r"P1\d\d", parse.__doc__ or ""))
    assert codes
    assert codes == set(re.findall(r"P1\d\d", page))


def test_counts_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file has so many versions, and a version so many principals."""
    version = "  - {{version: {0}, since: 20{0:02}-01-01T00:00:00Z, principals: {{a: {{}}}}}}\n"
    text = "versions:\n" + "".join(version.format(number) for number in range(1, 4))
    many = SHORT + "".join(f"      p{number}: {{}}\n" for number in range(3))
    assert parse_principals(text, "p.yaml")
    assert parse_principals(many, "p.yaml")
    monkeypatch.setattr("monitor.principals.parse.VERSIONS_MAX", 2)
    monkeypatch.setattr("monitor.principals.parse.PRINCIPALS_MAX", 2)
    assert ": P101: " in _faults(text)[0]
    assert ": P102: " in _faults(many)[0]


def test_a_file_is_read_from_its_path(tmp_path: Path, principals: Principals) -> None:
    """A file that is missing, a folder, too large or not UTF-8 is named with the reason."""
    path = tmp_path / "principals.yaml"
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        load_principals(str(path))
    path.write_text(FILE)
    assert load_principals(str(path)).digest == principals.digest
    path.write_bytes(b"\xff")
    with pytest.raises(ConfigError, match="not UTF-8"):
        load_principals(str(path))
    path.write_bytes(b"#" * (1 << 20) + b"##")
    with pytest.raises(ConfigError, match="E202"):
        load_principals(str(path))
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load_principals(str(tmp_path))
