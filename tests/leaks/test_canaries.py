"""The search for marked secrets: no way of writing one hides it, and nothing else is taken for one."""

from __future__ import annotations

import base64
import html
import json
import random
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest

from bulkpause.leaks.canaries import ODD, found_in, issued, planted
from bulkpause.leaks.report import Leak, LeakReport

RNG = random.Random(7)  # noqa: S311 - the same every time
CANARY = planted("here", RNG, odd=ODD)
OTHER = planted("there", RNG, odd=ODD)
TOKEN = issued("a token", "".join(map(chr, RNG.choices(range(97, 123), k=900))))

SPELT: dict[str, Callable[[str], str]] = {
    "plain": str,
    "percent-encoded": lambda text: quote(text, ""),
    "percent-encoded to the last character": lambda text: "".join(f"%{byte:02x}" for byte in text.encode()),
    "a form": quote_plus,
    "JSON": json.dumps,
    "JSON with every character escaped": lambda text: "".join(f"\\u{ord(char):04x}" for char in text),
    "repr": repr,
    "HTML": html.escape,
    "HTML by numbers": lambda text: "".join(f"&#{ord(char)};" for char in text),
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64 of user and password": lambda text: base64.b64encode(f"me:{text}".encode()).decode(),
    "base64 for URLs": lambda text: base64.urlsafe_b64encode(f"m:{text}".encode()).decode(),
    "hexadecimal": lambda text: text.encode().hex(),
    "backwards": lambda text: text[::-1],
    "upper case": str.upper,
    "broken at the margin": lambda text: f"{text[:9]}\n    {text[9:]}",
    "in colour": lambda text: f"\x1b[1m{text[:9]}\x1b[0m{text[9:]}",
    "cut": lambda text: text[:23],
}


@pytest.mark.parametrize("spell", SPELT.values(), ids=SPELT.keys())
def test_a_canary_is_found_however_it_is_written(spell: Callable[[str], str]) -> None:
    content = f'{{"message": "so {spell(CANARY.value)} it ends"}}'.encode()
    assert found_in(content, [OTHER, CANARY, TOKEN]) == [CANARY]


@pytest.mark.parametrize("part", [slice(None), slice(200, 300), slice(440, 500), slice(850, 900)])
def test_a_long_token_is_found_by_its_parts(part: slice) -> None:
    assert found_in(f"...{TOKEN.value[part]}...".encode(), [CANARY, TOKEN]) == [TOKEN]


def test_what_was_struck_out_is_not_found() -> None:
    assert (
        found_in(b"Authorization: Bearer ****, cny, 0b5c2c1e-7a31-4d0e-9c54-5f2d1f6b8a90", [CANARY, OTHER, TOKEN]) == []
    )


def test_a_canary_does_not_print_itself() -> None:
    assert CANARY.value not in repr(CANARY)


def report(**given: object) -> LeakReport:
    facts: dict[str, object] = {
        "leaks": [],
        "places": ["here", "there"],
        "commands": 2,
        "artefacts": 9,
        "searched_bytes": 12_345,
        "struck": 30,
        "flaws": [],
    }
    return LeakReport(**{**facts, **given})  # type: ignore[arg-type]  # as above


TRIED = "2 marked secrets, 2 commands, 9 files with 12,345 bytes searched"


def test_a_clean_report_says_what_was_tried() -> None:
    assert report().is_clean
    assert report().lines() == [f"No secret has left the process: {TRIED}, 30 places struck out."]


def test_a_leak_is_told_by_its_place_and_where_it_was_found() -> None:
    found = report(leaks=[Leak(place="here", artefact="a/stderr"), Leak(place="here", artefact="a/audit.jsonl")])
    assert not found.is_clean
    assert found.lines() == [f"SECRETS LEAK: 1 of {TRIED}, 30 places struck out.", "  here: in a/stderr, a/audit.jsonl"]
    assert found.to_dict()["leaks"][1] == {"place": "here", "artefact": "a/audit.jsonl"}


@pytest.mark.parametrize(("given", "line"), [({"struck": 0}, None), ({"flaws": ["x: exit code 3"]}, "x: exit code 3")])
def test_a_test_that_did_not_try_everything_proves_nothing(given: dict[str, object], line: str | None) -> None:
    found = report(**given)
    assert not found.is_clean
    assert found.lines()[0].startswith("Not proven: ")
    assert line is None or found.lines()[1] == f"  not tried as planned: {line}"
