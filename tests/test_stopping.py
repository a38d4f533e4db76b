"""What signals do to a run."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Iterator

import pytest

from bulkpause.stopping import STOPPING, StopSignals

HAS_USR1 = hasattr(signal, "SIGUSR1")


class _FakeRun:
    """Something to stop, three attempts of which fly."""

    def __init__(self, in_flight: int = 3) -> None:
        self.in_flight = in_flight
        self.told: list[str] = []

    def stop(self) -> None:
        self.told.append("stop")

    def cancel(self) -> None:
        self.told.append("cancel")


class _Scene:
    """Signals over a fake run, and everything said."""

    def __init__(self, in_flight: int = 3) -> None:
        self.run = _FakeRun(in_flight)
        self.said: list[str] = []
        self.left: list[int] = []
        self.noted: list[int] = []
        self.signals = StopSignals(say=self.said.append, leave=self.left.append)

    async def receive(self, *numbers: int) -> None:
        """As if a run were sent these, one after the other."""
        with self.signals.steering(self.run, status=lambda: "7 of 9 done", on_stop=self.noted.append):
            await raised(*numbers)


async def raised(*numbers: int) -> None:
    for number in numbers:
        signal.raise_signal(number)
        await asyncio.sleep(0)
        await asyncio.sleep(0)


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """Put every handler back, whatever a test does."""
    before = {number: signal.getsignal(number) for number in STOPPING}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", STOPPING)
async def test_the_first_signal_drains_and_says_so(number: signal.Signals) -> None:
    scene = _Scene()
    with scene.signals:
        await scene.receive(number)
    assert scene.run.told == ["stop"]
    assert scene.signals.received is number
    assert scene.noted == [number]
    assert scene.said == [f"{number.name}: stopping; 3 in flight may still land. Once more abandons them."]


async def test_with_nothing_in_flight_there_is_nothing_to_abandon() -> None:
    scene = _Scene(in_flight=0)
    with scene.signals:
        await scene.receive(signal.SIGTERM)
    assert scene.said == ["SIGTERM: stopping; nothing is in flight."]


async def test_the_second_signal_abandons_and_the_third_leaves_at_once() -> None:
    scene = _Scene()
    with scene.signals:
        await scene.receive(signal.SIGINT, signal.SIGTERM, signal.SIGINT)
    assert scene.run.told == ["stop", "cancel"]
    assert scene.noted == [signal.SIGINT]
    assert scene.left == [128 + signal.SIGINT]
    assert scene.signals.received is signal.SIGINT
    assert [text.partition(";")[0] for text in scene.said] == [
        "SIGINT: stopping",
        "SIGTERM: abandoning what is in flight",
        "SIGINT: leaving at once. The audit log holds what was recorded until now.",
    ]


async def test_a_signal_before_the_run_stops_it_as_it_begins() -> None:
    scene = _Scene()
    with scene.signals:
        await raised(signal.SIGTERM)
        assert scene.said == ["SIGTERM: nothing is in flight; ending."]
        await scene.receive()
    assert (scene.run.told, scene.noted) == (["stop"], [signal.SIGTERM])


async def test_a_signal_after_the_run_does_not_disturb_the_writing_of_the_record() -> None:
    scene = _Scene()
    with scene.signals:
        await scene.receive()
        await raised(signal.SIGINT, signal.SIGINT)
    assert (scene.run.told, scene.noted, scene.left) == ([], [], [])
    assert scene.said == ["SIGINT: nothing is in flight; ending."] * 2


async def test_the_run_is_stopped_even_if_nothing_can_be_said() -> None:
    scene = _Scene()

    def mute(text: str) -> None:
        raise OSError(text)

    scene.signals = StopSignals(say=mute)
    unheard: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: unheard.append(context["exception"]))
    with scene.signals:
        await scene.receive(signal.SIGINT)
    assert (scene.run.told, scene.noted) == (["stop"], [signal.SIGINT])
    assert len(unheard) == 1


@pytest.mark.skipif(not HAS_USR1, reason="no SIGUSR1 here")
async def test_sigusr1_tells_the_status_and_stops_nothing() -> None:
    scene = _Scene()
    with scene.signals:
        await raised(signal.SIGUSR1)
        await scene.receive(signal.SIGUSR1)
    assert (scene.said, scene.run.told, scene.signals.received) == (["7 of 9 done"], [], None)


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGHUP there")
async def test_under_nohup_a_hang_up_stays_ignored() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    scene = _Scene()
    with scene.signals:
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        await scene.receive(signal.SIGHUP)
    assert scene.run.told == []
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


async def test_the_handlers_from_before_come_back() -> None:
    before = [signal.getsignal(number) for number in STOPPING]
    with _Scene().signals:
        assert [signal.getsignal(number) for number in STOPPING] != before
    assert [signal.getsignal(number) for number in STOPPING] == before
