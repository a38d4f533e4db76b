"""What is said of a ledger that somebody changed."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import pytest

from bulkpause.chain import GENESIS, LINE_LIMIT, Closing, digest, sealed_head
from bulkpause.proof import inspection
from bulkpause.proof.flaws import Kind, cut_off
from bulkpause.proof.inspection import check
from tests.proof.made import RUN_ID, ledger, line


def words(lines: Sequence[bytes], *, cut_bytes: int = 0) -> list[str]:
    return [flaw.words for flaw in check(lines, cut_bytes=cut_bytes).flaws]


def edited(lines: Sequence[bytes], *numbers: int) -> list[bytes]:
    return [one.replace(b"22:04", b"23:04") if number in numbers else one for number, one in enumerate(lines, 1)]


LINES = ledger(20)
OPEN = ledger(20, closing=[])
CONTINUED = ledger(20, closing=[8, 20])


@pytest.mark.parametrize(
    ("lines", "wanted"),
    [
        (edited(LINES, 17), ["line 17 was edited"]),
        (edited(LINES, 1, 20), ["line 1 was edited", "line 20 was edited"]),
        (edited(LINES, 5, 6, 7), ["lines 6 to 7 were edited, and perhaps line 5"]),
        (edited(OPEN, 5), ["line 5 was edited"]),
        (edited(OPEN, 19), ["line 19 was edited, or line 20, which nothing vouches for"]),
        (edited(CONTINUED, 8), ["line 8 was edited"]),
        ([*LINES[:17], *LINES[18:]], ["1 line is missing before line 18 (seq 18)"]),
        ([*LINES[:17], *LINES[19:]], ["2 lines are missing before line 18 (seq 18 to 19)"]),
        (LINES[3:], ["3 lines are missing before line 1 (seq 1 to 3)"]),
        ([*LINES[:8], LINES[11], *LINES[8:11], *LINES[12:]], ["line 9 stands in the wrong place (seq 12)"]),
        ([*LINES[:2], *LINES[6:9], *LINES[2:6], *LINES[9:]], ["lines 3 to 5 stand in the wrong place (seq 7 to 9)"]),
        ([*LINES[1:], LINES[0]], ["line 20 stands in the wrong place (seq 1)"]),
        ([*LINES[:9], LINES[5], *LINES[9:]], ["line 10 was inserted (seq 6 again)"]),
        ([*LINES[:9], *LINES[2:5], *LINES[9:]], ["lines 10 to 12 were inserted (seq 3 to 5 again)"]),
        ([*LINES[:6], b"forged", *LINES[6:]], ["line 7 is no line of an audit log"]),
        ([*LINES[:6], b"forged", *LINES[7:]], ["line 7 was edited"]),
        ([*LINES[:6], b"one", b"two", *LINES[8:]], ["lines 7 to 8 were edited"]),
        (
            [*LINES[:6], b"one", b"two", *LINES[7:]],
            [
                "line 7 is no line of an audit log",
                "line 8 is no line of an audit log",
                "1 line is missing before line 9 (seq 7)",
            ],
        ),
        ([b"\0" * 9] * 2, ["line 1 is no line of an audit log", "line 2 is no line of an audit log"]),
    ],
)  # fmt: skip
def test_each_change_has_its_words(lines: list[bytes], wanted: list[str]) -> None:
    assert words(lines) == wanted


def test_a_torn_last_line_is_said_with_its_size() -> None:
    assert words(OPEN, cut_bytes=123) == ["the last line is torn (123 bytes)"]


def test_a_line_with_another_number_behind_the_right_one_was_edited() -> None:
    lines = list(LINES)
    lines[4] = lines[4].replace(b'"seq":5', b'"seq":9')
    assert words(lines) == ["line 5 was edited"]


def test_a_first_line_that_begins_nowhere_was_edited() -> None:
    first = line(1, "f" * 64)
    assert words([first, line(2, digest(first), "run_finished")]) == ["line 1 was edited"]


@pytest.mark.parametrize(("run_id", "said"), [("other", "line 3 is of the run other"), (None, "line 3 names no run")])
def test_a_line_of_another_run_is_named_though_the_chain_holds(run_id: str | None, said: str) -> None:
    lines: list[bytes] = []
    for seq in range(1, 6):
        lines.append(line(seq, digest(lines[-1]) if lines else GENESIS, run_id=run_id if seq == 3 else RUN_ID))
    finding = check(lines)
    assert ([flaw.words for flaw in finding.flaws], finding.run_id) == ([said], RUN_ID)


def test_the_run_is_that_of_most_lines_whatever_the_first_says() -> None:
    forged = line(1, GENESIS, run_id="other")
    lines = [forged, line(2, digest(forged))]
    lines.append(line(3, digest(lines[-1])))
    finding = check(lines)
    assert ([flaw.words for flaw in finding.flaws], finding.run_id) == (["line 1 is of the run other"], RUN_ID)


@pytest.mark.parametrize("foreign", [b"", b"\0" * 100, b"x" * (LINE_LIMIT + 1)])
def test_a_foreign_line_that_the_chain_goes_on_behind_is_the_only_flaw(foreign: bytes) -> None:
    lines = [*OPEN, foreign]
    lines.append(line(21, digest(foreign), "run_finished"))
    assert words(lines) == ["line 21 is no line of an audit log"]


def test_a_continued_ledger_has_several_closing_lines_and_ends_with_the_last() -> None:
    finding = check(CONTINUED)
    assert finding.closings == tuple(Closing(n, str(sealed_head(CONTINUED[n - 1]))) for n in (8, 20))
    assert (finding.has_ended, finding.head, finding.flaws) == (True, sealed_head(CONTINUED[19]), ())
    assert (check(CONTINUED[:12]).has_ended, check(CONTINUED[:12]).head) == (False, None)


def test_an_empty_ledger_has_no_flaw_and_has_not_ended() -> None:
    finding = check([])
    assert (finding.lines, finding.run_id, finding.flaws, finding.has_ended) == (0, None, (), False)


@pytest.mark.parametrize(
    ("lines", "said"),
    [(15, "the end was cut off: summary.json speaks of 20 lines, 15 are there"),
     (20, "line 20 is not the closing line that summary.json speaks of")],
)  # fmt: skip
def test_a_closing_line_noted_elsewhere_that_is_not_there_was_cut_off(lines: int, said: str) -> None:
    flaw = cut_off(Closing(20, "head"), lines=lines, by="summary.json")
    assert (flaw.kind, flaw.words) == (Kind.CUT, said)


def test_a_ledger_broken_everywhere_is_not_looked_at_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inspection, "PIECE_LIMIT", 10)
    finding = check([one + b"\r" for one in LINES])
    assert (finding.is_complete, finding.lines) == (False, 20)
    assert finding.flaws


@pytest.mark.parametrize("change", [random.Random(0).shuffle, list.reverse])  # noqa: S311 - no secret
def test_a_ledger_in_no_order_at_all_is_explained_quickly(change: Callable[[list[bytes]], None]) -> None:
    lines = ledger(500)
    change(lines)
    finding = check(lines)
    assert {flaw.kind for flaw in finding.flaws} == {Kind.MISPLACED}
    assert len(finding.flaws) > 250
