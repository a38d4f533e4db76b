"""Where the client has its bearer token from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class TokenSource(Protocol):
    """Where the bearer token comes from."""

    async def token(self) -> str:
        """A token that is valid now. Raises AuthError if none can be had."""

    def reject(self, token: str, *, claims: str | None = None) -> None:
        """The service refused `token`; it must not be handed out again. `claims`: what the next one has to prove."""


@dataclass(slots=True)
class FakeTokens:
    """A TokenSource for tests: counts up a number at each rejection of the current token."""

    generation: int = 1

    async def token(self) -> str:
        """The current token."""
        return f"token-{self.generation}"

    def reject(self, token: str, *, claims: str | None = None) -> None:  # noqa: ARG002 - as the Protocol has it
        """Move on if `token` is the current one."""
        self.generation += token == f"token-{self.generation}"
