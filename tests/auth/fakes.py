"""A token endpoint in virtual time: an Acquire that follows a script, and the Start that runs it on the loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bulkpause.auth import Token, Tokens
from bulkpause.models import Notice
from tests.virtual_time import EPOCH, VirtualClock

HANGS_S = 1e6


@dataclass
class FakeEntra:
    """Answers call after call with what `script` holds next: a failure, a token's value, or a new token at its end."""

    script: list[Exception | str] = field(default_factory=list)
    lifetime_s: float = 3600.0
    takes_s: float = 0.5
    called_at_s: list[float] = field(default_factory=list)
    failed_at_s: list[float] = field(default_factory=list)
    claimed: list[str | None] = field(default_factory=list)
    """The claims of each acquisition that landed."""
    expires_at: dict[str, datetime] = field(default_factory=dict)
    flying: int = 0
    most_flying: int = 0

    @property
    def calls(self) -> int:
        """How often an acquisition was started."""
        return len(self.called_at_s)

    def __call__(self, *, claims: str | None = None) -> Token:
        """Give the next answer of the script."""
        self.claimed.append(claims)
        answer = self.script.pop(0) if self.script else f"token-{self.calls}"
        if isinstance(answer, Exception):
            self.failed_at_s.append(now_s())
            raise answer
        now = VirtualClock().now()
        self.expires_at[answer] = now + timedelta(seconds=self.lifetime_s)
        return Token(answer, "a fake", obtained_at=now, expires_at=self.expires_at[answer])

    def start(self, acquire: Callable[[], Token], /) -> asyncio.Future[Token]:
        """Land after `takes_s` virtual seconds, as a thread would."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Token] = loop.create_future()
        self.called_at_s.append(now_s())
        self.flying += 1
        self.most_flying = max(self.most_flying, self.flying)

        def land() -> None:
            self.flying -= 1
            try:
                future.set_result(acquire())
            except Exception as error:  # noqa: BLE001 - as the thread does
                future.set_exception(error)

        loop.call_later(self.takes_s, land)
        return future


@dataclass
class Desk:
    """Tokens over a FakeEntra, and the notices it gave. Make it inside the virtual loop."""

    entra: FakeEntra = field(default_factory=FakeEntra)
    notices: list[Notice] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.tokens = Tokens(self.entra, VirtualClock(), notify=self.notices.append, start=self.entra.start)

    async def until(self, at_s: float) -> None:
        """Let virtual time pass."""
        await asyncio.sleep(at_s - asyncio.get_running_loop().time())

    def facts(self, event: str) -> list[dict[str, object]]:
        """The fields of every notice of one kind."""
        return [dict(notice.fields) for notice in self.notices if notice.event == event]


def now_s() -> float:
    """Virtual time, without the nanoseconds that each jump adds."""
    return round(asyncio.get_running_loop().time(), 3)


def rfc3339(at_s: float) -> str:
    """A second of virtual time as notices write it."""
    return (EPOCH + timedelta(seconds=at_s)).isoformat(timespec="seconds").replace("+00:00", "Z")
