"""When a run must be over: what an operator may write, the instant it means, and how late attempts may leave."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from datetime import time as time_of_day
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bulkpause.clock import LocalZone
from bulkpause.limits import (
    Moment,
    Reserve,
    Window,
    parse_duration,
    parse_until,
    reserve,
    resolve_until,
    spell_duration,
)

ZONES = sorted(
    {"Europe/Amsterdam", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca", "Asia/Kolkata"}
    & available_timezones()
)
NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
INSTANTS = st.integers(0, 4 * 365 * 24 * 60).map(
    lambda minutes: datetime(2024, 1, 1, tzinfo=UTC) + timedelta(0, 60 * minutes)
)
TIMES = st.times().map(lambda at: at.replace(second=0, microsecond=0))

with_zones = pytest.mark.skipif(not ZONES, reason="this machine has no database of zones")


@pytest.fixture
def amsterdam(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalZone]:
    """The local zone of a machine in Amsterdam."""
    if not hasattr(time, "tzset"):
        pytest.skip("the zone of this system is not ours to choose")
    monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
    time.tzset()
    yield LocalZone()
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("45m", 2700.0),
        ("1h30m", 5400.0),
        ("90s", 90.0),
        ("2700", 2700.0),
        (" 1h 30min ", 5400.0),
        ("1h5", 3605.0),
        ("0.5h", 1800.0),
        ("2.5s", 2.5),
        ("0", 0.0),
    ],
)
def test_a_duration_has_hours_minutes_and_seconds(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", " ", "h", "m45", "-5m", "1m2h", "1d", "45 minutes", "1e3", "٣m", "1,5h", "nan"])
def test_what_is_no_duration_is_refused_with_the_forms(text: str) -> None:
    with pytest.raises(ValueError, match="45m, 1h30m, 90s or 2700"):
        parse_duration(text)


@given(st.integers(0, 10**7).map(lambda tenths: tenths / 10))
def test_a_duration_reads_as_it_is_spelt(seconds: float) -> None:
    assert parse_duration(spell_duration(seconds)) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("23:30Z", "2026-11-24 23:30:00+00:00"),
        ("9:05Z", "2026-11-25 09:05:00+00:00"),
        ("23:30+01:00", "2026-11-24 23:30:00+01:00"),
        ("23:30 -05:30", "2026-11-24 23:30:00-05:30"),
        ("23:30:15UTC", "2026-11-24 23:30:15+00:00"),
        ("2026-11-24T23:30+01:00", "2026-11-24 23:30:00+01:00"),
        ("2026-11-24 23:30:00.5Z", "2026-11-24 23:30:00.500000+00:00"),
        ("12:00Z", "2026-11-25 12:00:00+00:00"),
        ("12:00+14:00", "2026-11-25 12:00:00+14:00"),
    ],
)
def test_a_time_means_the_next_instant_that_shows_it(text: str, said: str) -> None:
    assert str(resolve_until(parse_until(text), now=NOON, local=UTC)) == said


@with_zones
@pytest.mark.parametrize("text", ["23:30 Europe/Amsterdam", "23:30Europe/Amsterdam"])
def test_a_time_may_name_its_zone(text: str) -> None:
    assert str(resolve_until(parse_until(text), now=NOON, local=UTC)) == "2026-11-24 23:30:00+01:00"


@pytest.mark.parametrize(
    "text", ["", "23", "23:30:", "24:00", "23:60", "23:30+25:00", "23:30+01:75", "tomorrow", "2026-13-01T23:30", "11pm"]
)
def test_what_is_no_time_is_refused_with_the_forms(text: str) -> None:
    with pytest.raises(ValueError, match=r"23:30 Europe/Amsterdam, 23:30\+01:00, 23:30Z"):
        parse_until(text)


@pytest.mark.parametrize("name", ["Mars/Olympus", "Europe", "etc/../passwd", "a" * 300])
def test_a_zone_that_this_machine_does_not_know_is_refused_with_the_way_out(name: str) -> None:
    with pytest.raises(ValueError, match="does not know; give an offset" if ".." not in name else "must be a time"):
        parse_until(f"23:30 {name}")


def test_a_date_that_has_passed_is_refused() -> None:
    with pytest.raises(ValueError, match="has passed: it is 2026-11-24 13:00:00\\+01:00 now"):
        resolve_until(parse_until("2026-11-24T12:30+01:00"), now=NOON, local=UTC)


@pytest.mark.parametrize(
    ("now", "text", "said"),
    [
        ("2026-03-28T23:00Z", "02:30", "2026-03-29 03:00:00+02:00"),  # skipped: when the clocks jump
        ("2026-03-28T23:00Z", "03:30", "2026-03-29 03:30:00+02:00"),
        ("2026-10-24T23:00Z", "02:30", "2026-10-25 02:30:00+02:00"),  # shown twice: the earlier
        ("2026-10-25T00:45Z", "02:30", "2026-10-25 02:30:00+01:00"),  # that is over, the other one is ahead
        ("2026-10-25T01:45Z", "02:30", "2026-10-26 02:30:00+01:00"),
        ("2026-10-24T23:00Z", "2026-10-25T02:30", "2026-10-25 02:30:00+02:00"),
    ],
)
def test_local_time_is_safe_where_the_clocks_change(amsterdam: LocalZone, now: str, text: str, said: str) -> None:
    assert str(resolve_until(parse_until(text), now=datetime.fromisoformat(now), local=amsterdam)) == said


@with_zones
@given(
    name=st.sampled_from(ZONES or [""]),
    now=INSTANTS,
    at=TIMES,
)
def test_a_time_of_day_is_within_a_day_and_on_the_clock_or_where_the_clocks_jump(
    name: str, now: datetime, at: time_of_day
) -> None:
    zone = ZoneInfo(name)
    wanted = Moment(at, zone=zone)
    found = resolve_until(wanted, now=now, local=UTC)
    shown = found.astimezone(zone)
    assert timedelta(0) < found - now <= timedelta(hours=25)
    if shown.time() != wanted.time:
        moment_before = (found - timedelta(microseconds=1)).astimezone(UTC).astimezone(zone)
        jump = shown.replace(tzinfo=None) - moment_before.replace(tzinfo=None)
        assert jump > timedelta(microseconds=1)
        assert moment_before.time() < wanted.time < shown.time()


@with_zones
@given(
    name=st.sampled_from(ZONES or [""]),
    now=INSTANTS,
    at=TIMES,
)
def test_no_earlier_instant_shows_the_time(name: str, now: datetime, at: time_of_day) -> None:
    zone = ZoneInfo(name)
    wanted = Moment(at, zone=zone)
    found = resolve_until(wanted, now=now, local=UTC)
    assume(found.astimezone(zone).time() == wanted.time)
    earlier = [found - timedelta(minutes=15 * back) for back in range(1, 101)]
    assert wanted.time not in {moment.astimezone(zone).time() for moment in earlier if moment > now}


@pytest.mark.parametrize("name", ZONES)
@pytest.mark.skipif(not hasattr(time, "tzset"), reason="the zone of this system is not ours to choose")
def test_the_systems_zone_keeps_the_same_rules_as_the_database(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", name)
    time.tzset()
    try:
        for hours in range(0, 365 * 24, 7):
            moment = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=hours)
            here, there = moment.astimezone(LocalZone()), moment.astimezone(ZoneInfo(name))
            assert (str(here), here.fold, here.tzname()) == (str(there), there.fold, there.tzname())
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(
    ("window", "left_s"),
    [
        (Window(), math.inf),
        (Window(time_limit_s=600), 540.0),
        (Window(until=NOON + timedelta(seconds=100)), 100.0),
        (Window(time_limit_s=600, until=NOON + timedelta(seconds=100)), 100.0),
        (Window(time_limit_s=600, until=NOON + timedelta(hours=9), guard_s=60), 480.0),
        (Window(until=NOON - timedelta(seconds=5)), -5.0),
    ],
)
def test_a_window_ends_with_what_ends_first_less_the_guard(window: Window, left_s: float) -> None:
    assert window.left_s(now=NOON, elapsed_s=60.0) == left_s
    assert window.is_limited == (left_s < math.inf)


@pytest.mark.parametrize(
    ("window", "ends_at"),
    [
        (Window(), None),
        (Window(time_limit_s=600, guard_s=60), NOON + timedelta(seconds=540)),
        (Window(until=NOON), NOON),
        (Window(time_limit_s=600, until=NOON + timedelta(seconds=9)), NOON + timedelta(seconds=9)),
    ],
)
def test_the_limit_on_the_wall_clock_does_not_have_the_guard_taken_off(
    window: Window, ends_at: datetime | None
) -> None:
    assert window.ends_at(now=NOON, elapsed_s=60.0) == ends_at


def test_of_two_offsets_the_instants_are_compared() -> None:
    window = Window(until=datetime(2026, 11, 24, 14, 0, tzinfo=timezone(timedelta(hours=1))), time_limit_s=7200)
    assert window.left_s(now=NOON, elapsed_s=0.0) == 3600


@pytest.mark.parametrize(
    ("window_s", "kept_free"),
    [
        (3600.0, Reserve(first_s=60.5, retry_s=30.0)),
        (600.0, Reserve(first_s=60.5, retry_s=30.0)),
        (60.0, Reserve(first_s=45.0, retry_s=30.0)),
        (-5.0, Reserve(first_s=30.0, retry_s=30.0)),
    ],
)
def test_a_report_is_begun_while_there_is_time_for_one_retry_but_no_more_than_a_quarter_of_the_window(
    window_s: float, kept_free: Reserve
) -> None:
    assert reserve(window_s, timeout_s=30.0, backoff_s=0.5) == kept_free
