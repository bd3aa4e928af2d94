"""An address in any spelling that readers repair is found, and is never certainly from elsewhere.

An address is drawn as data; a page shows it in one spelling, an agent uses it in another one. The
tables hold what browsers, the URL Standard, mail programs and people make of the same address.
"""

from __future__ import annotations

import ipaddress
from random import Random
from urllib.parse import quote

from invariants.model.fact import Truth
from invariants.taint.memory import Shown, SourceMemory, fingerprints_of, memory_of
from tests.laws.conftest import CASES, FIRST_SEED
from tests.laws.test_addresses import cased, wide_letters

FALSE, TRUE = Truth.FALSE, Truth.TRUE
KEYS = fingerprints_of(b"a key")
HOSTS = ("evil.example", "pay.evil.example", "b\u00fccher.example", "evil-7.example")
PATHS = ("/", "/pay", "/a/b", "/pay?to=x")
OTHERS = ("good.example", "https://good.example/pay", "bob@good.example", "GB82 WEST 1234 5698")
HONEST = ("bob@corp.example", "https://corp.example/a", "FR76 3000 6000 0112 3456 7890 189")
SLASHES = ("//", "//", "/", "", "///", "\\\\", "/\\", "//\t", "//user@", "//u:p@a@")
UNSEEN = "\t\n\r\u00ad\u200b\u2060\ufeff"
DOTS = (" dot ", "[.]", "(dot)", "<dot>", "\u3002", "\uff61", "\u300cdot\u300d")
AT_SIGNS = ("(at)", "[at]", " {at} ", "<at>", "\u00abat\u00bb", "\u3010@\u3011", " *at* ")


def inserted(text: str, random: Random) -> str:
    """With a sign that nobody sees, or that is dropped, between two of its letters."""
    place = random.randrange(1, len(text))
    return text[:place] + random.choice(UNSEEN) + text[place:]


def url_spelt(host: str, path: str, random: Random) -> str:
    names = (
        host,
        cased(host, random) + ".",
        wide_letters(host),
        host.replace(".", random.choice("\u3002\uff0e\uff61")),
        inserted(host, random),
        f"%{ord(host[0]):02x}{host[1:]}",
        host.replace(".", "%2E"),
        quote(host),
        host.encode("idna").decode(),
    )
    paths = (path, path.replace("/", "\\") if "?" not in path else path, "/." + path)
    more_paths = ("/x/%2e%2e" + path, path + "#top", path.replace("p", "%70"))
    around = random.choice(("{}", " {}", "{}\n", "\t{} ", "\x01{}"))
    port = random.choice(("", ":", ":443", ":00443", ":0000443"))
    scheme = random.choice(("https", "HTTPS", "hTTps"))
    slashes, name = random.choice(SLASHES), random.choice(names)
    where = random.choice((*paths, *more_paths))
    return around.format(f"{scheme}:{slashes}{name}{port}{where}")


def ip_spelt(address: int, path: str, random: Random) -> str:
    count = random.randrange(1, 5)
    head = [address >> shift & 255 for shift in (24, 16, 8)][: count - 1]
    tail = address & (1 << 8 * (5 - count)) - 1
    forms = ("{}", "0x{:x}", "0X{:X}", "0{:o}", "00{:o}", "0x00{:x}")
    short = ".".join(random.choice(forms).format(number) for number in (*head, tail))
    plain = ipaddress.IPv4Address(address)
    hosts = (
        short,
        short + ".",
        short.replace(".", "\uff0e"),
        f"[::ffff:{plain}]",
        f"[0:0::FFFF:{address >> 16:X}:{address & 0xFFFF:04x}]",
        f"[64:ff9b::{plain}]",
        f"[::ffff:{plain}%25eth0]",
    )
    return f"{random.choice(('http://', 'http:/', 'HTTP:'))}{random.choice(hosts)}{path}"


def mail_spelt(local: str, host: str, random: Random) -> str:
    name, domain = cased(local, random), cased(host, random)
    forms = (
        f"{name}@{domain}.",
        f"{name}@{domain}:{random.choice((25, 587))}",
        f"mailto:{name}@{domain}?subject=hello",
        f"mailto:?to={name}@{domain}",
        f"mailto:?subject=x&bcc={name}@{domain}",
        f"MAILTO:{name}%40{domain}",
        f'"{name}"@{domain}',
        f"{name}(work)@{domain}",
        f"{name}@(work){domain}",
        f"{name}@{domain.replace('.', '(work).')}",
        f"{name}@{inserted(domain, random)}",
        f"team: {name}@{domain};",
        f"<@good.example:{name}@{domain}>",
        f"=?utf-8?q?{name}=40{domain}?=",
        f"{name}@%{ord(domain[0]):02x}{domain[1:]}",
        f"{name}@{domain.replace('.', random.choice(DOTS))}",
        f"{name}{random.choice(AT_SIGNS)}{domain}",
        f"{name}@{domain.replace('.', '..')}",
        f"{name}@{domain}\x00.good.example",
        f"{name}%{domain}@good.example",
        f"{domain}!{name}@good.example",
    )
    return random.choice(forms)


