"""Fault rules, and which of them, if any, a request meets. Pure but for the plan's own counts."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from bulkpause.models import ReportId


class Kind(StrEnum):
    """What a step does to a request; STATUS stands for every plain HTTP status."""

    STATUS = "status"
    DROP = "drop"
    RESET = "reset"
    LOST = "lost"
    HANG = "hang"
    CLOSE = "close"
    SLOW = "slow"
    REVOKE = "revoke"
    LIE_ACTIVE = "lie-active"
    LIE_DONE = "lie-done"
    LIE_OTHER = "lie-other"
    LIE_STATUS = "lie-status"
    ECHO = "echo"
    HTML = "html"
    EMPTY = "empty"
    CUT = "cut"
    TORN = "torn"
    HUGE = "huge"
    GZIP = "gzip"
    BOM = "bom"
    WRONG_TYPE = "wrong-type"
    TEXT_CODE = "text-code"
    NEXT_FOREIGN = "next-foreign"
    NEXT_LOOP = "next-loop"
    INVALID_CLIENT = "invalid-client"
    MFA = "mfa"
    CLAIMS = "claims"


class Shape(StrEnum):
    """The bodies of an error (api.md section 6)."""

    ENVELOPE = "envelope"
    GATEWAY = "gateway"
    PARTNER = "partner"
    API = "api"
    ENTRA = "entra"
    HTML = "html"
    EMPTY = "empty"


class Target(StrEnum):
    """What a request is for."""

    PAUSE = "pause"
    RESUME = "resume"
    LIST = "list"
    TOKEN = "token"  # noqa: S105 - a word of the grammar
    DISCOVERY = "discovery"
    DEVICE_CODE = "devicecode"
    AUTHORIZE = "authorize"


PUTS: Final = frozenset({Target.PAUSE, Target.RESUME})


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One kind of trouble, met by the first `times` requests of a report (None: by all)."""

    kind: Kind
    status: int = 200
    shape: Shape | None = None
    detail: str | None = None
    times: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """Which requests a rule is about; every condition given must hold."""

    targets: frozenset[Target] = PUTS
    report_percent: float | None = None
    request_percent: float | None = None
    report_ids: frozenset[ReportId] | None = None
    first: int | None = None
    last: int | None = None
    every: int | None = None
    from_s: float | None = None
    until_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A rule: its steps in order, for the requests it is about."""

    text: str
    steps: tuple[Step, ...]
    where: Where = Where()


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """What choosers look at. `number` counts the PUTs (or the requests of one other target) from 1."""

    target: Target
    report_id: ReportId | None
    number: int
    since_first_put_s: float


class FaultPlan:
    """The rules of one sandbox and how often each report has met each of them."""

    def __init__(self, faults: Sequence[Fault], *, seed: int) -> None:
        self._faults = tuple(faults)
        self._seed = seed
        self._requests: Counter[str] = Counter()
        self._hits: Counter[tuple[int, str]] = Counter()

    def next(self, arrival: Arrival) -> tuple[Fault, Step] | None:
        """The first rule that applies and the step it is at, or None for a request that fares well."""
        if not self._faults:
            return None
        key = arrival.report_id or arrival.target.value
        self._requests[key] += 1
        for index, fault in enumerate(self._faults):
            salt = f"{self._seed}:{index}"
            if not applies(fault.where, arrival, salt=salt, nth_of_report=self._requests[key]):
                continue
            step = step_after(fault.steps, hits=self._hits[index, key])
            if step is not None:
                self._hits[index, key] += 1
                return fault, step
        return None


def applies(where: Where, arrival: Arrival, *, salt: str, nth_of_report: int) -> bool:
    """Whether the rule is about this request."""
    key = arrival.report_id or arrival.target.value
    return (
        arrival.target in where.targets
        and (where.report_ids is None or arrival.report_id in where.report_ids)
        and (where.first is None or arrival.number >= where.first)
        and (where.last is None or arrival.number <= where.last)
        and (where.every is None or arrival.number % where.every == 0)
        and (where.from_s is None or arrival.since_first_put_s >= where.from_s)
        and (where.until_s is None or arrival.since_first_put_s < where.until_s)
        and (where.report_percent is None or percentile(f"{salt}:{key}") < where.report_percent)
        and (where.request_percent is None or percentile(f"{salt}:{key}:{nth_of_report}") < where.request_percent)
    )


def step_after(steps: Sequence[Step], *, hits: int) -> Step | None:
    """The step whose turn it is after `hits` earlier ones, None when all are used up."""
    for step in steps:
        if step.times is None or hits < step.times:
            return step
        hits -= step.times
    return None


def percentile(text: str) -> float:
    """A stable, even spread of texts over 0..100, the same on every machine and in every run."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest()) / 2**64 * 100
