"""What a continuation begins with: the rows that are left, what is settled without a request, and what is refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any, cast

import pytest

from bulkpause.audit import AuditLog
from bulkpause.chain import GENESIS, Tail
from bulkpause.errors import ConfigError, SourceError
from bulkpause.events import to_outcome
from bulkpause.models import Entry, Operation, Reject, Report, SourceCounts, Status
from bulkpause.record import RunRecord
from bulkpause.redaction import Redactor
from bulkpause.replay import FAILED, Replay
from bulkpause.settings import Api, Auth, Settings
from bulkpause.tenant.snapshot import Snapshot
from bulkpause.work.continuing import (
    Left,
    check_manifest,
    check_same,
    continuation,
    count_left,
    resolve_doubts,
    settle_unfinished,
)
from tests.cli.made import a_run, report_id
from tests.ledger_lines import Lines

HEADER = "report_id,row,invalid\n"
TAIL = Tail(9, GENESIS, 900, 0)


class Book:
    """A ledger in memory, and a log that nobody reads."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, Mapping[str, Any]]] = []

    def write(self, event: str, fields: Mapping[str, Any]) -> int:
        """One more line."""
        self.lines.append((event, fields))
        return 100 + len(self.lines)

    async def durable(self) -> None:
        """Memory is durable."""

    def info(self, event: str, **fields: Any) -> None:
        """Nothing."""

    debug = warning = info

    def statuses(self, event: str) -> dict[int, str]:
        """By row, what the lines of that kind say."""
        return {fields["row"]: fields["status"] for kind, fields in self.lines if kind == event}


@pytest.fixture
def replay() -> Replay:
    """A run killed over six reports and a bad row: done, denied, skipped, in doubt, in flight, waiting, and invalid."""
    lines = Lines()
    lines.start()
    for number, status in enumerate((Status.SUCCEEDED, Status.DENIED, Status.SKIPPED, Status.UNKNOWN), 1):
        lines.outcome(number, status)
    lines.intent(5)
    lines.intent(6)
    lines.retry(6)
    lines.outcome(7, Status.INVALID)
    made = Replay()
    for line in lines:
        made.add(line)
    assert made.foreign == 0
    return made


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """Their rows, and one that was never reached."""
    rows = [f"{report_id(number)},{number + 1},\n" for number in (1, 2, 3, 4, 5, 6, 9)]
    rows.insert(6, ',8,"no id: x"\n')
    rows.append(',11,"no id: y"\n')
    path = tmp_path / "manifest.csv"
    path.write_bytes((HEADER + "".join(rows)).encode())
    return path


def recording(replay: Replay) -> tuple[Book, RunRecord]:
    book = Book()
    record = RunRecord(
        operation=Operation.PAUSE,
        audit=cast("AuditLog", book),
        summary=replay.summary,
        log=book,
        redactor=Redactor([]),
    )
    return book, record


@pytest.mark.parametrize(
    ("failed", "accepted"),
    [(frozenset(), 5), (FAILED, 6), (frozenset({Status.DENIED}), 6), (frozenset({Status.REJECTED}), 5)],
)
def test_what_is_left_is_counted(replay: Replay, manifest: Path, failed: frozenset[Status], accepted: int) -> None:
    assert count_left(manifest, replay, failed) == SourceCounts(accepted=accepted, invalid=1)


@pytest.mark.parametrize("is_whole", [False, True])
def test_a_report_that_failed_before_and_was_in_flight_now_is_left(
    replay: Replay, manifest: Path, is_whole: bool
) -> None:
    lines = Lines([{}] * replay.seq)
    lines.intent(2)
    replay.add(lines[-1])
    replay.source = SourceCounts(accepted=7, invalid=2) if is_whole else None
    assert count_left(manifest, replay, frozenset()) == SourceCounts(accepted=6, invalid=1)


async def test_the_rows_that_are_left_come_in_the_order_of_the_source(replay: Replay, manifest: Path) -> None:
    _, record = recording(replay)
    settle_unfinished(replay, record)
    left = Left(manifest, replay, FAILED, SourceCounts())
    left.stop()
    rows = [row async for batch in left.batches() for row in batch]
    assert rows == [Entry(report_id(number), number + 1) for number in (2, 3, 4, 5, 6, 9)] + [Reject(11, "y", "no id")]


async def test_a_manifest_that_is_gone_is_said(replay: Replay, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"none\.csv: cannot be read: No such file"):
        [batch async for batch in Left(tmp_path / "none.csv", replay, FAILED, SourceCounts()).batches()]


