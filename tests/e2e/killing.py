"""A run that is killed again and again until it is done, and what must hold after each kill and at the end."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bulkpause.sandbox import JournalEntry
from tests.e2e.driving import LINE, NO_COVERAGE, PATIENCE_S, Operator, check_is_whole, ledger_lines, wait_until
from tests.e2e.faulty_disk import Faults
from tests.e2e.forking import Forked, ForkServer

CONCURRENCY: Final = 6
WAYS: Final = ("start", "put", "line", "torn", "written", "synced", "sent")
"""When to kill: some time after the start, a number of requests or lines into it, or at one call of its own."""

ENDS: Final = ("outcome", "resolved")
"""The lines that say how a report ended: the later one counts."""


@dataclass(frozen=True, slots=True)
class Kill:
    """One point to kill at."""

    way: str
    nth: int
    jitter_s: float

    @property
    def faults(self) -> Faults:
        """What makes the process kill itself there, for the ways that need to hit one call exactly."""
        return Faults(dies=self.way, dies_at=self.nth) if self.way in WAYS[3:] else Faults()


def choose_kill(rng: random.Random) -> Kill:
    """The next point, by seed."""
    way = rng.choice(WAYS)
    most = {"put": 16, "line": 30, "sent": 16}.get(way, 6)
    return Kill(way, rng.randint(1, most), rng.uniform(0, 0.08 if way == "start" else 0.01))


@dataclass(slots=True)
class Campaign:
    """The lives of one run: `bulkpause pause` with `flags` until there is a line of it, then `bulkpause continue`."""

    operator: Operator
    server: ForkServer
    flags: tuple[str, ...] = ()
    lives: list[tuple[JournalEntry, ...]] = field(default_factory=list)
    """What the service saw of each process."""
    ledger: list[LINE] = field(default_factory=list)
    """The whole lines of every ledger there is, in the order they were begun."""

    def live(self, kill: Kill | None) -> int:
        """Run one process, kill it at `kill`, and check what it leaves; its exit code, or minus the signal."""
        operator = self.operator
        before = self.ledger
        source = operator.source(operator.sandbox.report_ids)
        verb = ("continue", before[0]["run_id"]) if before else ("pause", source)
        seen = len(operator.sandbox.journal.puts)
        process = self.server.start(
            operator.command([*verb, "--concurrency", str(CONCURRENCY), *self.flags])[1:],
            env=operator.environment(NO_COVERAGE),
            folder=operator.home,
            said=operator.home / "said.txt",
            faults=kill.faults if kill else Faults(),
        )
        if kill is not None and kill.way in WAYS[:3]:
            self._wait_for(process, kill, lines=len(before), puts=seen)
            process.signal(signal.SIGKILL)
        assert process.has_ended(wait_s=PATIENCE_S)
        code = process.end()
        time.sleep(0.005)  # what was on the wire may still arrive
        wait_until(lambda: not operator.sandbox._server.numbered)
        self.lives.append(operator.sandbox.journal.puts[seen:])
        self._check_life(before)
        return code

    def said(self) -> str:
        """What the latest process printed."""
        return (self.operator.home / "said.txt").read_text()

    def _ledger_files(self) -> list[Path]:
        return sorted(self.operator.runs.glob("*/audit.jsonl"))

    def _wait_for(self, process: Forked, kill: Kill, *, lines: int, puts: int) -> None:
        """Return when it is time to kill, or the process has ended."""

        def is_time() -> bool:
            match kill.way:
                case "start":
                    return True
                case "put":
                    return len(self.operator.sandbox.journal.puts) >= puts + kill.nth
                case _:
                    return sum(file.read_bytes().count(b"\n") for file in self._ledger_files()) >= lines + kill.nth

        wait_until(lambda: process.has_ended(wait_s=0.001) or is_time())
        process.has_ended(wait_s=kill.jitter_s)

    def _check_life(self, before: Sequence[LINE]) -> None:
        """What was sent is named, little of it is in doubt, and nothing that had succeeded was sent again."""
        for file in self._ledger_files():
            check_is_whole(file)
        ledger = self.ledger = [line for file in self._ledger_files() for line in ledger_lines(file)]
        named = {line["correlation_id"] for line in ledger if line["event"] == "attempt_started"}
        puts = self.lives[-1]
        assert {put.correlation_id for put in puts} <= named
        new = ledger[len(before) :]
        assert len(in_doubt(new)) <= CONCURRENCY
        assert sum(line["status"] == "unknown" for line in new if line["event"] == "outcome") <= CONCURRENCY
        assert not {put.report_id for put in puts} & succeeded(before)
        if "--no-snapshot" not in self.flags:  # a look settles what was in doubt
            acted = {put.report_id for life in self.lives[:-1] for put in life if put.effect}
            assert not {put.report_id for put in puts} & acted


def in_doubt(lines: Iterable[LINE]) -> set[str]:
    """The reports whose latest line is an intent."""
    latest = {line["report_id"]: line["event"] for line in lines if line.get("report_id")}
    return {report_id for report_id, event in latest.items() if event == "attempt_started"}


def succeeded(lines: Iterable[LINE]) -> set[str]:
    """The reports that a ledger says are done."""
    return {line["report_id"] for line in lines if line["event"] in ENDS and line["status"] == "succeeded"}


def sent_again(lives: Sequence[Sequence[JournalEntry]]) -> list[set[str | None]]:
    """For each kill, the reports sent last in the life it ended and once more in a later one."""
    latest: dict[str | None, int] = {}
    again: list[set[str | None]] = [set() for _ in lives]
    for number, puts in enumerate(lives):
        reports = {put.report_id for put in puts}
        for report_id in reports & latest.keys():
            again[latest[report_id]].add(report_id)
        latest |= dict.fromkeys(reports, number)
    return again
