"""What a sandbox can be told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Self

from bulkpause.models import ReportId
from bulkpause.sandbox.bodies import Casing
from bulkpause.sandbox.demo import DEMO_REPORTS, DEMO_SEED, demo_faults
from bulkpause.sandbox.faults import Fault
from bulkpause.sandbox.latency import NO_LATENCY, Latency
from bulkpause.sandbox.pace import RateLimit
from bulkpause.sandbox.people import Person


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxSettings:
    """One emulated tenant. The same settings make the same ids, secrets and faults in every run."""

    reports: int = 100
    seed: int = 0
    paused_percent: float = 0.0
    inactive_percent: float = 0.0
    changed: Mapping[ReportId, tuple[str, str | None]] = field(default_factory=dict)
    """Reports that begin otherwise than the seed has them: report_status and modified time."""
    adopt: bool = False
    """An unknown report id is taken for an Active report instead of answered 404."""
    latency: Latency = NO_LATENCY
    rate_limit: RateLimit | None = None
    faults: tuple[Fault, ...] = ()
    casing: Casing = Casing.CAMEL
    page_size: int | None = None
    """Reports per page of the list, with a nextLink; None for one page."""
    next_link: Literal["absolute", "relative"] = "absolute"
    read_lag_s: float = 0.0
    """The list shows every report as it was so many seconds ago."""
    token_lifetime_s: float = 3600.0
    person: Person = field(default_factory=Person)
    port: int = 0
    """0 takes any free port."""
    tls: bool = True
    journal: Path | None = None
    clock_skew_s: float = 0.0
    """How far the Date header of replies is ahead."""

    @classmethod
    def demo(cls) -> Self:
        """What `--sandbox` starts: the demo's script for the sample, and a friendly home for any other report id."""
        return cls(reports=DEMO_REPORTS, seed=DEMO_SEED, adopt=True, faults=demo_faults(), latency=Latency(0.03, 0.12))
