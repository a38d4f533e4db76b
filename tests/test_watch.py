"""What a run is watched for: a guard halts it, and the halt says why reports failed."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from bulkpause.guards import parse_guard
from bulkpause.models import Halt, HaltReason, Notice, Outcome, ReportId, Status
from bulkpause.watch import Watch

BEGIN = datetime(2026, 11, 24, 22, 4, tzinfo=UTC)


class Watched:
    """A watch at which a second goes by with every outcome."""

    def __init__(self, *guards: str, secrets: Sequence[str] = ()) -> None:
        self.now = BEGIN
        self.row = 0

        def clean(words: str) -> str:
            for secret in secrets:
                words = words.replace(secret, "****")
            return words

        rng = random.Random(1)  # noqa: S311
        self.watch = Watch([parse_guard(text) for text in guards], now=lambda: self.now, rng=rng, clean=clean)

    def end(self, status: Status, *, message: str | None = None, tries: int = 1) -> Halt | None:
        """One more report ends."""
        self.row += 1
        self.now += timedelta(seconds=1)
        code = 200 if status.is_good else 403
        report_id = ReportId(f"{random.Random(self.row).getrandbits(32):08x}")  # noqa: S311
        return self.watch.observe(
            Outcome(status, row=self.row, report_id=report_id, status_code=code, message=message, tries=tries)
        )


def test_a_halt_says_which_guard_has_had_enough_and_what_separates_the_failures() -> None:
    watched = Watched("failed>5")
    notices: list[Notice] = []
    hear = watched.watch.hearing(notices.append)
    halts = [watched.end(Status.SUCCEEDED) for _ in range(140)]
    watched.now += timedelta(seconds=0.5)
    renewal = Notice("token_refreshed")
    hear(renewal)
    watched.now += timedelta(seconds=0.5)
    halts += [watched.end(Status.DENIED, message="Forbidden") for _ in range(6)]
    assert halts[:-1] == [None] * 145
    assert halts[-1] == Halt(
        HaltReason.GUARD,
        "6 failed, more than the 5 that the guard 'failed>5' allows. "
        "All 403 since 22:06:22 UTC, the first 1.5 s after the token was renewed; none of the 140 before.",
        (
            "All 403 since 22:06:22 UTC, the first 1.5 s after the token was renewed; none of the 140 before",
            "All 6 failures are 403 'Forbidden'",
        ),
    )
    assert notices == [renewal]


def test_it_halts_once_however_many_failures_land_behind() -> None:
    watched = Watched("failed>2")
    halts = [watched.end(Status.DENIED) for _ in range(50)]
    assert [number for number, halt in enumerate(halts, 1) if halt is not None] == [3]


def test_notices_of_other_things_are_passed_on_and_no_more() -> None:
    watched = Watched("failed>5")
    notices: list[Notice] = []
    watched.watch.hearing(notices.append)(Notice("hold", {"hold_s": 1.0}))
    assert notices == [Notice("hold", {"hold_s": 1.0})]


def test_words_lose_their_secrets_before_they_are_cut() -> None:
    watched = Watched("failed>0", secrets=["hunter2" * 10])
    halt = watched.end(Status.DENIED, message="x" * 40 + "hunter2" * 10)
    assert halt is not None
    assert "hunter" not in halt.message
    assert "****" in halt.message


def test_what_ended_without_a_request_is_no_evidence() -> None:
    watched = Watched("denied>3 of first 4")
    for _ in range(100):
        assert watched.end(Status.UNCHANGED, tries=0) is None
    halts = [watched.end(Status.DENIED) for _ in range(4)]
    assert halts[-1] is not None
    assert halts[-1].causes == ("All 4 failures are 403; nothing has succeeded",)


def test_without_guards_nothing_halts() -> None:
    watched = Watched()
    assert [watched.end(Status.DENIED) for _ in range(300)] == [None] * 300
