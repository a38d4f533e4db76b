"""What a run is watched for: the guards that end it, and the diagnosis of why they had to."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from datetime import datetime

from bulkpause.diagnosis import Symptoms, diagnose
from bulkpause.guards import Guard, Guards
from bulkpause.models import Halt, HaltReason, Notice, Outcome


class Watch:
    """Told of each outcome of one part of a run as it ends, and of each notice.

    `clean` takes the secrets out of words of the far side, before they are cut short.
    """

    def __init__(
        self, guards: Sequence[Guard], *, now: Callable[[], datetime], rng: random.Random, clean: Callable[[str], str]
    ) -> None:
        self._guards = Guards(guards)
        self._symptoms = Symptoms(rng)
        self._has_halted = False
        self._now = now
        self._clean = clean

    def observe(self, outcome: Outcome, *, is_news: bool = True) -> Halt | None:
        """Take in how a report ended; a Halt, with the diagnosis, if a guard has had enough: once.

        `is_news`: whether it had not ended just so in an earlier part of the run.
        """
        if not outcome.tries or self._has_halted:
            return None
        words = "" if outcome.status.is_good else self._clean(outcome.message or outcome.error or "")
        self._symptoms.add(outcome, words=words, now=self._now())
        exceeded = self._guards.add(outcome, is_news=is_news)
        if exceeded is None:
            return None
        self._has_halted = True
        causes = tuple(cause.sentence for cause in diagnose(self._symptoms))
        return Halt(HaltReason.GUARD, f"{exceeded}. {causes[0]}.", causes)

    def hearing(self, notify: Callable[[Notice], None]) -> Callable[[Notice], None]:
        """`notify`, and the watch hears of it, too: a new token may be why reports fail."""

        def hear(notice: Notice) -> None:
            if notice.event == "token_refreshed":
                self._symptoms.renewed(self._now())
            notify(notice)

        return hear
