"""The time a run has under its settings, and what is foretold of it on the way and looking back; in virtual time."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, timedelta

import pytest

from bulkpause.models import Halt, HaltReason
from bulkpause.settings import Api, Duration, Rate, Retry, Run, Settings, Until
from bulkpause.timing import LOOK_S, Outlook, at_best, curfew_for, said_limits, with_rest
from tests.virtual_time import EPOCH, StandingClock, VirtualClock, run_virtually

HALT = Halt(HaltReason.TIME_LIMIT, "no time is left before noon")


def under(**limits: Duration | Until | None) -> Settings:
    return Settings(run=Run(**limits))  # type: ignore[arg-type]


def test_what_is_kept_free_follows_from_timeout_and_backoff() -> None:
    settings = replace(
        under(time_limit=Duration(3600)), api=Api(timeout_s=20.0), retry=Retry(backoff_base_s=3.0, backoff_cap_s=4.0)
    )
    assert curfew_for(settings, clock=StandingClock()).reserve == (43.0, 20.0)


def test_the_limit_is_shown_with_the_offset_it_was_given_in() -> None:
    until = Until.parse("01:30+01:00").resolved(now=EPOCH, local=UTC)
    curfew = curfew_for(under(until=until), clock=StandingClock())
    ends_at = curfew.ends_at()
    assert ends_at is not None
    assert (str(ends_at), ends_at - EPOCH) == ("2026-01-01 01:30:00+01:00", timedelta(minutes=30))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (under(), ""),
        (under(time_limit=Duration(2700)), "run.time_limit 45m"),
        (under(until=Until.parse("23:30"), guard=Duration(600)), "run.until 23:30, run.guard 10m"),
        (under(time_limit=Duration(60), until=Until.parse("23:30")), "run.time_limit 1m, run.until 23:30"),
    ],
)
def test_the_limits_are_named_as_they_were_given(settings: Settings, words: str) -> None:
    assert said_limits(settings) == words


def test_before_a_run_the_full_rate_is_all_there_is_to_go_by() -> None:
    settings = Settings(run=Run(rate=Rate(5.0), time_limit=Duration(600)))
    forecast = at_best(settings, 100, curfew_for(settings, clock=StandingClock()))
    assert (forecast.left_s, forecast.time_left_s) == (20.0, 539.5)


async def paced(outlook: Outlook, clock: VirtualClock, *, total: int | None, until: int, per_s: int = 10) -> None:
    """A run that ends so many reports a second, until so many have ended."""
    began_s = clock.monotonic_s()

    def look() -> None:
        done = int((clock.monotonic_s() - began_s) * per_s)
        outlook.look(done=done, total=total, answered=done, in_flight=1, held_s=0.0)

    task = asyncio.create_task(outlook.keep_looking(look))
    await clock.sleep(until / per_s)
    look()
    task.cancel()


def test_the_forecast_made_at_a_tenth_is_held_against_what_came() -> None:
    async def main() -> None:
        clock = VirtualClock()
        outlook = Outlook(curfew_for(under(), clock=clock), most_per_s=lambda: 10.0, clock=clock)
        await paced(outlook, clock, total=500, until=500)
        seen = outlook.looking_back(left=0)
        assert seen is not None
        assert seen["at_end"] is None
        assert seen["at_tenth"]["after_s"] == pytest.approx(5.0, abs=LOOK_S)
        assert seen["at_tenth"]["left"] <= 450
        assert seen["at_tenth"]["came_s"] == pytest.approx(seen["at_tenth"]["left_s"], rel=0.05)

    run_virtually(main())


def test_of_a_run_that_was_cut_short_is_said_what_the_rest_would_take() -> None:
    async def main() -> None:
        clock = VirtualClock()
        outlook = Outlook(curfew_for(under(), clock=clock), most_per_s=lambda: 10.0, clock=clock)
        await paced(outlook, clock, total=500, until=200)
        seen = outlook.looking_back(left=300)
        assert seen is not None
        assert seen["at_tenth"]["came_s"] is None
        assert seen["at_end"]["left"] == 300
        assert seen["at_end"]["left_s"] == pytest.approx(30.0, rel=0.05)
        halt = with_rest(HALT, outlook.of(300))
        assert halt.message == (
            "no time is left before noon. 300 reports are left, about 30 s at the pace of this run; "
            "the Next command does the rest."
        )

    run_virtually(main())


def test_a_run_without_a_pace_names_what_is_left_all_the_same() -> None:
    async def main() -> str:
        clock = VirtualClock()
        return with_rest(
            HALT, Outlook(curfew_for(under(), clock=clock), most_per_s=lambda: 1.0, clock=clock).of(1)
        ).message

    assert run_virtually(main()) == "no time is left before noon. 1 report is left; the Next command does the rest."


def test_a_source_of_unknown_length_has_a_pace_and_no_forecast() -> None:
    async def main() -> None:
        clock = VirtualClock()
        outlook = Outlook(curfew_for(under(), clock=clock), most_per_s=lambda: 10.0, clock=clock)
        await paced(outlook, clock, total=None, until=100)
        forecast = outlook.of(0)
        assert forecast.reports_per_s == pytest.approx(10.0, rel=0.05)
        assert forecast.left_s == 0.0
        assert outlook.looking_back(left=0) is None

    run_virtually(main())
