"""Calls made aside: what they come to, and that nobody has to wait for one that hangs."""

from __future__ import annotations

import asyncio
import threading

import pytest

from bulkpause.aside import aside, begin_aside


async def test_what_it_returns_or_raises_is_handed_over() -> None:
    assert await aside(lambda: threading.current_thread().name, name="test") == "bulkpause-test"
    with pytest.raises(ZeroDivisionError):
        await aside(lambda: 1 / 0, name="test", timeout_s=5)


async def test_one_that_hangs_is_given_up_and_may_end_when_it_likes() -> None:
    over, threads_before = threading.Event(), set(threading.enumerate())
    with pytest.raises(TimeoutError):
        await aside(over.wait, name="test", timeout_s=0.02)
    waiting = asyncio.create_task(aside(over.wait, name="test"))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    over.set()  # a result that were refused now would be an error in a thread, and fail this test
    for thread in set(threading.enumerate()) - threads_before:
        thread.join(5)


def test_it_can_be_waited_for_without_an_event_loop_and_not_be_cancelled() -> None:
    over = threading.Event()
    outcome = begin_aside(over.wait, name="test")
    assert not outcome.cancel()
    over.set()
    assert outcome.result(timeout=5) is True
