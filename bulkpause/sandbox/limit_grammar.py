"""The grammar of `--rate-limit`. Pure."""

from __future__ import annotations

import re
from typing import Any, Final, get_args

from bulkpause.sandbox.faults import Shape
from bulkpause.sandbox.pace import Algorithm, Drop, RateLimit, RetryAfter
from bulkpause.sandbox.terms import choose, number, positive

RATE_LIMIT_HELP: Final = """\
LIMIT/PERIOD[:WORD...]   10/s, 600/min, 10/60s, 5/500ms, 1000/h; beyond it the answer is 429

WORD    window            counted anew in each period, the first of which begins with the first request (the default)
        sliding           no period, wherever it begins, has more than LIMIT let through
        token-bucket      refills evenly, holds LIMIT; refused requests cost as well, to one bucket of debt
        burst=N           a token bucket that holds N; refused requests cost nothing
        count-refused     refused requests count too: who goes on asking is never let in again by a sliding limit
        drop=N@A..B       the limit is N from A to B seconds after the first request; A.. is for good; repeatable
        epoch=wall        windows are whole periods of the wall clock
        headers           X-RateLimit-Limit and X-RateLimit-Remaining on every reply
        retry-after=FORM  ceil     whole seconds, rounded up, at least 1 (the default)
                          one      always 1
                          decimal  to the millisecond, such as 0.35
                          date     an HTTP date, rounded up to the second
                          none     no such header
        body=SHAPE        of the 429: gateway (the default), envelope, partner, api, entra, html, empty
"""

_UNIT_S: Final = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0}
_RATE: Final = re.compile(r"(\d+)/(\d+(?:\.\d+)?)?(ms|s|min|h)", re.ASCII)
_DROP: Final = re.compile(r"([^@]+)@([^@]+?)\.\.([^@]*)", re.ASCII)
_ALGORITHMS: Final = get_args(Algorithm)
_FORMS: Final = get_args(RetryAfter)


def parse_rate_limit(text: str) -> RateLimit:
    """A limit as `RATE_LIMIT_HELP` describes it; ValueError says which part is not understood, and names the forms."""
    rate, *words = text.split(":")
    match = _RATE.fullmatch(rate)
    if match is None or int(match[1]) < 1:
        raise ValueError(f"rate limit {text!r} is not like 10/s, 600/min, 10/60s:sliding or 10/s:token-bucket:burst=5")
    limit, period_s = int(match[1]), float(match[2] or 1) * _UNIT_S[match[3]]
    if period_s <= 0:
        raise ValueError(f"rate limit {text!r} has no period")
    try:
        given = _given(words)
        _check(limit, given)
    except ValueError as error:
        raise ValueError(f"rate limit {text!r}: {error}") from None
    return RateLimit(limit=limit, period_s=period_s, **given)


def _given(words: list[str]) -> dict[str, Any]:
    """What the words say, by the names of a RateLimit."""
    given: dict[str, Any] = {}
    for word in words:
        field, value = _parse_word(word)
        if field == "drops":
            value = (*given.pop(field, ()), value)
        if field in given:
            raise ValueError(f"{word!r} says again, or otherwise, what another word has said")
        given[field] = value
    return given


def _parse_word(word: str) -> tuple[str, Any]:
    name, equals, value = word.partition("=")
    match name, equals:
        case (("window" | "sliding" | "token-bucket"), ""):
            return "algorithm", name
        case "count-refused", "":
            return "count_refused", True
        case "headers", "":
            return "headers", True
        case "burst", "=":
            return "burst", positive(value)
        case "drop", "=":
            return "drops", _drop(value)
        case "epoch", "=":
            return "wall", choose(["wall"], value, "an epoch") == "wall"
        case "retry-after", "=":
            return "retry_after", choose(_FORMS, value, "a form of Retry-After")
        case "body", "=":
            return "shape", Shape(choose(Shape, value, "a shape of error body"))
        case _:
            known = f"{', '.join(_ALGORITHMS)}, count-refused, headers, burst=, drop=, epoch=, retry-after=, body="
            raise ValueError(f"{word!r} is not one of {known}")


def _drop(text: str) -> Drop:
    match = _DROP.fullmatch(text)
    if match is None:
        raise ValueError(f"drop={text} is not like drop=40@10..20 or drop=40@10..")
    drop = Drop(positive(match[1]), number(match[2]))
    return Drop(drop.limit, drop.from_s, number(match[3])) if match[3] else drop


def _check(limit: int, given: dict[str, Any]) -> None:
    """Refuse words that do not go together."""
    algorithm = given.get("algorithm", "window")
    if "burst" in given and algorithm != "token-bucket":
        raise ValueError("burst= goes with token-bucket only")
    if "wall" in given and algorithm != "window":
        raise ValueError("epoch= goes with window only")
    for drop in given.get("drops", ()):
        if drop.limit >= limit:
            raise ValueError(f"a drop to {drop.limit} is none: the limit is {limit}")
        if drop.until_s <= drop.from_s:
            raise ValueError(f"a drop from {drop.from_s:g} to {drop.until_s:g} s runs backwards")
