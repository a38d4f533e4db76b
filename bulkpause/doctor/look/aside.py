"""Calls that may hang for good, on a dead disk or a mute name server: made aside, and given up in time."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


async def aside(call: Callable[[], T], *, timeout_s: float) -> T:
    """What `call` returns or raises, from a thread that the end of the program does not wait for.

    Raises TimeoutError if that takes longer than `timeout_s`; the thread is left to itself then.
    """
    outcome = concurrent.futures.Future[T]()

    def run() -> None:
        try:
            outcome.set_result(call())
        except BaseException as error:  # noqa: BLE001 - carried to the event loop and raised there
            outcome.set_exception(error)

    threading.Thread(target=run, name="bulkpause-doctor", daemon=True).start()
    done, _ = await asyncio.wait({asyncio.wrap_future(outcome)}, timeout=timeout_s)
    if not done:
        raise TimeoutError
    return done.pop().result()
