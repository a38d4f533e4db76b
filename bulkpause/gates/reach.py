"""A service that never answers ends the run."""

from __future__ import annotations

from bulkpause.clock import Clock
from bulkpause.models import Attempt, Halt, HaltReason, ReportId, Verdict


class ReachGate:
    """Ends the run when the service has never answered and one report has spent all its tries, or its time, on that."""

    def __init__(self, *, max_tries: int, deadline_s: float, clock: Clock) -> None:
        self._max_tries = max_tries
        self._deadline_s = deadline_s
        self._clock = clock
        self._reached = False
        self._silent_since_s: float | None = None

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
        elif not self._reached and (attempt.number >= self._max_tries or self._silent_s(attempt) >= self._deadline_s):
            tries = f"{attempt.number} tries" if attempt.number > 1 else "one try"
            return Halt(
                HaltReason.UNREACHABLE,
                f"no answer from the service after {tries}: {attempt.reply.error}. Check the network, proxy and "
                "api.base_url.",
            )
        return None

    def _silent_s(self, attempt: Attempt) -> float:
        """Seconds since the first silent attempt began."""
        now_s = self._clock.monotonic_s()
        if self._silent_since_s is None:
            self._silent_since_s = now_s - attempt.elapsed_ms / 1000
        return now_s - self._silent_since_s
