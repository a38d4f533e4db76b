"""Whatever happens in a run, its diagnosis is one, and claims no more than there is."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from bulkpause.diagnosis import Cause, Kind, Symptoms, diagnose
from bulkpause.models import Outcome, ReportId, Status

BEGIN = datetime(2026, 11, 24, 22, 4, tzinfo=UTC)

outcomes = st.builds(
    Outcome,
    status=st.sampled_from([Status.SUCCEEDED, Status.DENIED, Status.UNKNOWN, Status.EXHAUSTED]),
    row=st.integers(1, 100),
    report_id=st.text("0123456789abcdef", max_size=3).map(ReportId),
    status_code=st.sampled_from([None, 200, 403, 500]),
    before=st.sampled_from([None, "Active", "Inactive", "\x1b[2J"]),
    attempt_ms=st.sampled_from([None, 0.0, 250.0, 5000.0]),
    tries=st.just(1),
)
stories = st.lists(st.tuples(outcomes, st.sampled_from(["", "no", "no item 7", "\x1b[31m\n"])), max_size=80)


def diagnosed(story: list[tuple[Outcome, str]], steps: list[int], renewals: list[int]) -> list[Cause]:
    """The causes where so many seconds lie between one end and the next."""
    symptoms, now = Symptoms(random.Random(1)), BEGIN  # noqa: S311
    for second in renewals:
        symptoms.renewed(BEGIN + timedelta(seconds=second))
    for (outcome, words), step in zip(story, steps, strict=False):
        now += timedelta(seconds=step)
        symptoms.add(outcome, words=words, now=now)
    return diagnose(symptoms)


@given(stories, st.lists(st.integers(0, 3), min_size=80, max_size=80), st.lists(st.integers(0, 200), max_size=5))
def test_what_the_failures_say_comes_last_and_every_sentence_is_printable(
    story: list[tuple[Outcome, str]], steps: list[int], renewals: list[int]
) -> None:
    causes = diagnosed(story, steps, renewals)
    assert bool(causes) is any(not outcome.status.is_good for outcome, _ in story)
    assert [cause.kind is Kind.CODE for cause in causes] == [False] * (len(causes) - 1) + [True] * bool(causes)
    assert all(cause.sentence.isascii() and cause.sentence.isprintable() for cause in causes)
    worth = [cause.split.bits for cause in causes if cause.split is not None]
    assert worth == sorted(worth, reverse=True)


@given(st.lists(st.booleans(), min_size=20, max_size=80), st.integers(3, 40))
def test_a_block_of_failures_is_named_wherever_it_stands_among_successes(noise: list[bool], length: int) -> None:
    before, after = noise.count(True), noise.count(False)
    good = Outcome(Status.SUCCEEDED, row=1, status_code=200, tries=1)
    bad = Outcome(Status.DENIED, row=1, status_code=403, tries=1)
    story = [good] * before + [bad] * length + [good] * after
    numbered = [
        (one._replace(row=row, report_id=ReportId(f"{random.Random(row).getrandbits(32):08x}")), "")  # noqa: S311
        for row, one in enumerate(story, 1)
    ]
    causes = diagnosed(numbered, [1] * 200, [])
    if len(causes) > 1:
        assert causes[0].kind in {Kind.ROWS, Kind.TIME}
        assert f" {length} " in causes[0].sentence or causes[0].sentence.startswith("All 403 since")
    else:
        assert length < 8
