"""What separates failures from successes: candidates of every kind, weighed against what chance would do. Pure.

A split is worth the bits of information it gives about which reports failed, less the bits that it takes to say which
of all splits of its kind it is (minimum description length): a moment has to separate better than one of two statuses.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate, takewhile
from typing import Final, NamedTuple

from bulkpause.diagnosis.symptoms import Symptom

CLAIM_BITS: Final = 10.0
"""What a split must be worth to be named: by chance, one in a thousand is."""
LEAST_SHARE: Final = 0.5
"""Of the failures that it is about, which must be inside."""
LEAST_RATIO: Final = 2.0
"""How much more often reports must fail inside than outside."""
FEWEST: Final = 3
"""Failures that can have something in common."""
LONGEST_PREFIX: Final = 8
ROUNDS: Final = 3
"""In which a stretch is made to fit."""
MOST_GROUPS: Final = 4
"""Kinds of failures that are looked at on their own."""


class Kind(StrEnum):
    """What a cause goes by."""

    TIME = "time"
    TOKEN = "token"  # noqa: S105 - a kind of cause
    ROWS = "rows"
    PREFIX = "prefix"
    BEFORE = "before"
    CODE = "code"
    """Nothing else separates them: what they say is all there is."""


class Shape(StrEnum):
    """How what is inside lies in its order."""

    SINCE = "since"
    UNTIL = "until"
    WITHIN = "within"
    EQUAL = "equal"


class Target(NamedTuple):
    """Failures that are looked at together; those with other codes or words are left aside meanwhile."""

    code: str | None = None
    words: str | None = None

    def matches(self, symptom: Symptom) -> bool:
        """Whether the report failed so."""
        failure = symptom.failure
        return failure is not None and self.code in {None, failure[0]} and self.words in {None, failure[1]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """One way to part the reports, and what it is worth. Both ends are inside."""

    kind: Kind
    shape: Shape
    target: Target
    bits: float
    low: float = -math.inf
    high: float = math.inf
    text: str = ""

    def contains(self, symptom: Symptom, renewals_s: Sequence[float]) -> bool:
        """Whether the report is inside."""
        match self.kind:
            case Kind.TIME:
                return self.low <= symptom.left_s <= self.high
            case Kind.TOKEN if self.shape is Shape.EQUAL:
                return self.low <= age_s(symptom, renewals_s) <= self.high
            case Kind.TOKEN:
                return self.low <= symptom.left_s < self.high
            case Kind.ROWS:
                return self.low <= symptom.row <= self.high
            case Kind.PREFIX:
                return symptom.report_id.startswith(self.text)
            case Kind.BEFORE:
                return symptom.before == self.text
            case Kind.CODE:
                return True


def age_s(symptom: Symptom, renewals_s: Sequence[float]) -> float:
    """How long before its last attempt the token was renewed; infinite if it was not."""
    place = bisect_right(renewals_s, symptom.left_s)
    return symptom.left_s - renewals_s[place - 1] if place else math.inf


def separations(kept: Sequence[Symptom], renewals_s: Sequence[float]) -> list[Split]:
    """The best split of each kind that is worth naming, the best first. `kept` is in the order in which they ended."""
    best: dict[Kind, Split] = {}
    targets = _targets(kept)
    for target in targets:
        order = [one for one in kept if one.failure is None or target.matches(one)]
        sample = _Sample(order, target, math.log2(len(targets)))
        if not FEWEST <= sample.failed < sample.total:
            continue
        for split in _candidates(sample, renewals_s):
            if split.kind not in best or split.bits > best[split.kind].bits:
                best[split.kind] = split
    return sorted(best.values(), key=lambda split: -split.bits)


def _targets(kept: Iterable[Symptom]) -> list[Target]:
    """All failures, those of one code, those of one code and the same words: the most frequent."""
    failures = [one.failure for one in kept if one.failure is not None]
    codes, words = Counter(code for code, _ in failures), Counter(failures)
    targets = [Target(code) for code, _ in codes.most_common(MOST_GROUPS)]
    if len(codes) > 1:
        targets.insert(0, Target())
    targets += [Target(*both) for both, count in words.most_common(MOST_GROUPS) if count < codes[both[0]]]
    return targets


class _Sample:
    """What is to be parted: failures of one target, and what did not fail."""

    def __init__(self, order: Sequence[Symptom], target: Target, cost_bits: float) -> None:
        self.order = order
        self.bads = [one.failure is not None for one in order]
        self.target = target
        self.total, self.failed = len(order), sum(self.bads)
        self._doubt_bits = _doubt_bits(self.failed, self.total) - cost_bits
        """Without any split, less what it costs to say which target it is."""

    def worth(self, hits: int, inside: int, cost_bits: float) -> float | None:
        """The bits that a split is worth; None if it is not to be named."""
        outside, misses = self.total - inside, self.failed - hits
        if not inside or not outside or hits < max(FEWEST, LEAST_SHARE * self.failed):
            return None
        if hits * outside < LEAST_RATIO * misses * inside:
            return None
        bits = self._doubt_bits - _doubt_bits(hits, inside) - _doubt_bits(misses, outside) - cost_bits
        return bits if bits >= CLAIM_BITS else None


def _doubt_bits(bads: int, total: int) -> float:
    """How many bits it takes to say which of them are bad."""
    return sum(count * math.log2(total / count) for count in (bads, total - bads) if count)


def _candidates(sample: _Sample, renewals_s: Sequence[float]) -> Iterator[Split]:
    yield from _by_time(sample)
    yield from _by_row(sample)
    if renewals_s:
        yield from _by_token(sample, renewals_s)
    yield from _by_prefix(sample)
    yield from _by_status(sample)


def _by_time(sample: _Sample) -> Iterator[Split]:
    """By when requests left: a slow answer is about the moment in which it was asked for."""
    lefts_s, bads = _sorted(sample, [one.left_s for one in sample.order])
    cost_bits = math.log2(len(bads)) + 1
    for shape, place, worth in _edges(sample, bads, cost_bits):
        low, high = (lefts_s[place], math.inf) if shape is Shape.SINCE else (-math.inf, lefts_s[place - 1])
        yield Split(kind=Kind.TIME, shape=shape, target=sample.target, bits=worth, low=low, high=high)
    start, stop = _densest(bads)
    # One bit more than for rows: where both fit, rows are what can be looked at.
    if (bits := sample.worth(sum(bads[start:stop]), stop - start, 2 * cost_bits)) is not None:
        low, high = lefts_s[start], lefts_s[stop - 1]
        yield Split(kind=Kind.TIME, shape=Shape.WITHIN, target=sample.target, bits=bits, low=low, high=high)


def _by_row(sample: _Sample) -> Iterator[Split]:
    """A stretch of rows; up to the last one so far it has no end yet, and is a moment rather."""
    rows, bads = _sorted(sample, [one.row for one in sample.order])
    start, stop = _densest(bads)
    ends = 2 if stop < len(bads) else 3
    if (bits := sample.worth(sum(bads[start:stop]), stop - start, ends * math.log2(len(bads)) + 1)) is not None:
        low, high = rows[start], rows[stop - 1]
        yield Split(kind=Kind.ROWS, shape=Shape.WITHIN, target=sample.target, bits=bits, low=low, high=high)


def _sorted(sample: _Sample, values: Sequence[float]) -> tuple[list[float], list[bool]]:
    """The values in their order, and which of them failed."""
    pairs = sorted(zip(values, sample.bads, strict=True))
    return [value for value, _ in pairs], [bad for _, bad in pairs]


def _by_token(sample: _Sample, renewals_s: Sequence[float]) -> Iterator[Split]:
    """Since or until one renewal, with one token, or for a while after every renewal."""
    lefts_s, bads = _sorted(sample, [one.left_s for one in sample.order])
    before = [0, *accumulate(bads)]
    places = [0, *(bisect_left(lefts_s, at_s) for at_s in renewals_s), len(lefts_s)]
    bounds_s = [-math.inf, *renewals_s, math.inf]
    last = len(renewals_s) + 1
    spans = [(Shape.SINCE, number, last) for number in range(1, last)]
    spans += [(Shape.UNTIL, 0, number) for number in range(1, last)]
    spans += [(Shape.WITHIN, number, number + 1) for number in range(1, last - 1)]
    for shape, start, stop in spans:
        low, high = places[start], places[stop]
        bits = sample.worth(before[high] - before[low], high - low, math.log2(last) + 2)
        if bits is not None:
            low_s, high_s = bounds_s[start], bounds_s[stop]
            yield Split(kind=Kind.TOKEN, shape=shape, target=sample.target, bits=bits, low=low_s, high=high_s)
    ages_s, bads = _sorted(sample, [age_s(one, renewals_s) for one in sample.order])
    for shape, place, worth in _edges(sample, bads, math.log2(len(bads)) + 2):
        if shape is Shape.UNTIL and (age := ages_s[place - 1]) < math.inf:
            yield Split(kind=Kind.TOKEN, shape=Shape.EQUAL, target=sample.target, bits=worth, low=0.0, high=age)


def _by_prefix(sample: _Sample) -> Iterator[Split]:
    for length in range(1, LONGEST_PREFIX + 1):
        totals = Counter(one.report_id[:length] for one in sample.order)
        hits = Counter(one.report_id[:length] for one, bad in zip(sample.order, sample.bads, strict=True) if bad)
        prefix, most = hits.most_common(1)[0]
        if (bits := sample.worth(most, totals[prefix], math.log2(len(totals)) + 2)) is not None:
            inside = [one.report_id for one in sample.order if one.report_id.startswith(prefix)]
            text = _common_prefix(min(inside), max(inside))[:LONGEST_PREFIX]
            yield Split(kind=Kind.PREFIX, shape=Shape.EQUAL, target=sample.target, bits=bits, text=text)


def _common_prefix(one: str, other: str) -> str:
    return "".join(a for a, _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def _by_status(sample: _Sample) -> Iterator[Split]:
    totals = Counter(one.before for one in sample.order)
    hits = Counter(one.before for one, bad in zip(sample.order, sample.bads, strict=True) if bad)
    for before, total in totals.items():
        if before is None:
            continue
        if (bits := sample.worth(hits[before], total, math.log2(len(totals)) + 1)) is not None:
            yield Split(kind=Kind.BEFORE, shape=Shape.EQUAL, target=sample.target, bits=bits, text=before)


def _edges(sample: _Sample, bads: Sequence[bool], cost_bits: float) -> Iterator[tuple[Shape, int, float]]:
    """The best place from which on, and the best up to which, reports fail; with what each is worth."""
    before = [0, *accumulate(bads)]
    size, total = len(bads), before[-1]
    for shape in (Shape.SINCE, Shape.UNTIL):
        best, found = 0.0, 0
        for place in range(1, size):
            hits, inside = before[place], place
            if shape is Shape.SINCE:
                hits, inside = total - hits, size - inside
            bits = sample.worth(hits, inside, cost_bits)
            if bits is not None and bits > best:
                best, found = bits, place
        if found:
            yield shape, found, best


def _densest(bads: Sequence[bool]) -> tuple[int, int]:
    """The stretch that parts best: first the one with the most failures beyond the average, then the likeliest."""
    average = sum(bads) / len(bads)
    start, stop = _heaviest(bads, 1 - average, -average)
    for _ in range(ROUNDS):
        hits, inside = sum(bads[start:stop]), stop - start
        often = (hits + 0.5) / (inside + 1)
        seldom = (sum(bads) - hits + 0.5) / (len(bads) - inside + 1)
        if often <= seldom:
            break
        start, stop = _heaviest(bads, math.log(often / seldom), math.log((1 - often) / (1 - seldom)))
    return start, stop


def _heaviest(bads: Sequence[bool], bad: float, good: float) -> tuple[int, int]:
    """The stretch with the greatest sum of weights, by Kadane's algorithm."""
    best, found, level, start = 0.0, (0, 0), 0.0, 0
    for place, is_bad in enumerate(bads):
        if level <= 0:
            level, start = 0.0, place
        level += bad if is_bad else good
        if level > best:
            best, found = level, (start, place + 1)
    return found
