"""What is kept of a run for its diagnosis, however long it is."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

from bulkpause.diagnosis import Symptoms, diagnose
from bulkpause.diagnosis.symptoms import EARLIER, LATEST, RENEWALS
from bulkpause.models import Outcome, ReportId, Status

BEGIN = datetime(2026, 11, 24, 22, 4, tzinfo=UTC)


def told(rows: int) -> Symptoms:
    """A run in which every fourth report fails."""
    symptoms = Symptoms(random.Random(1))  # noqa: S311
    for row in range(1, rows + 1):
        status, code = (Status.DENIED, 403) if row % 4 == 0 else (Status.SUCCEEDED, 200)
        outcome = Outcome(
            status, row=row, report_id=ReportId(f"{row:08x}"), status_code=code, tries=1, attempt_ms=250.0
        )
        symptoms.add(outcome, words="Forbidden" if code == 403 else "", now=BEGIN + timedelta(seconds=row))
    return symptoms


def test_a_short_run_is_kept_whole_in_the_order_in_which_it_ended() -> None:
    symptoms = told(LATEST + EARLIER)
    assert symptoms.is_whole
    assert [one.row for one in symptoms.kept()] == list(range(1, LATEST + EARLIER + 1))


def test_of_a_long_run_the_latest_are_kept_and_a_fair_sample_of_those_before() -> None:
    symptoms = told(20_000)
    rows = [one.row for one in symptoms.kept()]
    assert not symptoms.is_whole
    assert rows[EARLIER:] == list(range(20_000 - LATEST + 1, 20_001))
    assert rows == sorted(rows)
    assert 7_500 < sum(rows[:EARLIER]) / EARLIER < 9_500  # of 17,000


def test_a_diagnosis_of_a_sample_says_so() -> None:
    (cause,) = diagnose(told(5_000))
    assert cause.sentence.endswith("over time and ids (of 4,000 that are kept in mind, the latest among them)")


def test_the_last_attempt_left_as_long_before_the_end_as_it_took() -> None:
    (one,) = told(1).kept()
    assert one.ended_s - one.left_s == 0.25


def test_renewals_beyond_number_do_not_fill_the_memory() -> None:
    symptoms = Symptoms(random.Random(1))  # noqa: S311
    for second in range(RENEWALS + 50):
        symptoms.renewed(BEGIN + timedelta(seconds=second))
    assert len(symptoms.renewals_s) == RENEWALS
