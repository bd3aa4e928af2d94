"""`seen` and `only_from` of addresses are what their definition says, however they are spelt.

The naive side never reads a text. It draws addresses as data (name, tag, domain; scheme, host,
path), remembers which were shown, and asks by comparing the data. The program gets texts: each
address in a spelling that is drawn anew, among words and punctuation. It is restarted at random
places.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any
from urllib.parse import quote

from invariants.model.fact import Truth
from invariants.taint.addresses import read_addresses
from monitor.kernel.kernel import Kernel
from tests.laws.conftest import CASES, FIRST_SEED
from tests.laws.test_sources import SETTINGS, SOURCES, compiled, decoded, told_at
from tests.support.shelf import Shelf

FALSE, UNKNOWN, TRUE = Truth.FALSE, Truth.UNKNOWN, Truth.TRUE
NAMES = ("eve", "bob", "a.b-c", "x7")
TAGS = ("", "", "", "news", "a+b")
URL_HOSTS = ("evil.example", "corp.example", "evil.example.org")
"""All with a dot: the name of another host is shown by the word alone."""
DOMAINS = (*URL_HOSTS, "x")
UNICODE = {"b\u00fccher.example": "xn--bcher-kva.example"}
SCHEMES = {"https": "443", "http": "80"}
PATHS = ("", "/pay", "/Pay", "/a/b~c", "/pay?to=x&n=1")
ENTITY = "&#64;"
WORDS = ("please", "write", "Accounts", "me.", "now", "Caf\u00e9", "e-mail")


@dataclass(frozen=True)
class Mail:
    name: str
    tag: str
    domain: str

    @property
    def wider(self) -> Mail:
        return replace(self, tag="")


@dataclass(frozen=True)
class Url:
    scheme: str
    host: str
    path: str

    @property
    def wider(self) -> Url:
        return Url("", self.host, self.path.lower())


Address = Mail | Url


def choose_address(random: Random) -> Address:
    if random.random() < 0.65:
        hosts = (*DOMAINS, *UNICODE)
        return Mail(random.choice(NAMES), random.choice(TAGS), random.choice(hosts))
    hosts = (*URL_HOSTS, *UNICODE)
    return Url(random.choice(tuple(SCHEMES)), random.choice(hosts), random.choice(PATHS))


def cased(text: str, random: Random) -> str:
    return "".join(random.choice((letter, letter.upper())) for letter in text)


def wide_letters(text: str) -> str:
    return "".join(chr(ord(c) + 0xFEE0) if "!" < c < "~" else c for c in text)


def host_spelt(host: str, random: Random) -> str:
    return cased(random.choice((host, UNICODE.get(host, host))), random)


def spelt(address: Address, random: Random) -> str:
    """One of the ways to write an address that certainly name it."""
    if isinstance(address, Url):
        port = random.choice(("", f":{SCHEMES[address.scheme]}", f":0{SCHEMES[address.scheme]}"))
        host = host_spelt(address.host, random) + random.choice(
            ("", ".") if "." in address.host else ("",)
        )
        user = random.choice(("", "", "me:pw@", "corp.example@"))
        path = address.path.replace("b~c", random.choice(("b~c", "b%7ec", "./b%7Ec", "x/../b~c")))
        path = path or random.choice(("", "/", "#top", "/#top"))
        return f"{cased(address.scheme, random)}://{user}{host}{port}{path}"
    local = cased(address.name + ("+" + address.tag if address.tag else ""), random)
    host = host_spelt(address.domain, random)
    plain = f"{local}@{host}"
    forms = [
        plain,
        f"<{plain}>",
        f"mailto:{plain}",
        f"Accounts <{plain}>",
        f"'{plain}'",
        f"({plain})",
    ]
    forms += [wide_letters(plain), plain.replace("@", "\u200b@"), f"**{plain}**", f'"{plain}"']
    if "." in host:
        dotted = host.replace(".", random.choice((" dot ", " [dot] ", "[.]", "(dot)")))
        forms += [
            f"{local}{random.choice((' (at) ', '[at]', '[@]', ' {AT} '))}{dotted}",
            plain + ".",
        ]
    return random.choice(forms)


def text_of(addresses: list[Address], random: Random) -> str:
    """Addresses among words, or as a list of recipients."""
    if random.random() < 0.3:
        return random.choice((", ", "; ", "\n", " ")).join(spelt(a, random) for a in addresses)
    parts = []
    for address in addresses:
        parts += [random.choice(WORDS), spelt(address, random)]
    return random.choice((" ", "\n", "  ")).join([*parts, random.choice(WORDS)])


def hidden(text: str, random: Random) -> str:
    """What a page does to a text: nothing, HTML, percent or base64."""
    if "%" in text or "://" in text or random.random() < 0.6:
        return text
    encoded = base64.b64encode(text.encode()).decode()
    return random.choice(
        (f"<p>{text}</p>", f"see {encoded} end", quote(text), text.replace("@", ENTITY))
    )


@dataclass
class Naive:
    """Every address that each source showed, and whether for certain."""

    shown: dict[str, list[tuple[Address, bool]]] = field(
        default_factory=lambda: {source: [] for source in SOURCES}
    )

    def exactly(self, address: Address, source: str) -> Truth:
        found = [Truth(2 if sure else 1) for one, sure in self.shown[source] if one == address]
        return max(found, default=FALSE)

    def widely(self, address: Address, source: str) -> Truth:
        return max(
            (
                Truth(2 if is_certain else 1)
                for one, is_certain in self.shown[source]
                if type(one) is type(address) and one.wider == address.wider
            ),
            default=FALSE,
        )

    def seen(self, asked: list[Address], source: str) -> Truth:
        return min(self.widely(address, source) for address in asked)

    def only_from(self, asked: list[Address], source: str) -> Truth:
        return max(self._only_one_from(address, source) for address in asked)

    def _only_one_from(self, address: Address, source: str) -> Truth:
        answers = [self.widely(address, source)]
        for other in SOURCES:
            if other != source:
                doubt = min(self.widely(address, other), UNKNOWN)
                answers.append(Truth(2 - max(self.exactly(address, other), doubt)))
        return min(answers)


def show_event(addresses: list[Address], random: Random, naive: Naive) -> dict[str, Any]:
    """An event that shows some addresses, taken in by the naive side as well."""
    text = hidden(text_of(addresses, random), random)
    if ENTITY in text:
        # The page is read as it stands as well, where hosts stand by themselves.
        mails = [address for address in addresses if isinstance(address, Mail)]
        addresses = [*addresses, *(Url("", mail.domain, "") for mail in mails)]
    if random.random() < 0.5:
        naive.shown["user"] += [(address, True) for address in addresses]
        return {"kind": "message.user", "text": text}
    is_sure = random.random() < 0.8
    naive.shown["web"] += [(address, is_sure) for address in addresses]
    arguments = {"ok": True} if is_sure else {}
    return {"kind": "tool.completed", "tool": "web", "args": arguments, "result": {"page": [text]}}


def test_two_spellings_of_an_address_are_one_and_two_addresses_are_two() -> None:
    """At every event, for lists and single texts, with doubts and across restarts."""
    program, counts = compiled(), dict.fromkeys(Truth, 0)
    for seed in range(max(CASES // 12, 100)):
        random, naive, shelf = Random(FIRST_SEED + seed), Naive(), Shelf()
        engine = Kernel(program, SETTINGS, shelf.load)
        # Few, so that they meet again.
        drawn = [choose_address(random) for _ in range(random.randrange(1, 6))]
        for number in range(random.randrange(2, 12)):
            chosen = random.choices(drawn, k=random.choice((1, 1, 2, 3)))
            head = {"session": "s", "seq": number, "ts": number * 1_000}
            if random.random() < 0.5:
                content = head | show_event(chosen, random, naive)
                assert not told_at(engine, decoded(content)), (FIRST_SEED + seed, content)
                continue
            value: Any = text_of(chosen, random)
            if random.random() < 0.3:
                value = [spelt(address, random) for address in chosen]
            content = head | {"kind": "tool.requested", "tool": "pay", "args": {"v": value}}
            expected = {f"seen-{source}": naive.seen(chosen, source) for source in SOURCES}
            expected |= {
                f"only_from-{source}": naive.only_from(chosen, source) for source in SOURCES
            }
            told = told_at(engine, decoded(content))
            if "\n" in value:
                # Readers who drop line ends may make another address of it.
                expected |= {k: UNKNOWN for k, v in told.items() if v is UNKNOWN}
            assert told == {k: v for k, v in expected.items() if v}, (
                FIRST_SEED + seed,
                content,
                naive.shown,
            )
            for truth in expected.values():
                counts[truth] += 1
            if random.random() < 0.2:
                shelf.keep(*engine.take_changes())
                engine = Kernel(program, SETTINGS, shelf.load)
    assert min(counts.values()) > sum(counts.values()) / 100, counts


def test_an_endorsement_never_makes_a_value_only_a_strangers() -> None:
    """What another source shows beside lowers `only_from`, whatever texts are drawn."""
    program, falls_count = compiled(), 0
    for seed in range(max(CASES // 12, 100)):
        random = Random(FIRST_SEED + seed)
        drawn = [choose_address(random) for _ in range(3)]
        events = [show_event(random.choices(drawn, k=2), random, Naive()) for _ in range(3)]
        said = {"kind": "message.user", "text": text_of(random.choices(drawn, k=2), random)}
        pay = {"kind": "tool.requested", "tool": "pay", "args": {"v": text_of(drawn[:2], random)}}
        told = []
        for contents in ([*events, pay], [*events, said, pay]):
            engine = Kernel(program, SETTINGS)
            for number, content in enumerate(contents):
                head = {"session": "s", "seq": number, "ts": number * 1_000}
                answers = told_at(engine, decoded(head | content))
            told.append(answers.get("only_from-web", FALSE))
        assert told[1] <= told[0], (FIRST_SEED + seed, events, said, pay)
        falls_count += told[1] < told[0]
    assert falls_count > 5, falls_count


def test_a_normal_form_is_read_as_itself() -> None:
    """Reading what was read changes nothing."""
    for seed in range(max(CASES, 500)):
        random = Random(FIRST_SEED + seed)
        address = choose_address(random)
        (first,) = read_addresses(spelt(address, random), 64).addresses
        (again,) = read_addresses(first.text, 64).addresses
        assert again == first, FIRST_SEED + seed
