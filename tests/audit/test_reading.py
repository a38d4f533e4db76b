"""What a reader finds, whatever the file holds."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkpause import audit
from bulkpause.audit import reader
from bulkpause.chain import GENESIS, LINE_LIMIT, Tail, digest, parse


def seqs(path: Path) -> list[int]:
    return [line["seq"] for line in audit.read(path)]


def line(seq: int) -> bytes:
    return b'{"seq":%d,"event":"outcome"}' % seq


def test_reading_leaves_out_a_torn_last_line(path: Path) -> None:
    path.write_bytes(line(1) + b"\n" + line(2) + b"\n" + line(3))
    assert seqs(path) == [1, 2]
    assert list(audit.read_lines(path)) == [line(1), line(2)]


def test_reading_a_ledger_that_is_not_there_fails(path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        next(audit.read(path))
    with pytest.raises(FileNotFoundError):
        audit.find_tail(path)


@pytest.mark.parametrize("foreign", [b"", b"\0" * 5000, b"Nov 24 22:04:10 host logrotate", b'{"seq":2}', b"\xff\xfe"])
def test_what_is_no_line_of_ours_does_not_stop_reading(path: Path, foreign: bytes) -> None:
    path.write_bytes(b"\n".join([line(1), foreign, line(2), foreign, b""]))
    assert seqs(path) == [1, 2]
    size = path.stat().st_size
    assert audit.find_tail(path) == Tail(2, digest(foreign), size, 0)


def test_line_ends_of_windows_do_not_stop_reading(path: Path) -> None:
    path.write_bytes(line(1) + b"\r\n" + line(2) + b"\r\n")
    assert seqs(path) == [1, 2]
    assert audit.find_tail(path) == Tail(2, digest(line(2) + b"\r"), path.stat().st_size, 0)


def test_an_endless_line_is_passed_over_in_bounded_memory(path: Path) -> None:
    endless = b"x" * (8 * LINE_LIMIT)
    path.write_bytes(b"\n".join([line(1), endless, line(2), endless, b""]))
    wanted = Tail(2, digest(endless), path.stat().st_size, 0)
    tracemalloc.start()
    try:
        found, tail = seqs(path), audit.find_tail(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (found, tail) == ([1, 2], wanted)
    assert peak < 4 * LINE_LIMIT
    assert [len(one) > LINE_LIMIT for one in audit.read_lines(path)] == [False, True, False, True]


@given(text=st.lists(st.sampled_from([b"\n", b"a", b"bb", b"\r", line(7)])).map(b"".join), block=st.integers(1, 9))
def test_lines_and_tail_are_those_of_the_text_wherever_a_read_ends(
    tmp_path_factory: pytest.TempPathFactory, text: bytes, block: int
) -> None:
    path = tmp_path_factory.mktemp("ledger") / "audit.jsonl"
    path.write_bytes(text)
    *lines, torn = text.split(b"\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reader, "BLOCK_SIZE", block)
        patch.setattr(reader, "STEP_SIZE", block)
        assert list(audit.read_lines(path)) == lines
        seq, head = (7 if any(map(parse, lines)) else 0), digest(lines[-1]) if lines else GENESIS
        assert audit.find_tail(path) == Tail(seq, head, len(text) - len(torn), len(torn))
