"""What goes between the wire and the rules: a request as it arrived, and the answer that was decided on."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import format_datetime
from enum import StrEnum

from bulkpause.models import ReportId


class Ending(StrEnum):
    """How an exchange ends on the wire; the values are the journal's words."""

    REPLY = "reply"
    CLOSE = "close"
    """A reply, after which the connection dies under its next request."""
    DROP = "dropped"
    RESET = "reset"
    LOST = "lost"
    TORN = "torn"
    HANG = "hung"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One HTTP request. `headers` finds names in any case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = b""
    now_s: float
    """Monotonic."""
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What to send back, how to end, and what the journal says of it."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    ending: Ending = Ending.REPLY
    delay_s: float = 0.0
    operation: str | None = None
    report_id: ReportId | None = None
    effect: bool = False
    changed: bool = False
    fault: str | None = None
    token: str | None = None
    journaled: bool = True

    @property
    def outcome(self) -> int | str:
        """The status where the client gets one, else what became of the connection."""
        return self.status if self.ending in {Ending.REPLY, Ending.CLOSE} else self.ending.value


def http_date(moment: datetime) -> str:
    """As a header spells it, rounded up to a second: it must not promise an earlier end than was meant."""
    whole = moment.replace(microsecond=0) + timedelta(seconds=math.ceil(moment.microsecond / 1_000_000))
    return format_datetime(whole, usegmt=True)
