"""A diagnosis in plain words: what separates the failures, with its evidence, and what they say. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple

from bulkpause.diagnosis.splits import Kind, Shape, Split, Target, age_s, separations
from bulkpause.diagnosis.symptoms import Symptom, Symptoms
from bulkpause.ids import escaped

MOST_CAUSES: Final = 3
"""Separations that are named beside what the failures say."""

WEAKEST: Final = 0.5
"""A further one must be worth this part of the first at least."""

ALIKE: Final = 0.9
"""Of the failures of two separations that go by the order of things: they are one and the same then."""

SOON_S: Final = 10.0
"""A failure so soon after a renewal of the token may have to do with it."""

WORDS_LIMIT: Final = 80

HALF_A_DAY_S: Final = 12 * 3600.0


_WHEN: Final = frozenset({Kind.TIME, Kind.TOKEN, Kind.ROWS})
"""A run goes through its rows in order."""


class Cause(NamedTuple):
    """One thing that separates the failures from the rest."""

    kind: Kind
    sentence: str
    split: Split | None = None
    """None for what the failures say."""


def diagnose(symptoms: Symptoms) -> list[Cause]:
    """What separates the failures, the clearest first, and last what they say; nothing if there are none."""
    kept = symptoms.kept()
    failures = [one for one in kept if one.failure is not None]
    if not failures:
        return []
    renewals_s = sorted(symptoms.renewals_s)
    case = _Case(kept, renewals_s)
    found = separations(kept, renewals_s)[:MOST_CAUSES]
    named = case.distinct([split for split in found if split.bits >= WEAKEST * found[0].bits])
    causes = [Cause(split.kind, case.sentence(split), split) for split in named]
    sentence = _what_they_say(failures, are_all=len(failures) == len(kept), is_spread=not causes)
    if not symptoms.is_whole:
        sentence += f" (of {len(kept):,} that are kept in mind, the latest among them)"
    return [*causes, Cause(Kind.CODE, sentence)]


class _Case:
    """What is kept, for counting inside and outside of a split."""

    def __init__(self, kept: Sequence[Symptom], renewals_s: Sequence[float]) -> None:
        self._kept = kept
        self._renewals_s = renewals_s
        ends_s = [one.ended_s for one in kept]
        form = "%H:%M:%S UTC" if max(ends_s) - min(ends_s) < HALF_A_DAY_S else "%Y-%m-%d %H:%M:%S UTC"
        self._at: Callable[[float], str] = lambda s: datetime.fromtimestamp(s, UTC).strftime(form)

    def distinct(self, splits: Sequence[Split]) -> list[Split]:
        """The splits without those that say of when what another one has said already."""
        named: list[Split] = []
        seen: list[set[int]] = []
        for split in splits:
            rows = {one.row for one in self._hits(split)}
            if split.kind in _WHEN:
                if any(len(rows & others) >= ALIKE * len(rows | others) for others in seen):
                    continue
                seen.append(rows)
            named.append(split)
        return named

    def _inside(self, split: Split) -> list[Symptom]:
        return [one for one in self._kept if split.contains(one, self._renewals_s)]

    def _hits(self, split: Split) -> list[Symptom]:
        return [one for one in self._inside(split) if split.target.matches(one)]

    def sentence(self, split: Split) -> str:
        """What is inside, and what is not."""
        inside, hits = self._inside(split), self._hits(split)
        misses = sum(map(split.target.matches, self._kept)) - len(hits)
        others = len(self._kept) - len(inside)
        rest = f"; {f'{misses:,}' if misses else 'none'} of the {others:,} {_elsewhere(split)}"
        place, beginning = self._place(split, hits), ""
        if split.shape is Shape.SINCE:
            beginning = self._beginning(split, hits)
            if len(hits) == len(inside):
                return f"All {_label(split.target) or 'failed'} {place}{beginning}{rest}"
        count = f"All {len(hits):,}" if len(hits) == len(inside) else f"{len(hits):,} of {len(inside):,}"
        return f"{count} {place} {_verb(split.target, len(hits))}{beginning}{rest}"

    def _place(self, split: Split, hits: Sequence[Symptom]) -> str:
        at, low, high = self._at, split.low, split.high
        match split.kind, split.shape:
            case ((Kind.TIME | Kind.TOKEN), Shape.SINCE):
                return f"since {at(min(one.left_s for one in hits))}"
            case Kind.TIME, Shape.UNTIL:
                return f"until {at(high)}"
            case Kind.TIME, _:
                return f"from {at(low)} to {at(high)}"
            case Kind.TOKEN, Shape.UNTIL:
                return f"until the token was renewed at {at(high)}"
            case Kind.TOKEN, Shape.WITHIN:
                return f"with the token of {at(low)}, up to its renewal at {at(high)},"
            case Kind.TOKEN, _:
                times = len({bisect_right(self._renewals_s, one.left_s) for one in hits})
                often = "" if times == 1 else f", {times:,} times,"
                return f"in the first {_seconds(high)} after the token was renewed{often}"
            case Kind.ROWS, _:
                return f"in rows {low:,.0f} to {high:,.0f} of the source"
            case Kind.PREFIX, _:
                return f"with ids that begin {split.text}"
            case _:
                return f"that were {escaped(split.text)} before the run"

    def _beginning(self, split: Split, hits: Sequence[Symptom]) -> str:
        """How soon after a renewal of the token it began, if that may have to do with it; else in which row."""
        first = min(hits, key=lambda one: one.left_s)
        age = first.left_s - split.low if split.kind is Kind.TOKEN else age_s(first, self._renewals_s)
        if split.kind is Kind.TOKEN or age <= SOON_S:
            return f", the first {_seconds(age)} after the token was renewed"
        return f", the first in row {first.row:,}"


def _elsewhere(split: Split) -> str:
    match split.shape:
        case Shape.SINCE:
            return "before"
        case Shape.UNTIL:
            return "after"
        case _:
            return "others"


def _label(target: Target) -> str:
    words = f" '{escaped(target.words, limit=WORDS_LIMIT)}'" if target.words else ""
    return f"{target.code or ''}{words}"


def _verb(target: Target, count: int) -> str:
    if target.code is None:
        return "failed"
    return f"{'is' if count == 1 else 'are'} {_label(target)}"


def _what_they_say(failures: Sequence[Symptom], *, are_all: bool, is_spread: bool) -> str:
    """The most frequent code and its most frequent words."""
    codes = Counter(one.failure[0] for one in failures if one.failure is not None)
    (code, count), total = codes.most_common(1)[0], len(failures)
    said = Counter(one.failure[1] for one in failures if one.failure is not None and one.failure[0] == code)
    words, alike = said.most_common(1)[0]
    example = next(one.words for one in failures if one.failure == (code, words))
    text = f" '{escaped(example, limit=WORDS_LIMIT)}'" if example else ""
    mostly = "" if alike == count else ", mostly"
    if total == 1:
        subject = "The one failure is"
    else:
        subject = f"{f'All {total:,}' if count == total else f'{count:,} of {total:,}'} failures are"
    ending = "; nothing has succeeded" if are_all else ", spread evenly over time and ids" if is_spread else ""
    return f"{subject} {code}{mostly}{text}{ending if total > 1 or are_all else ''}"


def _seconds(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:,.0f} s"  # noqa: PLR2004 - two digits are enough
