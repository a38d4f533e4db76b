"""The grammar of `--rate-limit`."""

from __future__ import annotations

import pytest

from bulkpause.sandbox import RATE_LIMIT_HELP, Drop, RateLimit, parse_rate_limit
from bulkpause.sandbox.faults import Shape


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("10/s", RateLimit(limit=10, period_s=1)),
        ("600/min", RateLimit(limit=600, period_s=60)),
        ("10/60s:window", RateLimit(limit=10, period_s=60)),
        ("10/60s:epoch=wall", RateLimit(limit=10, period_s=60, wall=True)),
        ("10/60s:sliding", RateLimit(limit=10, period_s=60, algorithm="sliding")),
        ("5/500ms:headers", RateLimit(limit=5, period_s=0.5, headers=True)),
        ("9/h:token-bucket:headers", RateLimit(limit=9, period_s=3600, algorithm="token-bucket", headers=True)),
        ("9/s:token-bucket:burst=2", RateLimit(limit=9, period_s=1, algorithm="token-bucket", burst=2)),
        ("9/s:count-refused:sliding", RateLimit(limit=9, period_s=1, algorithm="sliding", count_refused=True)),
        ("9/s:drop=4@10..20", RateLimit(limit=9, period_s=1, drops=(Drop(4, 10, 20),))),
        ("9/s:drop=4@0..1.5:drop=1@2..", RateLimit(limit=9, period_s=1, drops=(Drop(4, 0, 1.5), Drop(1, 2)))),
        ("9/s:retry-after=decimal", RateLimit(limit=9, period_s=1, retry_after="decimal")),
        ("9/s:body=envelope", RateLimit(limit=9, period_s=1, shape=Shape.ENVELOPE)),
    ],
)
def test_a_rate_limit_is_read(text: str, rate: RateLimit) -> None:
    assert parse_rate_limit(text) == rate


@pytest.mark.parametrize("text", ["", "10", "0/s", "-1/s", "10/day", "1.5/s", "10/0s", ":headers"])
def test_a_wrong_rate_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=f"rate limit '{text}' "):
        parse_rate_limit(text)


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        ("leaky", "'leaky' is not one of window, sliding, token-bucket, count-refused, headers, burst="),
        ("headers=yes", "'headers=yes' is not one of"),
        ("", "'' is not one of"),
        ("burst", "'burst' is not one of"),
        ("token-bucket:burst=0", "'0' is not 1 or more"),
        ("burst=5", "burst= goes with token-bucket only"),
        ("sliding:epoch=wall", "epoch= goes with window only"),
        ("epoch=noon", "'noon' is not an epoch: wall"),
        ("window:sliding", "'sliding' says again, or otherwise, what another word has said"),
        ("headers:headers", "'headers' says again"),
        ("retry-after=soon", "'soon' is not a form of Retry-After: ceil, one, decimal, date, none"),
        ("body=xml", "'xml' is not a shape of error body: envelope, gateway"),
        ("drop=4", "drop=4 is not like drop=40@10..20 or drop=40@10.."),
        ("drop=4@10", "drop=4@10 is not like"),
        ("drop=0@1..2", "'0' is not 1 or more"),
        ("drop=4@x..2", "'x' is not a number such as 2 or 0.5"),
        ("drop=4@2..2", "a drop from 2 to 2 s runs backwards"),
        ("drop=10@1..2", "a drop to 10 is none: the limit is 10"),
    ],
)
def test_a_word_that_is_not_understood_is_named_with_the_forms(words: str, hint: str) -> None:
    with pytest.raises(ValueError, match="rate limit") as refused:
        parse_rate_limit(f"10/s:{words}")
    assert str(refused.value).startswith(f"rate limit '10/s:{words}': {hint}")


@pytest.mark.parametrize(
    "word",
    ["window", "sliding", "token-bucket", "burst=", "count-refused", "drop=", "epoch=wall", "headers", "retry-after="],
)
def test_every_word_is_explained(word: str) -> None:
    assert f"        {word}" in RATE_LIMIT_HELP
