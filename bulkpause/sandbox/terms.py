"""Numbers and words of the sandbox's grammars. Pure; each ValueError says what is wanted."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

AMOUNT: Final = r"\d{1,9}(\.\d+)?"


def positive(text: str) -> int:
    """A whole number from 1."""
    if not re.fullmatch(r"0*[1-9]\d{0,8}", text, re.ASCII):
        raise ValueError(f"{text!r} is not 1 or more")
    return int(text)


def number(text: str) -> float:
    """A number from 0."""
    if not re.fullmatch(AMOUNT, text, re.ASCII):  # float() takes nan, inf and -1 as well
        raise ValueError(f"{text!r} is not a number such as 2 or 0.5")
    return float(text)


def choose(words: Iterable[str], word: str, what: str) -> str:
    """`word`, which must be one of `words`."""
    known = list(words)
    if word not in known:
        raise ValueError(f"{word!r} is not {what}: {', '.join(known)}")
    return word
