"""Runs in which one thing goes wrong for a reason that is known, among noise and what could be mistaken for it."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

from bulkpause.diagnosis import Cause, Kind, Symptoms
from bulkpause.models import UNLISTED, Outcome, ReportId, Status

BEGIN = datetime(2026, 11, 24, 22, 0, tzinfo=UTC)


@dataclass
class Mail:
    """One request of a made-up run."""

    row: int
    report_id: str
    before: str | None
    left_s: float
    took_s: float
    failure: tuple[Status, int, str] | None = None

    @property
    def arrived_s(self) -> float:
        return self.left_s + self.took_s / 4

    @property
    def ended_s(self) -> float:
        return self.left_s + self.took_s


@dataclass
class Mix:
    """A run with one planted cause, and whether a diagnosis names it."""

    kind: Kind
    mails: list[Mail]
    renewals_s: list[float]
    is_right: Callable[[Cause], bool]
    detail: str
    symptoms: Symptoms = field(default_factory=lambda: Symptoms(random.Random(1)))  # noqa: S311

    def __post_init__(self) -> None:
        for at_s in self.renewals_s:
            self.symptoms.renewed(BEGIN + timedelta(seconds=at_s))
        for mail in sorted(self.mails, key=lambda one: one.ended_s):
            status, code, words = mail.failure or (Status.SUCCEEDED, 200, "")
            outcome = Outcome(
                status,
                row=mail.row,
                report_id=ReportId(mail.report_id),
                status_code=code,
                before=mail.before,
                tries=1,
                sent=1,
                attempt_ms=mail.took_s * 1000,
            )
            self.symptoms.add(outcome, words=words, now=BEGIN + timedelta(seconds=mail.ended_s))


class _Maker:
    """Draws a run, then what goes wrong in it."""

    def __init__(self, seed: int) -> None:
        self.rng = rng = random.Random(seed)  # noqa: S311
        size = round(10 ** rng.uniform(2, 3.3))
        rate, median_s = rng.uniform(2, 40), rng.choice([0.05, 0.2, 0.8])
        ids = [str(UUID(int=rng.getrandbits(128), version=4)) for _ in range(size)]
        if rng.random() < 0.3:
            ids.sort()
        has_snapshot = rng.random() < 0.8
        self.mails = [
            Mail(
                row=number + 2,
                report_id=report_id,
                before=rng.choices(["Active", "Inactive", UNLISTED], [80, 15, 5])[0] if has_snapshot else None,
                left_s=number / rate + (rng.uniform(1, 20) if rng.random() < 0.02 else 0.0),  # a retry now and then
                took_s=median_s * rng.lognormvariate(0, 0.4),
            )
            for number, report_id in enumerate(ids)
        ]
        self.span_s = size / rate
        self.renewals_s = sorted(rng.uniform(0, self.span_s) for _ in range(rng.randrange(4)))

    def fail(self, is_hit: Callable[[Mail], bool], *, code: int, chance: float = 1.0) -> None:
        """Noise first, then the fault where it strikes."""
        rng = self.rng
        noise, share = rng.choice([500, 404]), rng.uniform(0.01, 0.05)
        for mail in self.mails:
            if rng.random() < share:
                mail.failure = _failure(noise, mail.report_id)
            if is_hit(mail) and rng.random() < chance:
                mail.failure = _failure(code, mail.report_id)

    def mix(self, kind: Kind, is_right: Callable[[Cause], bool], detail: str) -> Mix:
        return Mix(kind, self.mails, self.renewals_s, is_right, detail)


def _failure(code: int, report_id: str) -> tuple[Status, int, str]:
    match code:
        case 403:
            return Status.DENIED, 403, "Forbidden"
        case 401:
            return Status.DENIED, 401, "Unauthorized"
        case 404:
            return Status.NOT_FOUND, 404, f"No item found with id {report_id}"
        case 409:
            return Status.REJECTED, 409, "The report is expired"
        case _:
            return Status.EXHAUSTED, code, "Internal error"


def _moment_s(value: float) -> float:
    return value - BEGIN.timestamp()


def _since_a_time(maker: _Maker) -> Mix:
    rng = maker.rng
    at_s = rng.uniform(0.3, 0.9) * maker.span_s
    maker.fail(lambda mail: mail.arrived_s >= at_s, code=403, chance=rng.choice([1.0, 0.9]))
    first_s = min(mail.left_s for mail in maker.mails if mail.arrived_s >= at_s)
    slack_s = max(2.0, 0.02 * maker.span_s)

    def is_right(cause: Cause) -> bool:
        split = cause.split
        return cause.kind is Kind.TIME and split is not None and abs(_moment_s(split.low) - first_s) < slack_s

    return maker.mix(Kind.TIME, is_right, f"since {first_s:.1f} s")


def _since_a_renewal(maker: _Maker) -> Mix:
    rng = maker.rng
    at_s = rng.uniform(0.2, 0.85) * maker.span_s
    maker.renewals_s = sorted([*maker.renewals_s, at_s])
    maker.fail(lambda mail: mail.left_s >= at_s, code=rng.choice([401, 403]))

    def is_right(cause: Cause) -> bool:
        split = cause.split
        return cause.kind is Kind.TOKEN and split is not None and abs(_moment_s(split.low) - at_s) < 0.01

    return maker.mix(Kind.TOKEN, is_right, f"since the renewal at {at_s:.1f} s")


def _after_each_renewal(maker: _Maker) -> Mix:
    rng = maker.rng
    times = rng.randint(2, 5)
    maker.renewals_s = [maker.span_s * (number + rng.uniform(0.2, 0.6)) / times for number in range(times)]
    for_s = rng.uniform(0.08, 0.3) * maker.span_s / times

    def is_hit(mail: Mail) -> bool:
        return any(at_s <= mail.left_s <= at_s + for_s for at_s in maker.renewals_s)

    maker.fail(is_hit, code=rng.choice([401, 403]))

    def is_right(cause: Cause) -> bool:
        return cause.kind is Kind.TOKEN and cause.split is not None and 0.5 < cause.split.high / for_s < 1.5

    return maker.mix(Kind.TOKEN, is_right, f"{for_s:.1f} s after each of {times} renewals")


def _by_prefix(maker: _Maker) -> Mix:
    rng = maker.rng
    prefix = "".join(rng.choices("0123456789abcdef", k=rng.randint(1, 3)))
    for mail in rng.sample(maker.mails, max(8, round(rng.uniform(0.04, 0.2) * len(maker.mails)))):
        mail.report_id = prefix + mail.report_id[len(prefix) :]
    maker.fail(lambda mail: mail.report_id.startswith(prefix), code=rng.choice([403, 404]))

    def is_right(cause: Cause) -> bool:
        return cause.kind is Kind.PREFIX and cause.split is not None and cause.split.text == prefix

    return maker.mix(Kind.PREFIX, is_right, f"ids that begin {prefix}")


def _by_status(maker: _Maker) -> Mix:
    rng = maker.rng
    share = rng.uniform(0.08, 0.4)
    for mail in maker.mails:
        mail.before = "Inactive" if rng.random() < share else "Active"
    maker.fail(lambda mail: mail.before == "Inactive", code=409, chance=rng.choice([1.0, 0.9]))

    def is_right(cause: Cause) -> bool:
        return cause.kind is Kind.BEFORE and cause.split is not None and cause.split.text == "Inactive"

    return maker.mix(Kind.BEFORE, is_right, "Inactive before")


def _evenly(maker: _Maker) -> Mix:
    rng = maker.rng
    code = rng.choice([403, 404, 409, 503])
    maker.fail(lambda _: True, code=code, chance=rng.uniform(0.1, 0.6))

    def is_right(cause: Cause) -> bool:
        return cause.kind is Kind.CODE and str(code) in cause.sentence

    return maker.mix(Kind.CODE, is_right, f"{code} here and there")


def _by_rows(maker: _Maker) -> Mix:
    rng, size = maker.rng, len(maker.mails)
    length = max(8, round(rng.uniform(0.04, 0.3) * size))
    first = 2 + round(rng.uniform(0.05, 0.55) * size)
    block = range(first, first + length)
    maker.fail(lambda mail: mail.row in block, code=rng.choice([403, 404]), chance=rng.choice([1.0, 0.9]))

    def is_right(cause: Cause) -> bool:
        if cause.kind is not Kind.ROWS or cause.split is None:
            return False
        found = range(int(cause.split.low), int(cause.split.high) + 1)
        both = min(found.stop, block.stop) - max(found.start, block.start)
        return both > 0.8 * max(len(found), len(block))

    return maker.mix(Kind.ROWS, is_right, f"rows {block.start} to {block.stop - 1}")


MAKERS = (_since_a_time, _since_a_renewal, _after_each_renewal, _by_prefix, _by_status, _evenly, _by_rows)


def mixed(seed: int) -> Mix:
    """The mix of a seed: its kind goes round, so that each has its share."""
    return MAKERS[seed % len(MAKERS)](_Maker(seed))
