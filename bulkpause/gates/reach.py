"""A service that never answers ends the run."""

from __future__ import annotations

from typing import Final

from bulkpause.clock import Clock
from bulkpause.models import Attempt, Halt, HaltReason, ReportId, Verdict

MORE_TRIES: Final = 3
"""With the breaker's pauses between them, some seconds more."""


class ReachGate:
    """Ends the run when the service has never answered, after as many tries as a report has and a few more.

    Attempts that overlap are one try: they all met the same silence.
    """

    def __init__(self, *, max_tries: int, deadline_s: float, clock: Clock) -> None:
        self._max_tries = max_tries
        self._deadline_s = deadline_s
        self._clock = clock
        self._reached = False
        self._silent_since_s: float | None = None
        self._rounds = 0
        self._round_s = float("-inf")
        """When the latest of them ended."""

    async def admit(self) -> None:
        """Let everything pass."""

    def is_open(self) -> bool:
        """Nothing closes."""
        return True

    def depart(self) -> None:
        """Only what comes back counts."""

    def observe(self, report_id: ReportId, attempt: Attempt) -> Halt | None:
        """Notice the first answer, or the silence."""
        if attempt.reply.verdict is not Verdict.UNANSWERED:
            self._reached = True
        if self._reached:
            return None
        now_s = self._clock.monotonic_s()
        if now_s - attempt.elapsed_ms / 1000 >= self._round_s:
            self._rounds, self._round_s = self._rounds + 1, now_s
        is_spent = attempt.number >= self._max_tries or self._rounds >= self._max_tries + MORE_TRIES
        if not is_spent and self._silent_s(attempt) < self._deadline_s:
            return None
        tries = max(attempt.number, self._rounds)
        return Halt(
            HaltReason.UNREACHABLE,
            f"no answer from the service after {f'{tries} tries' if tries > 1 else 'one try'}: {attempt.reply.error}. "
            "Check the network, proxy and api.base_url.",
        )

    def _silent_s(self, attempt: Attempt) -> float:
        """Seconds since the first silent attempt began."""
        now_s = self._clock.monotonic_s()
        if self._silent_since_s is None:
            self._silent_since_s = now_s - attempt.elapsed_ms / 1000
        return now_s - self._silent_since_s
