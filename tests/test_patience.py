"""A limit that ends what is late, and not what came while this process stood still; and who notices that."""

from __future__ import annotations

import asyncio

import pytest

from bulkpause.patience import BEAT_S, GRACE_S, LATE_S, Heartbeat, Patience
from tests.virtual_time import VirtualTimeLoop, run_virtually


def test_it_ends_what_takes_too_long_at_its_limit() -> None:
    async def main() -> float:
        with pytest.raises(TimeoutError):
            async with Patience(5.0):
                await asyncio.sleep(60)
        return asyncio.get_running_loop().time()

    assert run_virtually(main()) == pytest.approx(5.0)


def test_what_is_done_in_time_is_left_alone() -> None:
    async def main() -> float:
        async with Patience(5.0):
            await asyncio.sleep(4)
        await asyncio.sleep(60)
        return asyncio.get_running_loop().time()

    assert run_virtually(main()) == pytest.approx(64.0)


def test_entered_again_it_is_the_same_limit() -> None:
    async def main() -> float:
        patience = Patience(5.0)
        async with patience:
            await asyncio.sleep(4)
        with pytest.raises(TimeoutError):
            async with patience:
                await asyncio.sleep(4)
        return asyncio.get_running_loop().time()

    assert run_virtually(main()) == pytest.approx(5.0)


def test_a_cancellation_from_outside_stays_one() -> None:
    async def wait() -> None:
        async with Patience(5.0):
            await asyncio.sleep(60)

    async def main() -> None:
        task = asyncio.create_task(wait())
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run_virtually(main())


async def stand_still_and_wait(still_s: float, wait_s: float) -> None:
    """Within five seconds' patience."""
    async with Patience(5.0):
        stand_still(still_s)
        await asyncio.sleep(wait_s)


def stand_still(seconds: float) -> None:
    """The process is stopped, and every timer with it."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualTimeLoop)
    loop._jump(seconds)


@pytest.mark.parametrize("still_s", [5.0, 5.01, 20.0, 3600.0])
def test_what_arrived_while_the_process_stood_still_is_in_time(still_s: float) -> None:
    run_virtually(stand_still_and_wait(still_s, LATE_S / 2))  # to be read from the buffer


def test_standing_still_twice_is_forgiven_twice() -> None:
    async def main() -> None:
        async with Patience(5.0):
            for _ in range(2):
                stand_still(20.0)
                await asyncio.sleep(GRACE_S / 2)

    run_virtually(main())


def test_a_limit_shorter_than_the_look_before_it_ends_too() -> None:
    async def main() -> float:
        with pytest.raises(TimeoutError):
            async with Patience(LATE_S / 5):
                await asyncio.sleep(60)
        return asyncio.get_running_loop().time()

    assert run_virtually(main()) == pytest.approx(LATE_S)


def test_after_standing_still_it_waits_no_longer_than_the_grace() -> None:
    async def main() -> float:
        with pytest.raises(TimeoutError):
            await stand_still_and_wait(20.0, 60.0)
        return asyncio.get_running_loop().time()

    assert run_virtually(main()) == pytest.approx(20.0 + GRACE_S)


def test_a_timer_that_is_a_little_late_makes_the_end_as_much_later() -> None:
    async def main() -> float:
        with pytest.raises(TimeoutError):
            await stand_still_and_wait(5.0 - LATE_S / 2, 60.0)
        return asyncio.get_running_loop().time()

    assert run_virtually(main()) == pytest.approx(5.0 + LATE_S / 2)


@pytest.mark.parametrize(("still_s", "noticed"), [(0.0, False), (BEAT_S / 2, False), (3 * BEAT_S, True), (20.0, True)])
def test_a_heart_notices_that_the_process_stood_still(still_s: float, *, noticed: bool) -> None:
    async def main() -> float:
        with Heartbeat() as heart:
            await asyncio.sleep(10 * BEAT_S)
            stand_still(still_s)
            await asyncio.sleep(10 * BEAT_S)
            return heart.woke_s

    woke_s = run_virtually(main())
    assert woke_s == (pytest.approx(10 * BEAT_S + still_s, abs=BEAT_S) if noticed else float("-inf"))


def test_a_heart_notices_before_a_task_that_was_woken_goes_on() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        arrives: asyncio.Future[None] = loop.create_future()
        with Heartbeat() as heart:
            loop.call_later(1.5 * BEAT_S, arrives.set_result, None)
            await asyncio.sleep(0)
            stand_still(20.0)
            await arrives
            assert heart.woke_s > 0

    run_virtually(main())


def test_a_heart_stops_with_what_it_beats_for() -> None:
    async def main() -> None:
        with Heartbeat():
            await asyncio.sleep(1)
        await asyncio.sleep(1000)

    run_virtually(main())


async def quiet_for(*gaps_s: float, limit_s: float = 60.0, quiet_s: float = 5.0) -> tuple[float, bool]:
    """When it ends, and whether of the quiet, if something is heard after each of `gaps_s` and then nothing more."""
    patience = Patience(limit_s, quiet_s=quiet_s)
    try:
        async with patience:
            patience.heard()
            for gap_s in gaps_s:
                await asyncio.sleep(gap_s)
                patience.heard()
            await asyncio.sleep(1000)
    except TimeoutError:
        return asyncio.get_running_loop().time(), patience.was_quiet
    raise AssertionError


@pytest.mark.parametrize(
    ("gaps_s", "limit_s", "ended"),
    [
        pytest.param((), 60.0, (5.0, True), id="silent from the beginning"),
        pytest.param((4.0,), 60.0, (9.0, True), id="silent after a word"),
        pytest.param((4.9, 4.99, 4.999), 60.0, (19.889, True), id="heard at the last moment"),
        pytest.param((4.0,) * 20, 60.0, (60.0, False), id="one that trickles for ever"),
        pytest.param((), 5.0, (5.0, False), id="both at once are the whole"),
    ],
)
def test_it_ends_what_is_quiet_too_long(gaps_s: tuple[float, ...], limit_s: float, ended: tuple[float, bool]) -> None:
    at_s, was_quiet = run_virtually(quiet_for(*gaps_s, limit_s=limit_s))
    assert at_s == pytest.approx(ended[0], abs=LATE_S)
    assert was_quiet is ended[1]


def test_the_quiet_counts_from_when_it_is_the_far_sides_turn() -> None:
    async def wait() -> None:
        async with Patience(60.0, quiet_s=5.0) as patience:
            await asyncio.sleep(20)  # connecting
            patience.heard()
            await asyncio.sleep(1000)

    async def main() -> float:
        with pytest.raises(TimeoutError):
            await wait()
        return asyncio.get_running_loop().time()

    assert run_virtually(main()) == pytest.approx(25.0)


def test_entered_again_the_quiet_goes_on() -> None:
    async def main() -> float:
        patience = Patience(60.0, quiet_s=5.0)
        async with patience:
            patience.heard()
            await asyncio.sleep(3)
        with pytest.raises(TimeoutError):
            async with patience:
                await asyncio.sleep(1000)
        return asyncio.get_running_loop().time()

    assert run_virtually(main()) == pytest.approx(5.0)


@pytest.mark.parametrize("still_s", [5.0, 20.0, 3600.0])
def test_quiet_in_which_the_process_stood_still_is_nobodys_fault(still_s: float) -> None:
    async def main() -> None:
        patience = Patience(4000.0, quiet_s=5.0)
        async with patience:
            patience.heard()
            stand_still(still_s)
            await asyncio.sleep(LATE_S / 2)

    run_virtually(main())
