"""Reading the tenant back in virtual time: one look before a run, and up to two after it."""

from __future__ import annotations

import asyncio
import random
import stat
import sys
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkpause.auth import TokenGate
from bulkpause.breaker import BreakerPolicy
from bulkpause.client import ReportClient
from bulkpause.errors import AuthError, NoWayError, TokenUnavailableError
from bulkpause.gates import BreakerGate, HoldGate, RateGate
from bulkpause.models import UNLISTED, Halt, Operation, Outcome, Page, Reply, Report, Status, Verdict
from bulkpause.reports import FakePages, PageApi
from bulkpause.session import Session
from bulkpause.settings import Settings
from bulkpause.tenant.readback import SETTLE_S, SNAPSHOT_LIMIT_S, take_snapshot, verify
from bulkpause.tenant.snapshot import Snapshot
from bulkpause.tenant.verify import Finding, Verification
from tests.recording import Recording
from tests.tenant.made import ended, listed, report_id
from tests.virtual_time import VirtualClock, run_virtually

T = TypeVar("T")

CHANGED_AT = "2026-11-24T10:00:00Z"


def page(*reports: Report, to: str | None = None) -> Page:
    return Page(Reply(Verdict.CONFIRMED, 200, 200), reports, next_link=to, unreadable=to is not None)


FORBIDDEN = Page(Reply(Verdict.FORBIDDEN, 403, 403, message="No"))
NO_LIST = "the list of reports: HTTP 403: No"


class Silent:
    """A service that never answers."""

    async def read(self, target: str | None, *, query: Mapping[str, str]) -> Page:
        """Wait for ever."""
        await asyncio.sleep(1e9)
        raise AssertionError


@dataclass
class Locked:
    """A service that no token is to be had for."""

    why: AuthError

    async def read(self, target: str | None, *, query: Mapping[str, str]) -> Page:
        """Never begin."""
        raise self.why


def with_session(api: PageApi, use: Callable[[Session], Coroutine[Any, Any, T]]) -> T:
    """What `use` makes of a session whose pages come from `api`."""

    async def main() -> T:
        clock = VirtualClock()
        hold = HoldGate(cap_s=60.0, clock=clock, notify=lambda _: None)
        breaker = BreakerGate(BreakerPolicy(), clock=clock, notify=lambda _: None)
        client, tokens, rng = cast(ReportClient, api), cast(TokenGate, None), random.Random(7)  # noqa: S311
        return await use(
            Session(Settings(), "token", client, tokens, hold, breaker, None, RateGate(per_s=1000), clock, rng)
        )

    return run_virtually(main())


def snapshot_of(api: PageApi, file: Path) -> tuple[Snapshot | None, Recording]:
    recording = Recording()
    found = with_session(api, lambda session: take_snapshot(session, file, recording.record))
    assert not isinstance(found, Halt)
    return found, recording


def test_a_snapshot_is_kept_counted_and_written_down(tmp_path: Path) -> None:
    file = tmp_path / "snapshot.csv"
    snapshot, recording = snapshot_of(FakePages([page(listed(1), to="?skip=1"), page(listed(2))]), file)
    assert snapshot is not None
    assert len(snapshot) == 2
    ((event, fields),) = recording.audit.lines
    assert event == "snapshot_taken"
    assert {**fields, "elapsed_ms": 0} == {
        "reports": 2,
        "unreadable": 1,
        "requests": 2,
        "elapsed_ms": 0,
        "file": "snapshot.csv",
    }
    assert file.read_text(encoding="utf-8").count("\n") == 3
    if sys.platform != "win32":
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize("pages", [[FORBIDDEN], [page(listed(1), to="?skip=1"), FORBIDDEN]])
def test_a_part_of_the_list_is_no_snapshot_and_that_is_said_loudly(tmp_path: Path, pages: Sequence[Page]) -> None:
    snapshot, recording = snapshot_of(FakePages(pages), tmp_path / "snapshot.csv")
    assert snapshot is None
    ((event, fields),) = recording.audit.lines
    assert event == "snapshot_failed"
    assert fields["error"].endswith("of reports: HTTP 403: No")
    assert fields["requests"] == len(pages)
    assert [level for level, *_ in recording.log.said] == ["warning"]
    assert not (tmp_path / "snapshot.csv").exists()


