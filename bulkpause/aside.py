"""Calls that may hang for good, on a dead disk or a mute name server: made in threads that nobody has to wait for."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def begin_aside(call: Callable[[], T], *, name: str) -> concurrent.futures.Future[T]:
    """Make `call` in a thread of that name, which the end of the program does not wait for, as it would for a pool's.

    The future takes what it returns or raises, even if whoever waits for it has given up.
    """
    outcome = concurrent.futures.Future[T]()
    outcome.set_running_or_notify_cancel()  # from here on nobody can cancel it, and have the result refused

    def run() -> None:
        try:
            outcome.set_result(call())
        except BaseException as error:  # noqa: BLE001 - carried to who waits and raised there
            outcome.set_exception(error)

    threading.Thread(target=run, name=f"bulkpause-{name}", daemon=True).start()
    return outcome


async def aside(call: Callable[[], T], *, name: str, timeout_s: float | None = None) -> T:
    """What `call` returns or raises. TimeoutError if that takes longer than `timeout_s`; it is left to itself then."""
    async with asyncio.timeout(timeout_s):
        return await asyncio.wrap_future(begin_aside(call, name=name))
