"""One sitting of a run: a run that was continued has several."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from bulkpause.events import Fields
from bulkpause.models import Halt


@dataclass(slots=True)
class Part:
    """One sitting of a run, from `run_started` or `run_continued` to its last line."""

    opening: Fields
    started: datetime
    """When its first line was written."""
    last_at: str
    """When its last line was written, so far, as that says."""
    halt: Halt | None = None
    stop_signal: int | None = None
    crash: str | None = None
    """What broke it off, if `run_finished` says so."""
    has_ended: bool = False
    """Whether it came as far as `run_finished`."""
    is_over: bool = False
    """Whether the lines from here on are about something else, such as a later verification."""

    @property
    def finished(self) -> datetime:
        """When its last line was written; when the first one was, if that does not say."""
        try:
            return moment(self.last_at)
        except (TypeError, ValueError):
            return self.started

    @property
    def wall_s(self) -> float:
        """From its first line to its last."""
        return (self.finished - self.started).total_seconds()


def moment(text: str) -> datetime:
    """The moment that a line names. Raises TypeError or ValueError if it names none."""
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError("a time without its zone")
    return at
