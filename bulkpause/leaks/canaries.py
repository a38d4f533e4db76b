"""Marked secrets, and the search for them in what a program has left behind. Pure; it owes nothing to the redactor."""

from __future__ import annotations

import base64
import html
import random
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote_to_bytes

ODD: Final = "/+% \"'<&é"
"""Characters that every way of quoting writes differently."""

CHUNK: Final = 20
"""So much of a long secret betrays it."""


@dataclass(frozen=True, slots=True)
class Canary:
    """One planted secret. Printing it does not show it."""

    place: str
    """Where it was planted, in words."""
    value: str = field(repr=False)
    marks: tuple[str, ...] = field(repr=False)
    """The parts of it that are looked for; each is like no other text."""

    def needles(self) -> frozenset[bytes]:
        """What betrays it in a file: each mark as it is, backwards, in hexadecimal and in base64."""
        return frozenset(needle for mark in self.marks for needle in _spelt(mark))


def planted(place: str, rng: random.Random, *, odd: str = "") -> Canary:
    """A fresh secret; `odd` are characters behind its mark."""
    mark = f"cny{rng.getrandbits(80):020x}"
    return Canary(place, f"{mark}{odd}", (mark,))


def issued(place: str, token: str) -> Canary:
    """A token that somebody else has made: looked for by parts of its claims and of its signature."""
    starts = {len(token) // 4, len(token) // 2, max(0, len(token) - 2 * CHUNK)}
    return Canary(place, token, tuple(token[start : start + CHUNK] for start in sorted(starts)))


def found_in(content: bytes, canaries: Iterable[Canary]) -> list[Canary]:
    """The canaries that `content` betrays, in any spelling; percent-encoding, HTML and escapes are undone first."""
    texts = [content, unquote_to_bytes(content.replace(b"+", b" "))]
    texts.append(html.unescape(content.decode("latin-1")).encode("latin-1", "replace"))
    texts.append(re.sub(rb"\\u00([0-9a-fA-F]{2})|\\x([0-9a-fA-F]{2})", _unescaped, content))
    texts.append(re.sub(rb"\x1b\[[0-9;]*[A-Za-z]|\s", b"", content))  # colours, and lines that were broken
    distinct = set(texts)
    return [canary for canary in canaries if any(needle in text for needle in canary.needles() for text in distinct)]


def _unescaped(found: re.Match[bytes]) -> bytes:
    return bytes([int(found[1] or found[2], 16)])


def _spelt(mark: str) -> Iterable[bytes]:
    raw = mark.encode()
    yield from (raw, raw[::-1], raw.upper(), raw.hex().encode())
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + raw)
        core = encoded[(0, 2, 3)[before] : (before + len(raw)) * 8 // 6]
        yield from (core, core.translate(bytes.maketrans(b"+/", b"-_")))