def test_a_snapshot_that_cannot_be_kept_is_none(tmp_path: Path) -> None:
    file = tmp_path / "missing" / "snapshot.csv"
    snapshot, recording = snapshot_of(FakePages([page(listed(1))]), file)
    assert snapshot is None
    assert recording.audit.lines[0][1]["error"] == f"cannot write {file}: No such file or directory"


def test_a_snapshot_is_not_waited_for_beyond_its_limit(tmp_path: Path) -> None:
    snapshot, recording = snapshot_of(Silent(), tmp_path / "snapshot.csv")
    assert snapshot is None
    fields = recording.audit.lines[0][1]
    assert fields["error"] == "the list of reports was not read within 300 s"
    assert fields["elapsed_ms"] == pytest.approx(SNAPSHOT_LIMIT_S * 1000)


def test_without_a_token_a_run_need_not_begin(tmp_path: Path) -> None:
    with pytest.raises(AuthError, match="AADSTS7000222"):
        snapshot_of(Locked(AuthError("AADSTS7000222: the secret has expired")), tmp_path / "snapshot.csv")


@dataclass
class Verified:
    """What verifying came to, what was written down, and how long it took."""

    found: Verification
    recording: Recording
    took_s: float

    @property
    def counts(self) -> dict[str, int]:
        """Those that are not zero."""
        return {finding.value: count for finding, count in self.found.counts.items() if count}


def verified(api: PageApi, outcomes: Sequence[Outcome]) -> Verified:
    recording = Recording()
    for outcome in outcomes:
        recording.summary.add(outcome)

    async def use(session: Session) -> Verified:
        started_s = session.clock.monotonic_s()
        found = await verify(session, recording.record, lambda: outcomes, operation=Operation.PAUSE)
        return Verified(found, recording, session.clock.monotonic_s() - started_s)

    return with_session(api, use)


def test_what_holds_at_once_needs_one_look_and_no_line() -> None:
    done = verified(FakePages([page(listed(1), listed(2))]), [ended(Status.SUCCEEDED, 1), ended(Status.UNCHANGED, 2)])
    assert (done.counts, done.found.requests, done.found.error) == ({"converged": 2}, 1, None)
    assert done.took_s < SETTLE_S
    assert done.recording.audit.lines == []


def test_what_does_not_hold_is_looked_at_again_after_the_service_had_time_to_settle() -> None:
    api = FakePages([page(listed(1, "Active"), listed(2)), page(listed(1), listed(2, "Active"))])
    done = verified(api, [ended(Status.SUCCEEDED, 1), ended(Status.SUCCEEDED, 2)])
    assert (done.counts, done.found.requests) == ({"converged": 1, "late": 1}, 2)
    assert SETTLE_S <= done.took_s < SETTLE_S + 1
    assert done.recording.audit.lines == []


def test_what_is_not_as_claimed_is_named_with_what_it_is() -> None:
    shown = [listed(1, "Active", CHANGED_AT), listed(3, None)]
    outcomes = [
        ended(Status.SUCCEEDED, 1),
        ended(Status.UNCHANGED, 2),
        ended(Status.SUCCEEDED, 3),
        ended(Status.SUCCEEDED, 4, before=UNLISTED),
        ended(Status.DENIED, 5),
    ]
    done = verified(FakePages([page(*shown)]), outcomes)
    assert done.counts == {"contradicted": 1, "missing": 1, "unreadable": 2}
    assert [(line["finding"], line["row"], line["report_status"]) for line in done.recording.events("finding")] == [
        ("contradicted", 1, "Active"),
        ("missing", 2, None),
        ("unreadable", 3, None),
        ("unreadable", 4, None),
    ]
    assert done.recording.events("finding")[0] == {
        "finding": "contradicted",
        "report_id": report_id(1),
        "status": "succeeded",
        "report_status": "Active",
        "modified_time": CHANGED_AT,
        "row": 1,
    }


