"""The fullest windows of a run, and what its parts certify of them."""

from __future__ import annotations

from itertools import accumulate
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkpause.summary import FullestWindows, RunSummary
from bulkpause.summary.windows import SPANS_S, most

GAPS = st.lists(st.sampled_from([0.0, 0.02, 0.25, 0.5, 1.0, 3.3, 9.0, 10.0, 60.0]) | st.floats(0, 70), max_size=80)
CERTIFICATE: dict[str, Any] = {
    "requests": 30,
    "fullest_1_s": 10,
    "fullest_10_s": 30,
    "fullest_60_s": 30,
    "rate_limit_per_s": 10.0,
    "exceeded": False,
}


def departed(*times_s: float) -> FullestWindows:
    """The windows of requests that left at these times."""
    windows = FullestWindows()
    for at_s in times_s:
        windows.add(at_s)
    return windows


def fullest(*times_s: float) -> tuple[int, ...]:
    return tuple(departed(*times_s).to_dict().values())[1:]


@given(GAPS)
def test_the_figures_are_those_of_looking_at_every_window(gaps: list[float]) -> None:
    times_s = list(accumulate(gaps))
    looked = [
        max((sum(0 <= at - start < span for at in times_s) for start in times_s), default=0) for span in (1, 10, 60)
    ]
    assert departed(*times_s).to_dict() == {"requests": len(times_s), **dict(zip(SPANS_S, looked, strict=True))}


def test_a_window_ends_just_before_its_length_is_over() -> None:
    assert fullest(5.0, 5.999) == (2, 2, 2)
    assert fullest(5.0, 6.0) == (1, 2, 2)
    assert fullest(5.0, 15.0) == (1, 1, 2)
    assert fullest(5.0, 65.0) == (1, 1, 1)


def test_a_window_may_begin_anywhere() -> None:
    assert fullest(0.9, 0.95, 1.1, 1.15, 1.8) == (5, 5, 5)


def test_the_fullest_window_is_remembered_when_it_is_over() -> None:
    assert fullest(0.0, 0.1, 0.2, 500.0, 900.0) == (3, 3, 3)


def test_before_the_first_request_all_is_zero() -> None:
    assert departed().to_dict() == {"requests": 0, "fullest_1_s": 0, "fullest_10_s": 0, "fullest_60_s": 0}


def test_no_more_than_the_times_of_a_minute_are_kept() -> None:
    windows = departed(*(0.1 * number for number in range(5000)))
    assert sum(map(len, windows._ages)) <= windows.to_dict()["fullest_60_s"] <= 601


@pytest.mark.parametrize(
    ("rate_per_s", "span_s", "count"),
    [
        (50.0, 1, 51),
        (50.0, 60, 3001),
        (2.5, 1, 3),
        (10 / 60, 1, 1),
        (10 / 60, 10, 2),
        (10 / 60, 60, 11),
        (7 / 60, 60, 8),
    ],
)
def test_a_window_may_hold_its_rate_and_one_more(rate_per_s: float, span_s: float, count: int) -> None:
    assert most(span_s, rate_per_s=rate_per_s) == count


@given(st.sampled_from([0.1, 10 / 60, 0.5, 1.0, 2.5, 3.0, 7.0, 50.0]), st.integers(0, 99))
def test_an_even_stream_at_the_agreed_rate_is_within_it(rate_per_s: float, offset: int) -> None:
    windows = departed(*((offset + number) / rate_per_s for number in range(300)))
    assert windows.certificate(rate_per_s=rate_per_s)["exceeded"] is False


@pytest.mark.parametrize(("requests", "exceeded"), [(3, False), (4, True)])
def test_one_request_too_many_in_any_window_is_above_the_rate(requests: int, exceeded: bool) -> None:
    windows = departed(*(0.1 * number for number in range(requests)), 100.0)
    assert windows.certificate(rate_per_s=2.0) == {
        "requests": requests + 1,
        **dict.fromkeys(SPANS_S, requests),
        "rate_limit_per_s": 2.0,
        "exceeded": exceeded,
    }


def test_a_minute_can_be_above_the_rate_though_no_second_is() -> None:
    assert departed(*range(0, 60, 5)).certificate(rate_per_s=10 / 60)["exceeded"] is True


def summed(*lines: tuple[str, dict[str, Any]]) -> Any:
    """What the summary says of the windows after these ledger lines."""
    summary = RunSummary()
    for event, fields in lines:
        summary.add_event(event, fields)
    return summary.to_dict()["rate_windows"]


def test_nothing_is_known_of_a_run_without_its_certificate() -> None:
    assert summed(("run_started", {})) is None


def test_the_summary_says_what_a_run_has_certified() -> None:
    assert summed(("run_started", {}), ("rate_certified", CERTIFICATE)) == {**CERTIFICATE, "unknown_parts": 0}


@pytest.mark.parametrize("above", [0, 1])
def test_of_several_parts_the_fullest_windows_count_and_one_above_the_rate_is_enough(above: int) -> None:
    other = {**CERTIFICATE, "requests": 12, "fullest_1_s": 12, "fullest_10_s": 12, "fullest_60_s": 12}
    first, second = ({**fields, "exceeded": above == place} for place, fields in enumerate((CERTIFICATE, other)))
    assert summed(
        ("run_started", {}),
        ("rate_certified", first),
        ("run_continued", {}),
        ("rate_certified", {**second, "rate_limit_per_s": 20}),
    ) == {
        "requests": 42,
        "fullest_1_s": 12,
        "fullest_10_s": 30,
        "fullest_60_s": 30,
        "rate_limit_per_s": 20,
        "exceeded": True,
        "unknown_parts": 0,
    }


def test_a_part_that_was_killed_is_unknown() -> None:
    windows = summed(("run_started", {}), ("run_continued", {}), ("rate_certified", CERTIFICATE))
    assert windows == {**CERTIFICATE, "unknown_parts": 1}


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {**CERTIFICATE, "requests": "30"},
        {**CERTIFICATE, "fullest_60_s": -1},
        {**CERTIFICATE, "fullest_1_s": True},
        {**CERTIFICATE, "rate_limit_per_s": 0},
        {**CERTIFICATE, "rate_limit_per_s": None},
        {**CERTIFICATE, "exceeded": 1},
    ],
)
def test_a_certificate_that_is_none_changes_nothing(fields: dict[str, Any]) -> None:
    summary = RunSummary()
    with pytest.raises((KeyError, TypeError)):
        summary.add_event("rate_certified", fields)
    assert summary.to_dict() == RunSummary().to_dict()
