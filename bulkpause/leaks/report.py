"""What a leak test came to. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Leak:
    """A planted secret that was found outside."""

    place: str
    """Where it had been planted."""
    artefact: str
    """Where it was found."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeakReport:
    """The leaks, and how much was done to find them."""

    leaks: Sequence[Leak]
    places: Sequence[str]
    """Where secrets were planted."""
    commands: int
    artefacts: int
    searched_bytes: int
    struck: int
    """How often a secret had been struck out there: none at all would prove nothing."""
    flaws: Sequence[str]
    """What did not go as planned, so that less was tried than should have been."""

    @property
    def is_clean(self) -> bool:
        """Whether everything was tried, and nothing was found."""
        return not self.leaks and not self.flaws and self.struck > 0

    def lines(self) -> list[str]:
        """For a person: the verdict first, then each leak by the place of the secret."""
        tried = (
            f"{len(self.places)} marked secrets, {self.commands} commands, {self.artefacts} files with"
            f" {self.searched_bytes:,} bytes searched, {self.struck:,} places struck out"
        )
        if self.is_clean:
            return [f"No secret has left the process: {tried}."]
        counts = Counter(leak.place for leak in self.leaks)
        lines = [f"SECRETS LEAK: {len(counts)} of {tried}."] if self.leaks else [f"Not proven: {tried}."]
        for place in counts:
            where = [leak.artefact for leak in self.leaks if leak.place == place]
            lines.append(f"  {place}: in {', '.join(where)}")
        return [*lines, *(f"  not tried as planned: {flaw}" for flaw in self.flaws)]

    def to_dict(self) -> dict[str, Any]:
        """The same for a program. Additive changes only."""
        return {
            "clean": self.is_clean,
            "leaks": [{"place": leak.place, "artefact": leak.artefact} for leak in self.leaks],
            "places": list(self.places),
            "commands": self.commands,
            "artefacts": self.artefacts,
            "searched_bytes": self.searched_bytes,
            "struck": self.struck,
            "flaws": list(self.flaws),
        }
