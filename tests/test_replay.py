"""What a ledger says of its run: folded line by line, whatever stands in it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bulkpause.chain import Closing
from bulkpause.events import Fields
from bulkpause.models import Halt, HaltReason, Operation, SourceCounts, Status
from bulkpause.replay import BROKEN_OFF, FAILED, OWED, WAITING, Replay, latest_outcomes
from tests.cli.made import report_id
from tests.ledger_lines import RUN_ID, Lines, as_read


def folded(lines: Iterable[Fields | None]) -> Replay:
    replay = Replay()
    for line in lines:
        replay.add(line)
    return replay


@pytest.fixture
def lines() -> Lines:
    """The ledger of a run that has just begun."""
    made = Lines()
    made.start()
    return made


def test_a_run_is_named_by_its_first_line(lines: Lines) -> None:
    replay = folded(lines)
    assert (replay.operation, replay.operations, replay.started) == (Operation.PAUSE, {"pause"}, lines[0])
    assert (replay.has_ended, replay.lines, replay.foreign, replay.seq) == (False, 1, 0, 1)


def test_a_ledger_without_lines_says_nothing() -> None:
    replay = folded([])
    assert (replay.started, replay.has_ended, replay.parts) == (None, False, [])
    with pytest.raises(KeyError):
        _ = replay.operation


def test_an_intent_without_an_outcome_is_unknown_it_may_have_acted(lines: Lines) -> None:
    lines.intent(1)
    outcome = folded(lines).unfinished[report_id(1)].outcome(report_id(1))
    assert (outcome.status, outcome.row, outcome.tries, outcome.sent) == (Status.UNKNOWN, 2, 1, 1)
    assert (outcome.error, outcome.interrupted, outcome.correlation_id) == (BROKEN_OFF, True, "1.1")


@pytest.mark.parametrize(
    ("reply", "status", "said"),
    [
        ({}, Status.EXHAUSTED, (503, "busy", WAITING)),
        ({"verdict": "throttled", "status_code": 429, "message": None}, Status.EXHAUSTED, (429, None, WAITING)),
        (
            {"verdict": "unanswered", "status_code": None, "message": None, "error": "timed out"},
            Status.UNKNOWN,
            (None, None, "timed out"),
        ),
        (
            {"verdict": "unanswered", "status_code": None, "sent": 0, "message": None, "error": "refused"},
            Status.SKIPPED,
            (None, None, "refused"),
        ),
    ],
)
def test_a_report_that_waited_for_its_next_try_ends_as_its_last_reply_tells(
    lines: Lines, reply: dict[str, Any], status: Status, said: tuple[Any, ...]
) -> None:
    lines.intent(1)
    lines.retry(1, **reply)
    outcome = folded(lines).unfinished[report_id(1)].outcome(report_id(1))
    assert (outcome.status, outcome.interrupted) == (status, True)
    assert (outcome.status_code, outcome.message, outcome.error) == said


def test_attempts_before_the_crash_add_up_in_the_outcome_of_the_last(lines: Lines) -> None:
    lines.intent(1)
    lines.retry(1, sent=2)
    lines.intent(1, 2)
    outcome = folded(lines).unfinished[report_id(1)].outcome(report_id(1))
    assert (outcome.status, outcome.tries, outcome.sent) == (Status.UNKNOWN, 2, 3)
    assert (outcome.error, outcome.correlation_id) == (BROKEN_OFF, "1.2")


def test_a_retry_is_counted_and_its_outcome_adds_the_rest(lines: Lines) -> None:
    lines.intent(1)
    lines.retry(1, verdict="throttled", status_code=429)
    lines.intent(1, 2)
    lines.outcome(1, tries=2, sent=2, attempt_ms=5.0)
    replay = folded(lines)
    assert replay.unfinished == {}
    document = replay.summary.to_dict()
    assert (document["attempts"], document["sent"], document["retries"], document["throttled"]) == (2, 2, 1, 1)
    assert document["latency_ms"]["max"] == 12.5


def test_what_is_in_doubt_stays_so_until_a_later_line_settles_it(lines: Lines) -> None:
    for number in (1, 2, 3):
        lines.outcome(number, Status.UNKNOWN)
    lines.outcome(1, Status.SUCCEEDED, event="resolved")
    lines.outcome(2, Status.EXHAUSTED)
    replay = folded(lines)
    assert set(replay.doubtful) == {4}
    assert replay.summary.by_status == {Status.SUCCEEDED: 1, Status.EXHAUSTED: 1, Status.UNKNOWN: 1}
    assert replay.summary.sent == 4, "a look is no request to a report"


def test_the_source_is_known_once_it_has_been_read_to_its_end(lines: Lines) -> None:
    assert folded(lines).source is None
    lines.add("source_read", read=8, accepted=5, duplicate=2, invalid=1, manifest_sha256="abc")
    replay = folded(lines)
    assert (replay.source, replay.manifest_sha256) == (SourceCounts(5, 2, 1), "abc")
    assert replay.summary.duplicates == 2


def test_duplicates_of_a_source_that_broke_off_are_in_the_last_line(lines: Lines) -> None:
    lines.finish(duplicates=3)
    assert folded(lines).summary.duplicates == 3


def test_a_halt_by_a_guard_has_its_causes(lines: Lines) -> None:
    lines.add("halted", reason="guard", message="enough", causes=["why", "what"])
    assert folded(lines).parts[0].halt == Halt(HaltReason.GUARD, "enough", ("why", "what"))


def test_each_part_has_its_own_end_and_the_time_between_them_does_not_count(lines: Lines) -> None:
    lines.add("halted", reason="unreachable", message="nobody there")
    lines.add("stop_requested", signal=2)
    lines.finish("halted")
    lines.add("hold", hold_s=1.0)
    lines.start("run_continued")
    lines.add("hold", hold_s=1.0)
    replay = folded(lines)
    first, second = replay.parts
    assert (first.halt, first.stop_signal) == (Halt(HaltReason.UNREACHABLE, "nobody there"), 2)
    assert (first.has_ended, first.wall_s) == (True, 3.0)
    assert (second.halt, second.stop_signal, second.has_ended, second.wall_s) == (None, None, False, 1.0)
    assert second.started - first.finished == timedelta(seconds=1 + 1)
    assert replay.has_ended is False
    assert replay.sealed == Closing(4, "0" * 64)


def test_a_part_that_a_bug_broke_off_says_which(lines: Lines) -> None:
    lines.finish("broken", stopped_by={"reason": "error", "message": "RuntimeError"})
    assert folded(lines).parts[0].crash == "RuntimeError"


def test_a_later_verification_does_not_make_the_run_longer_and_seals_the_ledger_anew(lines: Lines) -> None:
    lines.finish()
    lines.add("verification_started")
    lines.add("verified", counts={"converged": 1}, lines=4, head="f" * 64)
    replay = folded(lines)
    assert (replay.parts[0].wall_s, replay.has_ended, replay.sealed) == (1.0, True, Closing(4, "f" * 64))
    assert replay.summary.verified == {"converged": 1}


def test_a_verification_within_the_run_seals_nothing_and_is_no_part_of_its_time(lines: Lines) -> None:
    lines.outcome(1, Status.SUCCEEDED)
    lines.add("verification_started")
    lines.add("verified", counts={})
    replay = folded(lines)
    assert (replay.sealed, replay.has_ended, replay.parts[0].wall_s) == (None, False, 1.0)


def test_the_time_between_two_parts_is_no_part_of_either(lines: Lines) -> None:
    lines.outcome(1, Status.SUCCEEDED)
    lines.add("attempt_started", report_id=report_id(2), row=3, request_id="", correlation_id="")
    before = folded(lines).parts[0].wall_s
    lines.add("run_continued", operation="pause")
    assert [part.wall_s for part in folded(lines).parts] == [before, 0.0]


@pytest.mark.parametrize("status", Status)
def test_a_continuation_owes_what_was_never_sent_or_is_in_doubt_and_on_request_what_failed(
    lines: Lines, status: Status
) -> None:
    lines.outcome(1, status)
    replay = folded(lines)
    assert replay.needs(2) is (status in OWED)
    assert replay.needs(2, failed=FAILED) is (status in OWED | FAILED)
    assert replay.needs(2, failed=frozenset({Status.DENIED})) is (status in OWED | {Status.DENIED})


def test_a_continuation_owes_a_row_that_has_no_outcome_and_one_that_was_cut_short(lines: Lines) -> None:
    lines.outcome(1, Status.EXHAUSTED, interrupted=True)
    replay = folded(lines)
    assert (replay.needs(2), replay.needs(3)) == (True, True)


FOREIGN: list[Any] = [
    None,
    {"seq": 2.5, "run_id": RUN_ID, "event": "hold", "at": "2026-11-22T03:00:00Z"},
    {"seq": True, "run_id": RUN_ID, "event": "hold", "at": "2026-11-22T03:00:00Z"},
    {},
    {"event": "outcome"},
    {"seq": 2, "event": "outcome"},
    {"seq": "2", "run_id": RUN_ID, "event": "hold"},
]


@pytest.mark.parametrize("line", FOREIGN, ids=repr)
def test_a_line_that_is_none_of_ours_is_counted_and_passed_over(lines: Lines, line: Any) -> None:
    before = folded(lines).summary.to_dict()
    replay = folded([*lines, line])
    assert (replay.lines, replay.foreign) == (2, 1)
    assert replay.summary.to_dict() == before


@pytest.mark.parametrize("at", ["yesterday", "2026-11-22T03:00:00", 7, None])
def test_a_last_line_without_a_sound_time_makes_the_run_no_longer(lines: Lines, at: object) -> None:
    lines.add("hold", hold_s=1.0, status_code=429)["at"] = at
    (part,) = folded(lines).parts
    assert (part.finished, part.wall_s) == (part.started, 0.0)


@pytest.mark.parametrize(
    "fields",
    [
        {"event": "halted", "reason": "bored", "message": ""},
        {"event": "halted", "reason": "guard", "message": "", "causes": "why"},
        {"event": "halted", "reason": "guard", "message": "", "causes": [1]},
        {"event": "stop_requested", "signal": "SIGINT"},
        {"event": "source_read", "accepted": "5", "duplicate": 0, "invalid": 0, "manifest_sha256": ""},
        {"event": "run_finished", "summary": {}, "lines": 1, "head": ""},
        {"event": "run_finished", "summary": {"state": "broken", "duplicates": 0, "stopped_by": None}},
        {"event": "run_continued", "operation": "delete"},
        {"event": "retry_scheduled", "report_id": report_id(9)},
        {"event": "snapshot_taken", "reports": "many"},
        {"event": "verified", "counts": 7},
        {"event": "attempt_started", "report_id": "../x", "row": 2, "request_id": "", "correlation_id": ""},
        {"event": "attempt_started", "report_id": report_id(1), "row": 0, "request_id": "", "correlation_id": ""},
    ],
    ids=repr,
)
def test_a_line_of_ours_that_was_edited_beyond_sense_is_passed_over(lines: Lines, fields: dict[str, Any]) -> None:
    lines.add(**fields)
    lines.outcome(1)
    replay = folded(lines)
    assert (replay.foreign, replay.summary.done, replay.seq) == (1, 1, 3)
    assert (replay.has_ended, replay.operations, replay.unfinished) == (False, {"pause"}, {})


def test_decisions_before_the_first_line_of_a_run_are_none_of_its() -> None:
    made = Lines()
    made.add("halted", reason="unreachable", message="")
    made.start()
    replay = folded(made)
    assert (replay.foreign, len(replay.parts)) == (1, 1)


def test_a_line_of_another_run_is_none_of_ours_whatever_it_says(lines: Lines) -> None:
    lines.outcome(1, Status.DENIED)
    lines.append({**lines[-1], "run_id": "20261122-030000-ffffff", "seq": 10**9, "status": "succeeded"})
    lines.append({**lines[1], "seq": 3, "row": 3})
    replay = folded(lines)
    assert (replay.foreign, replay.summary.by_status, replay.seq) == (1, {Status.DENIED: 2}, 3)


@pytest.mark.parametrize("nth", [0, 1, 2, 3])
def test_a_line_that_was_pasted_again_counts_once(lines: Lines, nth: int) -> None:
    lines.intent(1)
    lines.outcome(1, Status.DENIED, tries=2, sent=2)
    lines.outcome(1, Status.SUCCEEDED)
    once, twice = folded(lines), folded([*lines, lines[nth]])
    assert twice.foreign == once.foreign + 1
    assert twice.summary.to_dict() == once.summary.to_dict()
    assert (twice.unfinished, len(twice.parts)) == ({}, 1)
    outcomes = list(latest_outcomes([*lines, lines[nth], lines[nth]], twice.summary.ends))
    assert [outcome.status for outcome in outcomes] == [Status.SUCCEEDED]


def test_the_outcomes_that_count_come_in_the_order_of_the_lines_that_say_so(lines: Lines) -> None:
    for number in (1, 2, 3):
        lines.outcome(number, Status.UNKNOWN)
    lines.outcome(1, Status.SUCCEEDED)
    lines.outcome(3, Status.EXHAUSTED, event="resolved")
    lines.append({"seq": 99, "event": "outcome"})
    lines.append({"seq": 99, "event": "outcome", "row": -1})
    outcomes = latest_outcomes(lines, folded(lines).summary.ends)
    assert [(outcome.row, outcome.status) for outcome in outcomes] == [
        (3, Status.UNKNOWN),
        (2, Status.SUCCEEDED),
        (4, Status.EXHAUSTED),
    ]


def a_ledger() -> Lines:
    """One with every kind of line."""
    made = Lines()
    made.start()
    made.add("snapshot_taken", reports=9)
    made.intent(1)
    made.retry(1)
    made.intent(1, 2)
    made.outcome(1, tries=2, sent=2)
    made.intent(2)
    made.outcome(2, Status.DENIED, message="no", status_code=403)
    made.add("source_read", read=2, accepted=2, duplicate=0, invalid=0, manifest_sha256="abc")
    made.add("hold", hold_s=1.0)
    made.add("halted", reason="unreachable", message="nobody there")
    made.add("stop_requested", signal=2)
    made.finish("broken", stopped_by={"message": "x"})
    made.start("run_continued")
    made.outcome(2, Status.SUCCEEDED, event="resolved")
    made.add("finding", finding="missing", report_id=report_id(1), report_status=None)
    made.add("verified", counts={"converged": 1}, lines=17, head="f" * 64)
    made.intent(3)
    return made


VALUES = st.sampled_from(
    [None, True, -1, 0, 2**40, 2**64 - 1, 1.5, "", "x", "succeeded", report_id(1), [], {}, ["x"], {"state": "broken"}]
)
NAMES = sorted({name for line in a_ledger() for name in line})
MUTATIONS = st.lists(st.tuples(st.integers(0, 17), st.sampled_from(NAMES), VALUES | st.just("DELETED")), max_size=8)


@settings(deadline=None, max_examples=300)
@given(MUTATIONS, st.lists(st.tuples(st.integers(0, 17), st.sampled_from(FOREIGN)), max_size=3))
def test_no_edited_line_breaks_the_fold_or_its_books(
    mutations: list[tuple[int, str, Any]], strangers: list[tuple[int, Any]]
) -> None:
    lines: list[Any] = list(map(as_read, a_ledger()))
    for place, name, value in mutations:
        lines[place].pop(name, None)
        if value != "DELETED":
            lines[place][name] = value
    for place, stranger in strangers:
        lines.insert(place, stranger)
    told, read = folded(lines), Replay()
    for line in lines:
        read.read(orjson.dumps(line))
    for replay in (told, read):
        check_books(replay, lines)


def check_books(replay: Replay, lines: list[Any]) -> None:
    """What a fold of these lines comes to adds up."""
    summary = replay.summary
    assert replay.lines == len(lines)
    assert summary.done == summary.by_status.total()
    assert summary.failed == sum(failure.count for failure in summary.failures.values())
    for found, waiting in replay.unfinished.items():
        assert waiting.outcome(found).tries >= 1
    assert replay.foreign <= replay.lines
    readable = (line for line in lines if line and type(line.get("seq")) is int and type(line.get("event")) is str)
    assert len(list(latest_outcomes(readable, summary.ends))) <= summary.done
    assert all(part.wall_s <= 60 for part in replay.parts)


@given(
    st.lists(st.tuples(st.sampled_from(["intent", "retry", "outcome"]), st.integers(1, 3)), max_size=30), st.booleans()
)
def test_a_ledger_read_as_it_stands_in_the_file_tells_the_same_as_its_lines(
    steps: list[tuple[str, int]], is_spelt_by_the_writer: bool
) -> None:
    lines = Lines()
    lines.start()
    for step, number in steps:
        getattr(lines, step)(number)
    told, read = folded(lines), Replay()
    for line in lines:
        ours = {**{name: line[name] for name in ("schema", "run_id", "seq")}, "prev": "0" * 64, **line}
        read.read(orjson.dumps(ours if is_spelt_by_the_writer else line))
    assert read.unfinished == told.unfinished
    assert read.summary.to_dict() == told.summary.to_dict()
    assert (read.lines, read.foreign, read.seq) == (told.lines, told.foreign, told.seq)
    assert [part.finished for part in read.parts] == [part.finished for part in told.parts]


def test_an_intent_that_was_edited_is_foreign_unless_an_outcome_settles_it(lines: Lines) -> None:
    lines.intent(1, row="seven")
    lines.intent(2, row="seven")
    lines.outcome(2)
    replay = Replay()
    for line in lines:
        head = {name: line[name] for name in ("schema", "run_id", "seq")}
        replay.read(orjson.dumps({**head, "prev": "0" * 64, **line}))
    assert (replay.unfinished, replay.foreign, replay.summary.done) == ({}, 1, 1)