def test_what_a_crash_cut_short_gets_the_outcome_that_it_has_until_somebody_goes_on(replay: Replay) -> None:
    book, record = recording(replay)
    settle_unfinished(replay, record)
    assert book.statuses("outcome") == {6: "unknown", 7: "exhausted"}
    assert (replay.unfinished, set(replay.doubtful)) == ({}, {5, 6})
    assert replay.summary.interrupted == 2


def test_doubts_about_reports_that_are_as_wanted_are_settled_and_the_others_are_left(replay: Replay) -> None:
    book, record = recording(replay)
    settle_unfinished(replay, record)
    snapshot = Snapshot([Report(report_id(4), "Paused", modified_time="then"), Report(report_id(5), "Active")])
    assert resolve_doubts(replay, record, snapshot) == 1
    assert book.statuses("resolved") == {5: "succeeded"}
    assert to_outcome(book.lines[-1][1]).modified_time == "then"
    assert (replay.needs(5), replay.needs(6)) == (False, True)
    assert set(replay.doubtful) == {6}


def settings(base_url: str = "https://api.example", tenant_id: str | None = "contoso") -> Settings:
    return Settings(api=replace(Api(), base_url=base_url), auth=replace(Auth(), tenant_id=tenant_id))


def test_the_same_tenant_and_service_are_no_reason_to_refuse() -> None:
    check_same(a_run(target="https://api.example", tenant_id="contoso"), settings(), is_sandbox=False)
    check_same(a_run(is_sandbox=True), settings(), is_sandbox=True)


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (
            settings("https://other.example"),
            "api.base_url https://api.example, and the settings say https://other.example",
        ),
        (settings(tenant_id="fabrikam"), "auth.tenant_id contoso, and the settings say fabrikam"),
        (settings(tenant_id=None), "auth.tenant_id contoso, and the settings say not set"),
    ],
)
def test_another_tenant_or_service_is_named(now: Settings, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        check_same(a_run(target="https://api.example", tenant_id="contoso"), now, is_sandbox=False)
    assert said in str(refused.value)
    assert str(refused.value).endswith("Nothing was sent: set it as it was, see bulkpause config show.")


@pytest.mark.parametrize(
    ("was", "words"),
    [(True, "about the sandbox: call it again with"), (False, "about https://api.example: call it again without")],
)
def test_the_sandbox_is_no_place_for_a_run_of_the_service_nor_the_other_way_round(was: bool, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        check_same(a_run(target="https://api.example", is_sandbox=was), settings(), is_sandbox=not was)


def test_the_manifest_that_was_pinned_is_taken_and_a_changed_one_refused(replay: Replay, manifest: Path) -> None:
    check_manifest(manifest, replay)
    replay.manifest_sha256 = sha256(manifest.read_bytes()).hexdigest()
    check_manifest(manifest, replay)
    manifest.write_bytes(manifest.read_bytes() + b"\n")
    with pytest.raises(
        SourceError, match=r"manifest\.csv was changed after the run had pinned it\. Nothing was sent\."
    ):
        check_manifest(manifest, replay)
    manifest.unlink()
    with pytest.raises(SourceError, match=r"manifest\.csv: cannot be read: No such file"):
        check_manifest(manifest, replay)


@pytest.mark.parametrize(
    ("cut", "foreign", "warnings"),
    [
        (0, 0, ()),
        (5, 0, ("the audit log's last line was torn by the crash: 5 bytes were cut.",)),
        (0, 1, ("passed over 1 line of the audit log that this run did not write; see bulkpause audit verify.",)),
        (
            1000,
            2000,
            (
                "the audit log's last line was torn by the crash: 1,000 bytes were cut.",
                "passed over 2,000 lines of the audit log that this run did not write; see bulkpause audit verify.",
            ),
        ),
    ],
)
def test_damage_to_the_ledger_is_said_to_the_operator_and_written_down(
    replay: Replay, tmp_path: Path, cut: int, foreign: int, warnings: tuple[str, ...]
) -> None:
    replay.foreign = foreign
    work = continuation(a_run(tmp_path), replay, TAIL._replace(cut_bytes=cut), left=SourceCounts())
    assert work.warnings == warnings
    fields = work.opening.fields
    assert (work.opening.event, fields["cut_bytes"], fields["foreign_lines"]) == ("run_continued", cut, foreign)
    assert (work.part, work.source_has_ended, work.manifest) == (1, False, None)
