"""How far forecasts are off: seeded runs of 500 reports for each kind of service, in virtual time."""

from __future__ import annotations

import random

import pytest

from tests.forecast.runs import Foretold, Mood, foretold

SOME, FIFTY = range(16), range(50)
MANY = pytest.param(FIFTY, marks=pytest.mark.slow, id="fifty")
"""They cost a minute; sixteen say the same within the suite's three."""


def mixed_latency(rng: random.Random) -> float:
    return rng.uniform(0.05, 0.6)


def at_mark(run: list[Foretold], mark: float) -> Foretold:
    """The first forecast with so much done."""
    return next(one for one in run if one.share_done >= mark)


@pytest.mark.parametrize("seeds", [pytest.param(SOME, id="some"), MANY])
@pytest.mark.parametrize(
    "mood",
    [
        pytest.param(Mood(latency_s=mixed_latency), id="no faults"),
        pytest.param(Mood(latency_s=mixed_latency, fault_share=0.05), id="a twentieth faults"),
        pytest.param(Mood(latency_s=mixed_latency, fault_share=0.1), id="a tenth faults"),
        pytest.param(Mood(latency_s=mixed_latency, fault_share=0.05, limit_per_s=6), id="a lower limit than ours"),
    ],
)
def test_once_a_tenth_is_done_a_forecast_is_good_to_a_tenth(mood: Mood, seeds: range) -> None:
    """Every forecast of every one of the runs, by the time the run takes in all.

    At a tenth, a quarter and half of the reports also by what is left then, in all but one of them.
    """
    runs = [foretold(mood, seed=seed) for seed in seeds]
    worst = sorted(max(abs(one.said_s - one.came_s) / one.whole_s for one in run) for run in runs)
    assert worst[-1] < 0.1
    for mark in (0.1, 0.25, 0.5):
        errors = sorted(at_mark(run, mark).error for run in runs)
        assert errors[len(errors) // 2] < 0.05
        assert errors[-2] < 0.1


@pytest.mark.slow
def test_where_the_latency_alone_sets_the_pace_luck_takes_its_share() -> None:
    """Fifty replies of eight workers are too few to know their mean to a tenth in every run: in most they do."""
    mood = Mood(latency_s=lambda rng: rng.uniform(0.1, 0.5), fault_share=0.05)
    runs = [foretold(mood, seed=seed, per_s=100.0, concurrency=8) for seed in FIFTY]
    for mark in (0.1, 0.25, 0.5):
        errors = sorted(at_mark(run, mark).error for run in runs)
        assert errors[25] < 0.06
        assert errors[40] < 0.15


@pytest.mark.parametrize(
    ("limit_per_s", "reports", "fault_share", "seeds"),
    [
        (10, 500, 0.0, SOME),
        (10, 500, 0.05, SOME),
        pytest.param(10, 500, 0.0, FIFTY, marks=pytest.mark.slow),
        pytest.param(10, 500, 0.05, FIFTY, marks=pytest.mark.slow),
        pytest.param(30, 3000, 0.05, FIFTY[:12], marks=pytest.mark.slow),
        pytest.param(60, 3000, 0.05, FIFTY[:12], marks=pytest.mark.slow),
    ],
)
def test_a_limit_that_has_to_be_found_first_is_foretold_as_well(
    limit_per_s: float, reports: int, fault_share: float, seeds: range
) -> None:
    """By what is left, once a tenth is done: in all but two of the runs to a tenth, and in none much beyond."""
    mood = Mood(latency_s=lambda rng: rng.uniform(0.05, 0.15), fault_share=fault_share, limit_per_s=limit_per_s)
    runs = [foretold(mood, seed=seed, reports=reports, per_s=100.0, concurrency=64, adapt=True) for seed in seeds]
    errors = sorted(at_mark(run, 0.1).error for run in runs)
    assert errors[len(errors) // 2] < 0.07
    assert errors[-3] < 0.1
    assert errors[-1] < 0.15
