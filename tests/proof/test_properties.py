"""Whatever is done to a ledger that has ended is found, and the right line is named."""

from __future__ import annotations

from hypothesis import assume, given
from hypothesis import strategies as st

from bulkpause.chain import GENESIS, digest
from bulkpause.proof.flaws import Kind
from bulkpause.proof.inspection import Finding, check
from tests.proof.made import joined, ledger, line, split

LEDGERS = st.integers(1, 12).map(ledger)


def found(raw: bytes) -> Finding:
    lines, cut_bytes = split(raw)
    return check(lines, cut_bytes=cut_bytes)


def kinds(finding: Finding) -> set[tuple[int, Kind]]:
    return {(flaw.line, flaw.kind) for flaw in finding.flaws}


@given(LEDGERS)
def test_a_ledger_that_nobody_touched_has_no_flaw(lines: list[bytes]) -> None:
    finding = check(lines)
    assert (finding.lines, finding.flaws, finding.has_ended) == (len(lines), (), True)


@given(LEDGERS, st.data())
def test_any_changed_byte_names_its_line(lines: list[bytes], data: st.DataObject) -> None:
    raw = bytearray(joined(lines))
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] = data.draw(st.integers(0, 255).filter(lambda byte: byte != raw[at]))
    number = joined(lines)[:at].count(b"\n") + 1
    finding = found(bytes(raw))
    assert number in {flaw.line for flaw in finding.flaws}
    assert {flaw.line for flaw in finding.flaws} <= {number, number + 1, number + 2}  # a newline parts one into two


@given(LEDGERS, st.data())
def test_a_removed_line_is_missed_where_it_stood(lines: list[bytes], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(lines) - 1))
    finding = check(lines[:at] + lines[at + 1 :])
    if at == len(lines) - 1:
        assert (finding.flaws, finding.has_ended) == ((), False)
    else:
        assert kinds(finding) == {(at + 1, Kind.MISSING)}
        assert f"1 line is missing before line {at + 1} (seq {at + 1})" in finding.flaws[0].words


@given(LEDGERS, st.data())
def test_a_line_that_stands_there_twice_is_named(lines: list[bytes], data: st.DataObject) -> None:
    which, at = data.draw(st.integers(0, len(lines) - 1)), data.draw(st.integers(0, len(lines)))
    finding = check([*lines[:at], lines[which], *lines[at:]])
    copies = {at + 1, which + 1 if which < at else which + 2}
    (flaw,) = finding.flaws
    assert flaw.kind is Kind.INSERTED
    assert flaw.line in copies
    if abs(at - which) > 1:
        assert flaw.line == at + 1


@given(LEDGERS.filter(lambda lines: len(lines) > 1), st.data())
def test_swapped_lines_are_named(lines: list[bytes], data: st.DataObject) -> None:
    one, other = sorted(data.draw(st.lists(st.integers(0, len(lines) - 1), min_size=2, max_size=2, unique=True)))
    swapped = list(lines)
    swapped[one], swapped[other] = lines[other], lines[one]
    finding = check(swapped)
    assert {kind for _, kind in kinds(finding)} == {Kind.MISPLACED}
    if other - one == 1:
        assert {line for line, _ in kinds(finding)} < {one + 1, other + 1}
    else:
        assert {line for line, _ in kinds(finding)} == {one + 1, other + 1}


@given(LEDGERS, st.data())
def test_a_moved_line_is_named(lines: list[bytes], data: st.DataObject) -> None:
    one, to = data.draw(st.integers(0, len(lines) - 1)), data.draw(st.integers(0, len(lines) - 1))
    rest = lines[:one] + lines[one + 1 :]
    finding = check([*rest[:to], lines[one], *rest[to:]])
    if one == to:
        assert finding.flaws == ()
    else:
        assert {kind for _, kind in kinds(finding)} == {Kind.MISPLACED}
        assert abs(one - to) == 1 or kinds(finding) == {(to + 1, Kind.MISPLACED)}


@given(LEDGERS, st.data())
def test_an_inserted_line_is_named_whatever_it_says_of_itself(lines: list[bytes], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(lines)))
    before = digest(lines[at - 1]) if at else GENESIS
    seq = data.draw(st.integers(-1, len(lines) + 3))
    prev = data.draw(st.sampled_from([before, GENESIS, *map(digest, lines), "f" * 64]))
    forged = data.draw(st.sampled_from([line(seq, prev, forged=True), b"", b"forged", line(seq, prev, run_id="other")]))
    assume(len(lines) > 1 or b"other" not in forged)  # of two lines of two runs, either may be the other
    finding = check([*lines[:at], forged, *lines[at:]])
    if at == len(lines) and not finding.flaws:
        assert not finding.has_ended
    else:
        assert {flaw.line for flaw in finding.flaws} == {at + 1}


@given(LEDGERS, st.data())
def test_a_ledger_cut_at_any_byte_has_not_ended_and_a_torn_line_is_named(
    lines: list[bytes], data: st.DataObject
) -> None:
    raw = joined(lines)
    at = data.draw(st.integers(0, len(raw) - 1) | st.sampled_from([len(joined(lines[:n])) for n in range(len(lines))]))
    finding = found(raw[:at])
    whole, torn = split(raw[:at])
    assert not finding.has_ended
    assert kinds(finding) == ({(len(whole) + 1, Kind.TORN)} if torn else set())


def test_each_byte_of_a_ledger_matters_and_names_its_line() -> None:
    raw = joined(ledger(3))
    for at in range(len(raw)):
        changed = raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :]
        assert raw[:at].count(b"\n") + 1 in {flaw.line for flaw in found(changed).flaws}, at
