"""How a run is going, in words and as a bar; in virtual time."""

from __future__ import annotations

import asyncio
import io
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from bulkpause.forecast import Forecast
from bulkpause.progress import Progress, Snapshot, Style, count, duration, eta, line, remarks
from tests.virtual_time import VirtualClock, run_virtually


def foretold(left: int, *, per_s: float = 4.0, time_left_s: float | None = None, most_per_s: float = 20.0) -> Forecast:
    return Forecast(left=left, attempts_per_s=per_s, most_per_s=most_per_s, time_left_s=time_left_s)


START = Snapshot(
    done=0, total=600, failed=0, throttled=0, in_flight=8, held_s=0.0, stopping=False, forecast=foretold(600)
)
UNTIL = datetime(2026, 11, 24, 22, 15, tzinfo=UTC)


class _Terminal(io.StringIO):
    """A terminal, for rich."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.0, "0.0 s"),
        (0.25, "0.2 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min 0 s"),
        (200.0, "3 min 20 s"),
        (3599.6, "1 h 0 min"),
        (7500.0, "2 h 5 min"),
        (360000.0, "100 h 0 min"),
    ],
)
def test_a_duration_is_said_in_two_units_at_most(seconds: float, words: str) -> None:
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("snapshot", "words"),
    [
        (START, "0 of 600 done, 4.0/s, 2 min 30 s left"),
        (
            replace(START, done=1200, total=12_000, forecast=foretold(10_800)),
            "1,200 of 12,000 done, 4.0/s, 45 min 0 s left",
        ),
        (replace(START, done=3, total=None, forecast=foretold(0)), "3 done, 4.0/s"),
        (replace(START, done=600, forecast=foretold(0)), "600 of 600 done, 4.0/s"),
        (
            replace(START, done=8, total=None, failed=1, throttled=2, held_s=12.0, stopping=True, forecast=foretold(0)),
            "8 done, 4.0/s, stopping, 8 in flight, held for 12 s more, 1 failed, 2 throttled (429)",
        ),
        (
            replace(START, is_failing=True, asks_in_s=7.2, failed=3),
            "0 of 600 done, 4.0/s, service fails (breaker open), asked again in 7.2 s, 3 failed",
        ),
        (replace(START, is_failing=True), "0 of 600 done, 4.0/s, service fails (breaker open), being asked"),
        (
            replace(START, limit_per_s=38.7, retries_spent=True),
            "0 of 600 done, 4.0/s, 2 min 30 s left, retry budget spent, service allows about 39/s",
        ),
    ],
)
def test_a_line_says_how_far_how_fast_how_long_and_what_is_wrong(snapshot: Snapshot, words: str) -> None:
    assert line(snapshot) == words


@pytest.mark.parametrize(
    ("time_left_s", "words"),
    [
        (200.0, "fits until 22:15"),
        (60.0, "fits at 10/s until 22:15"),
        (20.0, "does not fit until 22:15"),
        (0.0, "does not fit until 22:15"),
    ],
)
def test_under_a_limit_a_line_says_whether_the_rest_fits(time_left_s: float, words: str) -> None:
    snapshot = replace(START, until=UNTIL, forecast=foretold(600, time_left_s=time_left_s))
    assert line(snapshot) == f"0 of 600 done, 4.0/s, 2 min 30 s left, {words}"


def test_nothing_is_said_of_a_limit_before_the_pace_is_known() -> None:
    snapshot = replace(START, until=UNTIL, forecast=foretold(600, per_s=0.0, time_left_s=60.0))
    assert line(snapshot) == "0 of 600 done, 0.0/s"


def test_no_end_is_foretold_while_nothing_moves() -> None:
    assert eta(replace(START, forecast=foretold(600, per_s=0.0))) == ""
    assert remarks(START) == []
    assert count(replace(START, total=0)) == "0 of 0 done"


def shown(
    style: Style,
    *,
    for_s: float,
    stream: io.StringIO,
    per_s: float = 4.0,
    snapshot: Callable[[], Snapshot] | None = None,
) -> str:
    """What `stream` holds after so many seconds of a run that ends `per_s` reports a second."""

    async def run() -> None:
        clock = VirtualClock()

        def moving() -> Snapshot:
            done = min(600, int(clock.monotonic_s() * per_s))
            return replace(START, done=done, forecast=foretold(600 - done, per_s=per_s))

        progress = Progress(style, title="pause", snapshot=snapshot or moving, clock=clock, stream=stream)
        task = asyncio.create_task(progress.show())
        await clock.sleep(for_s)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    run_virtually(run())
    return stream.getvalue()


def test_elsewhere_a_plain_line_comes_every_ten_seconds() -> None:
    lines = shown("plain", for_s=35.0, stream=io.StringIO()).splitlines()
    assert lines == [
        "pause: 40 of 600 done, 4.0/s, 2 min 20 s left",
        "pause: 80 of 600 done, 4.0/s, 2 min 10 s left",
        "pause: 120 of 600 done, 4.0/s, 2 min 0 s left",
    ]


def test_nothing_is_shown_if_nothing_is_wanted() -> None:
    assert shown("none", for_s=60.0, stream=io.StringIO()) == ""


def test_a_stream_that_has_gone_ends_the_display_and_not_the_run() -> None:
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    assert shown("plain", for_s=60.0, stream=Gone()) == ""


def test_the_status_on_demand_is_one_line() -> None:
    async def ask() -> str:
        return Progress("none", title="resume", snapshot=lambda: START, clock=VirtualClock()).status()

    assert run_virtually(ask()) == "resume: 0 of 600 done, 4.0/s, 2 min 30 s left"


def frames(monkeypatch: pytest.MonkeyPatch, **options: object) -> list[str]:
    """The lines of the bar's frames, without their colours."""

    async def at_once(function: Callable[..., object], *args: object) -> object:
        return function(*args)  # virtual time does not wait for threads

    monkeypatch.setattr("asyncio.to_thread", at_once)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    text = shown("bar", stream=_Terminal(), **options)  # type: ignore[arg-type]
    return [part for part in re.split(r"[\r\n]+", re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", text)) if part.strip()]


def test_the_bar_fits_80_columns_with_everything_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    busy = replace(
        START,
        total=123_456,
        failed=123_456,
        throttled=1_234,
        held_s=299.0,
        stopping=True,
        forecast=foretold(0, per_s=0.0),
    )
    bar, words = frames(monkeypatch, for_s=0.25, snapshot=lambda: busy)[-2:]
    assert len(bar) <= 80
    assert re.fullmatch(r"pause ━+[╸╺]?━+ 0 of 123,456 done", bar.strip())
    assert words.strip() == "0.0/s, stopping, 8 in flight, held for 4 min 59 s more, 123,456 failed, 1…"


def test_the_bar_shows_count_time_left_and_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    bar, words = frames(monkeypatch, for_s=30.05)[-2:]
    assert re.fullmatch(r"pause ━+[╸╺]?━+ 120 of 600 done 2 min \d s left", bar.strip())
    assert words.strip() == "4.0/s"


def test_the_bar_stays_as_it_was_last_with_everything_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    assert re.fullmatch(r"pause ━+ 600 of 600 done", frames(monkeypatch, for_s=20.0, per_s=40.0)[-2].strip())


def test_a_source_of_unknown_length_makes_a_bar_without_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    bar = frames(monkeypatch, for_s=1.05, snapshot=lambda: replace(START, done=7, total=None, forecast=foretold(0)))[-2]
    assert re.fullmatch(r"pause ━+ 7 done", bar.strip())