def test_doubts_are_settled_in_place_and_those_that_stay_are_counted() -> None:
    outcomes = [ended(Status.UNKNOWN, number, sent=1, tries=1) for number in (1, 2, 3)]
    done = verified(FakePages([page(listed(1), listed(2, "Active"))]), outcomes)
    assert done.counts == {"resolved": 2, "unreadable": 1}
    assert [(line["row"], line["status"]) for line in done.recording.events("resolved")] == [
        (1, "succeeded"),
        (2, "exhausted"),
    ]
    assert done.recording.summary.by_status == {Status.SUCCEEDED: 1, Status.EXHAUSTED: 1, Status.UNKNOWN: 1}


def test_without_a_list_nothing_that_is_claimed_can_be_read() -> None:
    outcomes = [ended(Status.SUCCEEDED, 1), ended(Status.UNKNOWN, 2), ended(Status.NOT_FOUND, 3)]
    done = verified(FakePages([FORBIDDEN]), outcomes)
    assert (done.counts, done.found.error, done.found.verdict) == ({"unreadable": 2}, NO_LIST, Verdict.FORBIDDEN)
    assert done.recording.audit.lines == []


def test_without_a_second_look_only_what_held_at_the_first_counts() -> None:
    done = verified(FakePages([page(listed(1)), FORBIDDEN]), [ended(Status.SUCCEEDED, n) for n in (1, 2, 3)])
    assert (done.counts, done.found.error) == ({"converged": 1, "unreadable": 2}, NO_LIST)
    assert done.recording.audit.lines == []


def test_with_nothing_to_look_at_one_look_is_enough() -> None:
    done = verified(FakePages([page()]), [ended(Status.DENIED)])
    assert (done.counts, done.found.requests) == ({}, 1)


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        (AuthError("refused"), Verdict.UNAUTHORISED),
        (TokenUnavailableError("away"), Verdict.UNANSWERED),
        (NoWayError("its certificate is refused"), Verdict.UNANSWERED),
    ],
)
def test_without_a_token_nothing_can_be_read_and_the_verdict_says_whose_fault_that_is(
    error: AuthError, verdict: Verdict
) -> None:
    done = verified(Locked(error), [ended(Status.SUCCEEDED, 1), ended(Status.DENIED, 2)])
    assert (done.counts, done.found.error, done.found.verdict) == ({"unreadable": 1}, str(error), verdict)
    assert done.found.requests == 0


PAGES = st.sampled_from([None, "Active", "Paused", "Inactive"]).map(lambda shown: page(listed(1, shown), listed(2)))
CLAIMS = st.lists(
    st.builds(ended, st.sampled_from(Status), st.integers(1, 3), before=st.sampled_from([None, UNLISTED, "Active"])),
    unique_by=lambda outcome: outcome.row,
)


@given(CLAIMS, st.lists(PAGES | st.just(FORBIDDEN), min_size=1, max_size=2))
def test_every_claim_and_every_doubt_is_counted_once(outcomes: list[Outcome], pages: list[Page]) -> None:
    done = verified(FakePages(pages), outcomes)
    claimed = [one for one in outcomes if one.status.is_good or one.status is Status.UNKNOWN]
    assert done.found.counts.total() == len(claimed)
    named = {"contradicted", "missing"}
    assert sum(done.found.counts[Finding(kind)] for kind in named) == sum(
        line["finding"] in named for line in done.recording.events("finding")
    )
    told = Counter(line["status"] == "unknown" for line in done.recording.events("resolved"))
    assert (told[False], told[True]) == (done.found.counts[Finding.RESOLVED], done.found.counts[Finding.CONTRADICTED])
