"""The nouns of an examination: checks, their grades, and what stands in the way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final


class Name(StrEnum):
    """What is looked at, in the order in which one depends on the other."""

    CONFIGURATION = "configuration"
    FILES = "files"
    RUN_DIRECTORY = "run_directory"
    OPEN_FILES = "open_files"
    DNS = "dns"
    PROXY = "proxy"
    TLS = "tls"
    CLOCK = "clock"
    TOKEN = "token"  # noqa: S105 - the name of a check
    SERVICE = "service"
    MFA = "mfa"

    @property
    def words(self) -> str:
        """As a person reads it."""
        return self.value.upper() if self in _ACRONYMS else self.value.replace("_", " ").capitalize()


_ACRONYMS: Final = frozenset({Name.DNS, Name.TLS, Name.MFA})


class Grade(StrEnum):
    """How a check came out."""

    OK = "ok"
    WARNING = "warning"
    """A run is possible, and may come to grief."""
    FAILED = "failed"
    SKIPPED = "skipped"
    """Not looked at, since an earlier one failed."""


class Obstacle(StrEnum):
    """What a failed check means for a run, in a word that an exit code goes by."""

    CONFIGURATION = "configuration"
    NOT_WRITABLE = "not_writable"
    UNREACHABLE = "unreachable"
    NOT_AUTHORISED = "not_authorised"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """How one thing is, and what to do about it."""

    name: Name
    grade: Grade
    said: str
    """In one line; hostile until shown escaped, as are the details."""
    remedy: str | None = None
    """What to type or whom to ask; None only where all is well."""
    details: tuple[str, ...] = ()
    """Further lines for a person; a program reads `facts`."""
    facts: Mapping[str, object] = field(default_factory=dict)
    obstacle: Obstacle | None = None
    """Why no run is possible, of a failed check and of no other."""

    def __post_init__(self) -> None:
        if (self.grade is Grade.FAILED) is (self.obstacle is None):
            raise ValueError(f"{self.name}: {self.grade} with obstacle {self.obstacle}")
        if (self.grade is Grade.OK) is (self.remedy is not None):
            raise ValueError(f"{self.name}: {self.grade} with remedy {self.remedy!r}")

    def to_dict(self) -> dict[str, object]:
        """As `--json` prints it."""
        return {
            "name": self.name.value,
            "grade": self.grade.value,
            "said": self.said,
            "remedy": self.remedy,
            "facts": dict(self.facts),
        }


def skipped(name: Name, because: Name) -> Check:
    """A check that makes no sense before another one is passed."""
    return Check(
        name=name,
        grade=Grade.SKIPPED,
        said=f"not looked at, because of {because.words}",
        remedy=f"first what is said of {because.words}",
        facts={"because": because.value},
    )


def first_obstacle(checks: Sequence[Check]) -> Obstacle | None:
    """What stands in the way first; None if nothing does."""
    return next((check.obstacle for check in checks if check.obstacle is not None), None)


def named(checks: Sequence[Check], grade: Grade) -> list[Name]:
    """Which checks came out so."""
    return [check.name for check in checks if check.grade is grade]
