"""What a run shows of itself while it goes: the counts of this part of it, its pace, and what is foretold."""

from __future__ import annotations

from bulkpause.curfew import Curfew
from bulkpause.engine import Engine
from bulkpause.gates import PACE
from bulkpause.progress import Progress, Snapshot, Style
from bulkpause.record import RunRecord
from bulkpause.session import Session
from bulkpause.settings import Settings
from bulkpause.timing import Outlook
from bulkpause.work import Rows


class Display:
    """Reads the counters of a run's parts, and passes them on as the moment they make up."""

    def __init__(
        self,
        settings: Settings,
        rows: Rows | None,
        *,
        title: str,
        style: Style,
        record: RunRecord,
        engine: Engine,
        session: Session,
        curfew: Curfew,
    ) -> None:
        self._settings = settings
        self._rows = rows
        self._record = record
        self._engine = engine
        self._session = session
        self._curfew = curfew
        self._ended_before = 0
        self._failed_before = 0
        self.outlook = Outlook(
            curfew, most_per_s=self._most_per_s, expected_per_s=self._expected_per_s, clock=session.clock
        )
        self.progress = Progress(style, title=title, snapshot=self.moment, clock=session.clock)

    def begin(self, rows: Rows) -> None:
        """From now on these rows count, and no outcome recorded until now."""
        self._rows = rows
        self._ended_before, self._failed_before = self._record.ended, self._record.failed

    def moment(self) -> Snapshot:
        """The run as it stands now."""
        rows, record, engine = self._rows, self._record, self._engine
        done, in_flight = record.ended - self._ended_before, engine.in_flight
        total = rows.counts.accepted if rows is not None and rows.is_filled else None
        held_s = self._session.hold.held_s()
        return Snapshot(
            done=done,
            total=total,
            failed=record.failed - self._failed_before,
            throttled=record.throttled,
            in_flight=in_flight,
            held_s=held_s,
            stopping=engine.stopping,
            forecast=self.outlook.look(
                done=done, total=total, answered=record.answered, in_flight=in_flight, held_s=held_s
            ),
            limit_per_s=self._limit_per_s(),
            is_failing=not self._session.breaker.is_closed,
            asks_in_s=self._session.breaker.wait_s(),
            retries_spent=engine.retries_spent,
            until=self._curfew.ends_at(),
        )

    def _limit_per_s(self) -> float | None:
        """What the service was found to allow, below what was agreed."""
        gate = self._session.pace
        found_per_s = None if gate is None else gate.confirmed_per_s
        return found_per_s if found_per_s is not None and found_per_s < self._settings.run.rate.per_s else None

    def _most_per_s(self) -> float:
        """What the settings allow, and no more than the service was found to."""
        return self._limit_per_s() or self._settings.run.rate.per_s

    def _expected_per_s(self) -> float | None:
        """What the gates will let out, where that is what the run waits for."""
        gate = self._session.pace
        expected_per_s = None if gate is None else gate.expected_per_s
        return None if expected_per_s is None else min(expected_per_s, PACE * self._settings.run.rate.per_s)
