"""A service that fails everything is left alone; one attempt at a time asks whether it works again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from bulkpause.breaker import Breaker, BreakerPolicy, after_failure, after_success, is_failure, is_hopeless
from bulkpause.clock import Clock
from bulkpause.models import Attempt, Halt, HaltReason, Notice, Reply, ReportId, Verdict

LOOK_S: Final = 0.1
"""How often what waits looks whether it may go on."""


class BreakerGate:
    """Opens when nothing succeeds any more, and ends the run when that lasts too long."""

    def __init__(self, policy: BreakerPolicy, *, clock: Clock, notify: Callable[[Notice], None]) -> None:
        self._policy = policy
        self._clock = clock
        self._notify = notify
        self._breaker = Breaker()
        self._is_asking = False

    async def admit(self) -> None:
        """Wait until the service works, or until it is time to ask and nobody else does."""
        while not self.is_open():
            await self._clock.sleep(LOOK_S if self._is_asking else min(LOOK_S, self.wait_s() or LOOK_S))

    def is_open(self) -> bool:
        """Whether an attempt may leave."""
        return self._breaker.is_closed or not (self._is_asking or self.wait_s())

    @property
    def is_closed(self) -> bool:
        """Whether the service works, as far as is known."""
        return self._breaker.is_closed

    def wait_s(self) -> float:
        """Seconds until the service is asked again; zero while it works, or is being asked."""
        return 0.0 if self._breaker.is_closed else max(0.0, self._breaker.due_s - self._clock.monotonic_s())

    def depart(self) -> None:
        """While it is open, this is the one that asks."""
        self._is_asking = not self._breaker.is_closed

    def observe(self, report_id: ReportId, attempt: Attempt) -> Halt | None:
        """Learn whether the service works."""
        now_s, before = self._clock.monotonic_s(), self._breaker
        departed_s = now_s - attempt.elapsed_ms / 1000
        if before.opened_s is not None and departed_s >= before.opened_s:
            self._is_asking = False
        verdict = attempt.reply.verdict
        if verdict is Verdict.THROTTLED:
            if before.bad_since_s is None:
                self._breaker = before._replace(bad_since_s=departed_s)
        elif is_failure(verdict):
            self._breaker = after_failure(self._policy, before, departed_s=departed_s, now_s=now_s)
        else:
            self._breaker = after_success(before, departed_s=departed_s)
            if before.opened_s is not None and self._breaker.is_closed:
                fields = {"open_s": round(now_s - before.opened_s, 3), "asked": before.asked + 1}
                self._notify(Notice("breaker_closed", fields))
            return None
        if before.is_closed and not self._breaker.is_closed:
            said = {"failures": self._breaker.failures, "asks_in_s": self._breaker.wait_s}
            self._notify(Notice("breaker_opened", {**said, "said": _said(attempt.reply)}))
        return self._halt(attempt.reply) if is_hopeless(self._policy, self._breaker, now_s=now_s) else None

    def _halt(self, reply: Reply) -> Halt:
        what = "refuses" if reply.verdict is Verdict.THROTTLED else "fails"
        reason = HaltReason.THROTTLED_OUT if reply.verdict is Verdict.THROTTLED else HaltReason.UNREACHABLE
        limit = f"halt.give_up_after_s = {self._policy.give_up_after_s:g}"
        said = _said(reply).rstrip(".")
        rest = "The Next command does the rest when it works again."
        return Halt(reason, f"the service {what} everything for longer than {limit}, at last with {said}. {rest}")


def _said(reply: Reply) -> str:
    code = "no answer" if reply.http_status is None else f"HTTP {reply.http_status}"
    words = reply.message or reply.error
    return f"{code}: {words}" if words else code
