"""What a diagnosis says, word for word."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from bulkpause.diagnosis import Symptoms, diagnose
from bulkpause.models import Outcome, ReportId, Status

BEGIN = datetime(2026, 11, 24, 22, 4, tzinfo=UTC)
Story = Callable[[int], tuple[int | None, str] | None]
"""The status code and the words of the failure of a row; None for one that succeeds."""


def sentences(
    story: Story,
    *,
    rows: int = 160,
    every_s: float = 0.1,
    renewals_s: tuple[float, ...] = (),
    ids: Callable[[int], str] | None = None,
    before: Callable[[int], str | None] = lambda _: None,
) -> list[str]:
    """What is said of a run that sends a request every tenth of a second, in the order of its rows from 1."""
    symptoms, rng = Symptoms(random.Random(1)), random.Random(2)  # noqa: S311
    for at_s in renewals_s:
        symptoms.renewed(BEGIN + timedelta(seconds=at_s))
    for row in range(1, rows + 1):
        failure = story(row)
        report_id = ids(row) if ids else f"{rng.getrandbits(32):08x}"
        outcome = Outcome(
            Status.SUCCEEDED if failure is None else Status.REJECTED,
            row=row,
            report_id=ReportId(report_id),
            status_code=200 if failure is None else failure[0],
            before=before(row),
            tries=1,
        )
        now = BEGIN + timedelta(seconds=row * every_s)
        symptoms.add(outcome, words="" if failure is None else failure[1], now=now)
    return [cause.sentence for cause in diagnose(symptoms)]


def denied(row: int) -> tuple[int, str]:
    return 403, "Forbidden"


def test_a_moment_is_named_with_the_row_and_what_was_before_and_once_only() -> None:
    said = sentences(lambda row: denied(row) if row > 100 else None)
    assert said == [
        "All 403 since 22:04:10 UTC, the first in row 101; none of the 100 before",
        "All 60 failures are 403 'Forbidden'",
    ]


def test_a_renewal_of_the_token_shortly_before_is_named() -> None:
    said = sentences(lambda row: denied(row) if row > 100 else None, renewals_s=(8.1,))
    assert said[0] == "All 403 since 22:04:10 UTC, the first 2.0 s after the token was renewed; none of the 100 before"


def test_what_failed_from_a_renewal_on_goes_by_the_token() -> None:
    said = sentences(lambda row: denied(row) if row > 100 else None, renewals_s=(3.0, 10.05))
    assert said[0] == "All 403 since 22:04:10 UTC, the first 0.0 s after the token was renewed; none of the 100 before"


def test_what_failed_until_a_renewal_goes_by_the_token_too() -> None:
    said = sentences(lambda row: denied(row) if row < 30 else None, renewals_s=(2.95,))
    assert said[0] == "All 29 until the token was renewed at 22:04:02 UTC are 403; none of the 131 after"


def test_one_token_that_was_bad_is_named() -> None:
    said = sentences(lambda row: denied(row) if 50 <= row < 90 else None, renewals_s=(4.95, 8.95, 12.0))
    assert said[0] == (
        "All 40 with the token of 22:04:04 UTC, up to its renewal at 22:04:08 UTC, are 403; none of the 120 others"
    )


def test_what_fails_for_a_while_after_every_renewal_is_named() -> None:
    said = sentences(lambda row: denied(row) if row % 50 < 8 and row > 8 else None, renewals_s=(4.95, 9.95, 14.95))
    assert said[0] == "All 24 in the first 0.8 s after the token was renewed, 3 times, are 403; none of the 136 others"


def test_failures_that_ended_by_themselves_are_named() -> None:
    said = sentences(lambda row: denied(row) if row < 30 else None)
    assert said[0] == "All 29 until 22:04:02 UTC are 403; none of the 131 after"


def test_a_stretch_of_rows_is_named() -> None:
    said = sentences(lambda row: (404, f"No item found with id {row:016}") if 60 <= row < 90 else None)
    assert said == [
        "All 30 in rows 60 to 89 of the source are 404; none of the 130 others",
        "All 30 failures are 404 'No item found with id 0000000000000060'",
    ]


def test_what_ids_begin_with_is_named_as_far_as_it_goes() -> None:
    rng = random.Random(3)  # noqa: S311

    def ids(row: int) -> str:
        return f"3f2{rng.getrandbits(20):05x}" if row % 10 == 0 else f"{rng.choice('01245')}{rng.getrandbits(28):07x}"

    said = sentences(lambda row: (404, "") if row % 10 == 0 else None, ids=ids)
    assert said[0] == "All 16 with ids that begin 3f2 are 404; none of the 144 others"


def test_what_reports_were_before_is_named() -> None:
    said = sentences(
        lambda row: (409, "expired") if row % 7 == 0 and row != 7 else None,
        before=lambda row: "Inactive" if row % 7 == 0 else "Active",
    )
    assert said == [
        "21 of 22 that were Inactive before the run are 409; none of the 138 others",
        "All 21 failures are 409 'expired'",
    ]


def test_failures_of_other_kinds_do_not_blur_a_moment() -> None:
    def story(row: int) -> tuple[int, str] | None:
        return (500, "oops") if row % 23 == 0 else denied(row) if row > 100 else None

    assert sentences(story)[0] == ("58 of 60 since 22:04:10 UTC are 403, the first in row 101; none of the 100 before")


def test_words_tell_failures_of_one_code_apart() -> None:
    def story(row: int) -> tuple[int, str] | None:
        return (400, "bad name") if row % 9 == 0 else (400, "locked") if row > 100 else None

    assert sentences(story)[0].startswith("54 of 60 since 22:04:10 UTC are 400 'locked'")


@pytest.mark.parametrize(
    ("story", "said"),
    [
        (
            lambda row: (404, "No item found") if row % 5 == 0 else None,
            "All 32 failures are 404 'No item found', spread",
        ),
        (
            lambda row: (404, "") if row % 5 == 0 else (500, "") if row == 7 else None,
            "32 of 33 failures are 404, spread",
        ),
        (
            lambda row: (400, f"{chr(97 + row % 3)} is wrong") if row % 5 == 0 else None,
            "All 32 failures are 400, mostly '",
        ),
        (
            lambda row: (None, "connection reset") if row % 5 == 0 else None,
            "All 32 failures are unanswered 'connection",
        ),
        (
            lambda row: (200, "is Active") if row % 5 == 0 else None,
            "All 32 failures are rejected (200) 'is Active', spread",
        ),
        (lambda row: (404, "") if row == 5 else None, "The one failure is 404"),
        (denied, "All 160 failures are 403 'Forbidden'; nothing has succeeded"),
    ],
)
def test_where_nothing_separates_them_what_they_say_is_all_there_is(story: Story, said: str) -> None:
    (sentence,) = sentences(story)
    assert sentence.startswith(said)


def test_nothing_is_said_of_a_run_without_failures() -> None:
    assert sentences(lambda _: None) == []


def test_words_of_the_far_side_are_escaped_and_cut() -> None:
    (sentence,) = sentences(lambda row: (400, "\x1b[31m" + "x" * 1000) if row % 5 == 0 else None)
    assert sentence.startswith("All 32 failures are 400 '\\x1b[31mxxx")
    assert len(sentence) < 200


def test_a_run_over_days_has_dates() -> None:
    said = sentences(lambda row: denied(row) if row > 100 else None, every_s=600.0)
    assert said[0].startswith("All 403 since 2026-11-25 14:54:00 UTC, ")


@pytest.mark.parametrize("seed", range(50))
def test_chance_is_no_cause(seed: int) -> None:
    rng = random.Random(seed)  # noqa: S311
    share = rng.uniform(0.02, 0.5)
    statuses = ["Active", "Inactive", "unlisted"]
    said = sentences(
        lambda row: denied(row) if rng.random() < share else None,
        rows=rng.choice([30, 300, 1500]),
        renewals_s=(1.0, 2.5, 11.0),
        before=lambda _: rng.choice(statuses),
    )
    assert len(said) <= 1