def account_spelt(account: str, random: Random) -> str:
    """In groups of one length, or of drawn ones."""
    sign = random.choice((" ", "-", ".", "/", "\u00a0", "\u2011", " - ", ""))
    length = random.choice((2, 3, 4, 5, 0))
    groups, rest = [], cased(account, random)
    while rest:
        taken = length or random.randrange(1, 7)
        groups.append(rest[:taken])
        rest = rest[taken:]
    return sign.join(groups)


def drawn(random: Random) -> tuple[str, str]:
    """How a page shows an address, and how an agent spells it."""
    sort = random.randrange(4)
    if sort == 0:
        host, path = random.choice(HOSTS), random.choice(PATHS)
        return f"https://{host}{path}", url_spelt(host, path, random)
    if sort == 1:
        address, path = random.getrandbits(32) | 1 << 31, random.choice(PATHS)
        return f"http://{ipaddress.IPv4Address(address)}{path}", ip_spelt(address, path, random)
    if sort == 2:
        local, host = random.choice(("eve", "a.b-c", "eve7")), "evil.example"
        return f"{local}@{host}", mail_spelt(local, host, random)
    digits = "".join(random.choices("0123456789", k=random.randrange(12, 24)))
    account = random.choice(("", "DE", "GB29NWBK")) + digits
    return account_spelt(account, random), account_spelt(account, random)


def memory(*texts: str) -> SourceMemory:
    made = memory_of(KEYS)
    for text in texts:
        made = made.taking(text, is_certain=True, pairs_max=100_000)
    return made


def test_no_spelling_hides_where_an_address_came_from() -> None:
    """From the page alone: never certainly unseen, never certainly from elsewhere."""
    certain_count, count = 0, max(CASES, 1_000)
    for seed in range(FIRST_SEED, FIRST_SEED + count):
        random = Random(seed)
        shown, value = drawn(random)
        page = f"{random.choice(('', 'see 12 '))}{shown} now, or {random.choice(OTHERS)}"
        told = Shown((memory("hello, 3 things"), memory(page)))
        seen, only = told.seen(1, value), told.only_from(1, (0,), value)
        assert seen not in (None, FALSE), (seed, shown, value)
        assert only not in (None, FALSE), (seed, shown, value)
        certain_count += only is TRUE
    assert certain_count > 0.7 * count


def test_no_spelling_accuses_or_blurs() -> None:
    """Nothing is certain of a page that showed another address, or of what somebody else wrote just
    so; and no page makes another value doubtful.
    """
    for seed in range(FIRST_SEED, FIRST_SEED + max(CASES, 1_000)):
        random = Random(seed)
        shown, value = drawn(random)
        other = Shown((memory(), memory("eve 77 at sample, due 12", "bob@corp.example")))
        assert other.seen(1, value) is not TRUE, (seed, value)
        assert other.only_from(1, (0,), value) is not TRUE, (seed, value)
        same = Shown((memory(f"use {value} then"), memory(shown)))
        assert same.only_from(1, (0,), value) is not TRUE, (seed, shown, value)
        page = Shown((memory(), memory(f"{value} and {value}")))
        honest = random.choice(HONEST)
        assert page.seen(1, honest) is FALSE, (seed, value)
        assert page.only_from(1, (0,), honest) is FALSE, (seed, value)


BESIDE = ("pay {} now", "IBAN: {}, thanks", "{} 77 (by 2026-01-05)", "12.50 to {}\tBye", "x\n{}\ny")


def test_no_words_hide_where_an_address_came_from() -> None:
    """Beside words, numbers and line ends an address may be doubtful, and is never unseen."""
    for seed in range(FIRST_SEED, FIRST_SEED + max(CASES, 1_000)):
        random = Random(seed)
        shown, value = drawn(random)
        value = random.choice(BESIDE).format(value)
        page = f"see {shown} now, or {random.choice(OTHERS)}"
        told = Shown((memory("hello, 3 things"), memory(page)))
        assert told.seen(1, value) is not FALSE, (seed, shown, value)
        assert told.only_from(1, (0,), value) not in (None, FALSE), (seed, shown, value)
        same = Shown((memory(f"use {value} then"), memory(page)))
        assert same.only_from(1, (0,), value) is not TRUE, (seed, shown, value)
        other = Shown((memory(), memory("eve 77 at sample, due 12", "bob@corp.example")))
        assert other.only_from(1, (0,), value) is not TRUE, (seed, value)
