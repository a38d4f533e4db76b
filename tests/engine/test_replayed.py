"""Whatever a run met, and however often it was killed, stopped and continued: its ledger tells what it has told."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, cast

import orjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bulkpause.audit import AuditLog
from bulkpause.engine import Engine, EngineSettings
from bulkpause.models import UNLISTED, Entry, Operation, Reject, Reply, ReportId, Status, Verdict, Wire
from bulkpause.ports import FakeApi, FakeFeed
from bulkpause.record import RunRecord
from bulkpause.redaction import Redactor
from bulkpause.replay import FAILED, Replay, latest_outcomes
from bulkpause.retry import RetryPolicy
from bulkpause.summary import RunSummary
from bulkpause.work.continuing import settle_unfinished
from tests.cli.made import report_id
from tests.ledger_lines import Lines, as_read
from tests.virtual_time import VirtualClock, run_virtually

CONCURRENCY = 3


class Life(NamedTuple):
    """One sitting of a run: what the service answers in turn, when it is stopped, and where its ledger breaks off."""

    answers: Sequence[tuple[Verdict, int, float]]
    """Verdict, how often it left, seconds."""
    stop_at_s: float | None
    cancel_at_s: float | None
    kept: float
    """The part of its lines that a kill has left; 1 if it came to its end."""
    failed: frozenset[Status]
    paused_before: frozenset[int]


class Book:
    """A ledger in memory."""

    def __init__(self, lines: Lines) -> None:
        self.lines = lines

    def write(self, event: str, fields: Mapping[str, Any]) -> int:
        """One more line."""
        return int(self.lines.add(event, **as_read(fields))["seq"])

    async def durable(self) -> None:
        """It takes a moment."""
        await asyncio.sleep(0.01)

    def check(self) -> None:
        """Memory loses nothing."""


class Silence:
    """A log that nobody reads."""

    def debug(self, event: str, **fields: Any) -> None:
        """Nothing."""

    info = warning = debug


def life_of(life: Life, rows: Sequence[Entry | Reject], lines: Lines) -> RunSummary:
    """Begin, or go on with, the run that has these lines; its summary as it was counted live."""
    replay = folded(lines)
    summary = replay.summary
    left = [row for row in rows if replay.needs(row.row, failed=life.failed)] if lines else rows
    lines.start("run_continued" if lines else "run_started")
    answers = iter(range(10**9))

    async def answer(_report_id: ReportId, _number: int, wire: Wire) -> Reply:
        verdict, sent, took_s = life.answers[next(answers) % len(life.answers)]
        wire.sent += sent
        await asyncio.sleep(took_s)
        code = None if verdict is Verdict.UNANSWERED else 200
        return Reply(verdict, code, code, message=f"it said {verdict}" if code else None, error="lost")

    def before(one: ReportId) -> str:
        number = int(one[-3:])
        return "Paused" if number in life.paused_before else UNLISTED if number % 5 == 0 else "Active"

    async def main() -> None:
        record = RunRecord(
            operation=Operation.PAUSE,
            audit=cast("AuditLog", Book(lines)),
            summary=summary,
            log=Silence(),
            redactor=Redactor([]),
        )
        settle_unfinished(replay, record)
        retry = RetryPolicy(max_tries=3, deadline_s=8.0, backoff_base_s=0.2, backoff_cap_s=1.0)
        engine = Engine(
            EngineSettings(operation=Operation.PAUSE, concurrency=CONCURRENCY, retry=retry, drain_timeout_s=5.0),
            api=FakeApi(answer),
            gates=(),
            record=record,
            clock=VirtualClock(),
            rng=random.Random(7),  # noqa: S311 - jitter
        )
        loop = asyncio.get_running_loop()
        if life.stop_at_s is not None:
            loop.call_later(life.stop_at_s, engine.stop)
        if life.cancel_at_s is not None:
            loop.call_later(life.cancel_at_s, engine.cancel)
        await engine.run(FakeFeed(left), before=before)

    run_virtually(main())
    lines.finish()
    return summary


def folded(lines: Lines) -> Replay:
    replay = Replay()
    for line in lines:
        replay.add(as_read(line))
    return replay


VERDICTS = st.just(Verdict.CONFIRMED) | st.sampled_from(Verdict)
ANSWERS = st.tuples(VERDICTS, st.sampled_from([1, 1, 1, 2]), st.sampled_from([0.0, 0.1, 0.5, 3.0])) | st.tuples(
    st.just(Verdict.UNANSWERED), st.sampled_from([0, 1]), st.sampled_from([0.1, 1.0])
)
MOMENTS = st.none() | st.sampled_from([0.0, 0.05, 0.3, 1.0, 4.0])
LIVES = st.builds(
    Life,
    answers=st.lists(ANSWERS, min_size=1, max_size=6),
    stop_at_s=MOMENTS,
    cancel_at_s=MOMENTS,
    kept=st.just(1.0) | st.floats(0, 1),
    failed=st.sampled_from([frozenset(), FAILED, frozenset({Status.DENIED})]),
    paused_before=st.frozensets(st.integers(1, 12), max_size=3),
)
WELL = Life([(Verdict.CONFIRMED, 1, 0.1)], None, None, 1.0, FAILED, frozenset())


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(LIVES, min_size=1, max_size=4), st.integers(1, 12), st.sampled_from([0, 4]))
def test_the_summary_told_from_the_ledger_is_the_one_that_was_counted_live(
    lives: list[Life], count: int, invalid_every: int
) -> None:
    rows: list[Entry | Reject] = [
        Reject(number + 1, "x", "no id")
        if invalid_every and number % invalid_every == 0
        else Entry(report_id(number), number + 1)
        for number in range(1, count + 1)
    ]
    lines, done = Lines(), set[ReportId]()
    summary, replay = RunSummary(), Replay()
    for life in [*lives, WELL]:
        kept = len(lines)
        summary = life_of(life, rows, lines)
        new = lines[kept:]
        assert folded(lines).summary.to_dict() == summary.to_dict()
        assert not done & {line["report_id"] for line in new if line["event"] == "attempt_started"}
        del lines[kept + max(1, round(life.kept * len(new))) :]
        replay = folded(lines)
        assert (replay.foreign, len(replay.unfinished) <= CONCURRENCY) == (0, True)
        outcomes = list(latest_outcomes(map(as_read, lines), replay.summary.ends))
        assert len(outcomes) == len({outcome.row for outcome in outcomes}) == replay.summary.done
        done |= {outcome.report_id for outcome in outcomes if outcome.status is Status.SUCCEEDED and outcome.report_id}
    assert replay.unfinished == {}
    assert summary.done == count
    assert set(summary.by_status) <= {Status.SUCCEEDED, Status.UNCHANGED, Status.INVALID}
    assert orjson.loads(orjson.dumps(summary.to_dict())) == summary.to_dict()
