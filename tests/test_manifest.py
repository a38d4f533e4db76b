"""The manifest is filled as fast as the input comes, read at leisure, and holds what it says even after a failure."""

from __future__ import annotations

import asyncio
import csv
import hashlib
import os
import stat
import sys
import tempfile
import threading
import tracemalloc
from collections.abc import Iterable, Iterator
from contextlib import aclosing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkpause.errors import AuditCreateError, AuditError, SourceError
from bulkpause.ids import escaped
from bulkpause.manifest import Batch, Manifest, read_manifest
from bulkpause.models import Entry, Reject, ReportId, SourceCounts
from bulkpause.sources import open_source

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="POSIX limits and modes")


def entry(number: int) -> Entry:
    return Entry(ReportId(f"{number:08x}-d9cb-469f-a165-70867728950e"), number)


REJECT = Reject(7, r'say "no", \n', "holds ':', which no report id has")
COUNTS = SourceCounts(accepted=3, duplicate=2, invalid=1)


def begun(path: Path, batches: Iterable[Batch], *, counts: SourceCounts = COUNTS) -> Manifest:
    manifest = Manifest(path / "manifest.csv")
    manifest.start(batches, counts=lambda: counts)
    return manifest


async def rows(manifest: Manifest) -> list[Entry | Reject]:
    return [item async for batch in manifest.batches() for item in batch]


async def test_what_goes_in_comes_out_in_order_and_is_on_disk(tmp_path: Path) -> None:
    items: list[Entry | Reject] = [entry(1), REJECT, entry(2)]
    manifest = begun(tmp_path, [items[:1], items[1:]])
    assert await rows(manifest) == items
    assert await manifest.filled() == COUNTS == manifest.counts
    assert manifest.is_whole
    text = manifest.path.read_bytes()
    assert text.startswith(b"report_id,row,invalid\n00000001-d9cb-469f-a165-70867728950e,1,\n,7,")
    assert manifest.sha256 == hashlib.sha256(text).hexdigest()
    assert [item for batch in read_manifest(manifest.path) for item in batch] == items


@posix_only
async def test_the_file_is_for_its_owner_only(tmp_path: Path) -> None:
    manifest = begun(tmp_path, [])
    await manifest.filled()
    assert stat.S_IMODE(manifest.path.stat().st_mode) == 0o600


async def test_a_place_that_cannot_be_written_is_found_at_the_start(tmp_path: Path) -> None:
    for path in (tmp_path / "missing", tmp_path):
        with pytest.raises(AuditCreateError, match=r"manifest\.csv: cannot be created: "):
            begun(path, [])
        (tmp_path / "manifest.csv").touch()


async def test_the_first_id_comes_before_the_end_of_the_input(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as reader, os.fdopen(writing, "wb", buffering=0) as writer:
        source = open_source("-", form=None, column=None, stdin=reader)
        manifest = Manifest(tmp_path / "manifest.csv")
        manifest.start(source, counts=lambda: source.counts)
        async with aclosing(manifest.batches()) as batches:
            for number in (1, 2):
                writer.write(f"{entry(number).report_id}\n".encode())
                assert await anext(batches) == [entry(number)]
                assert manifest.counts.accepted == number
            writer.close()
            assert [batch async for batch in batches] == []
        assert await manifest.filled() == SourceCounts(accepted=2)


async def test_a_stop_ends_a_run_whose_input_never_ends(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as reader, os.fdopen(writing, "wb", buffering=0) as writer:
        source = open_source("-", form=None, column=None, stdin=reader)
        manifest = Manifest(tmp_path / "manifest.csv")
        manifest.start(source, counts=lambda: source.counts)
        writer.write(f"{entry(1).report_id}\n".encode())
        async with aclosing(manifest.batches()) as batches:
            assert await anext(batches) == [entry(1)]
            manifest.stop()
            assert [batch async for batch in batches] == []
        assert await manifest.filled() == SourceCounts(accepted=1)
        writer.write(f"{entry(2).report_id}\n".encode())
    assert [list(batch) for batch in read_manifest(manifest.path)] == [[entry(1)]]


async def test_after_a_stop_in_full_flow_the_file_holds_what_was_yielded(tmp_path: Path) -> None:
    counts = SourceCounts()

    def endless() -> Iterator[Batch]:
        number = 0
        while True:
            batch = [entry(number + offset) for offset in range(50)]
            number += 50
            counts.accepted = number
            yield batch

    for attempt in range(10):
        (tmp_path / str(attempt)).mkdir()
        counts.accepted = 0
        manifest = begun(tmp_path / str(attempt), endless(), counts=counts)
        async with aclosing(manifest.batches()) as batches:
            seen = len(await anext(batches))
            manifest.stop()
            seen += sum([len(batch) async for batch in batches])
        assert (await manifest.filled()).accepted == seen
        assert manifest.sha256 == hashlib.sha256(manifest.path.read_bytes()).hexdigest()
        assert sum(map(len, read_manifest(manifest.path))) == seen


async def test_a_run_may_begin_at_the_first_id_and_not_at_a_row_that_holds_none(tmp_path: Path) -> None:
    counts, goes_on = SourceCounts(), threading.Event()

    def slow() -> Iterator[Batch]:
        counts.invalid = 1
        yield [REJECT]
        goes_on.wait()
        counts.accepted = 1
        yield [entry(1)]

    manifest = begun(tmp_path, slow(), counts=counts)
    waiting = asyncio.create_task(manifest.begun())
    async with aclosing(manifest.batches()) as batches:
        assert await anext(batches) == [REJECT]
        await asyncio.sleep(0)
        assert not waiting.done()
        goes_on.set()
        assert await waiting
        assert [row async for batch in batches for row in batch] == [entry(1)]


@pytest.mark.parametrize("batches", [[], [[REJECT]]])
async def test_a_source_without_an_id_never_begins(tmp_path: Path, batches: list[Batch]) -> None:
    manifest = begun(tmp_path, batches, counts=SourceCounts(invalid=len(batches)))
    assert not await manifest.begun()
    await manifest.filled()
    assert manifest.is_whole


async def test_a_stop_ends_the_wait_for_the_first_id_and_what_is_pinned_is_not_the_whole(tmp_path: Path) -> None:
    goes_on = threading.Event()

    def silent() -> Iterator[Batch]:
        goes_on.wait()
        yield [entry(1)]

    manifest = begun(tmp_path, silent(), counts=SourceCounts())
    waiting = asyncio.create_task(manifest.begun())
    await asyncio.sleep(0)
    manifest.stop()
    assert not await waiting
    await manifest.filled()
    assert not manifest.is_whole
    goes_on.set()


async def test_what_stands_behind_an_error_of_the_source_is_not_the_whole(tmp_path: Path) -> None:
    def failing() -> Iterator[Batch]:
        yield [entry(1)]
        raise SourceError("reports.csv:2: a quote opens here")

    manifest = begun(tmp_path, failing())
    with pytest.raises(SourceError):
        await manifest.filled()
    assert await manifest.begun()
    assert not manifest.is_whole


async def test_a_manifest_that_was_stopped_before_it_was_filled_has_no_rows_and_is_not_whole(tmp_path: Path) -> None:
    manifest = Manifest(tmp_path / "manifest.csv")
    manifest.stop()
    manifest.start([], counts=SourceCounts)
    assert await rows(manifest) == []
    assert (await manifest.filled()).read == 0
    assert not manifest.is_whole


async def test_an_error_of_the_source_comes_behind_the_rows_before_it(tmp_path: Path) -> None:
    def failing() -> Iterator[Batch]:
        yield [entry(1)]
        raise SourceError("reports.csv:2: a quote opens here")

    manifest = begun(tmp_path, failing())
    async with aclosing(manifest.batches()) as batches:
        assert await anext(batches) == [entry(1)]
        with pytest.raises(SourceError, match="a quote opens here"):
            await anext(batches)
    with pytest.raises(SourceError, match="a quote opens here"):
        await manifest.filled()


async def test_a_bug_in_the_thread_reaches_the_loop(tmp_path: Path) -> None:
    manifest = begun(tmp_path, [[entry(1)], [None]])  # type: ignore[list-item]
    with pytest.raises(AttributeError):
        await manifest.filled()


@posix_only
async def test_a_full_disk_stops_the_reading_and_the_yielding(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)

    def filling() -> Iterator[Batch]:
        yield [entry(1)]
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, limit[1]))
        yield [entry(2), entry(3)]
        pytest.fail("the source was read on")

    try:
        manifest = begun(tmp_path, filling())
        with pytest.raises(
            AuditError, match=r"manifest\.csv: cannot be written: File too large\. Nothing more is sent"
        ):
            await manifest.filled()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    with pytest.raises(AuditError):
        await rows(manifest)
    assert [list(batch) for batch in read_manifest(manifest.path)] == [[entry(1)]]


async def test_a_sync_that_fails_is_a_failed_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fdatasync", fail, raising=False)
    manifest = begun(tmp_path, [[entry(1)]])
    with pytest.raises(AuditError, match="cannot be written: Input/output error"):
        await manifest.filled()


async def test_long_input_is_synced_once_a_second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    ticks = iter(range(1000))
    monkeypatch.setattr(os, "fdatasync", synced.append, raising=False)
    manifest = Manifest(tmp_path / "manifest.csv", monotonic_s=lambda: next(ticks) * 0.4)
    manifest.start([[entry(number)] for number in range(21)], counts=lambda: COUNTS)
    await manifest.filled()
    assert len(synced) == 8  # as the clock is read: batches 3, 5, 7 ... of 0.8 s each


async def test_a_run_that_is_over_leaves_the_thread_in_peace(tmp_path: Path) -> None:
    manifest = Manifest(tmp_path / "manifest.csv")
    closed = asyncio.new_event_loop()
    closed.close()
    with manifest.path.open("xb") as file:
        manifest._fill(closed, file, [[entry(1)]], lambda: COUNTS)
    assert manifest.counts == COUNTS


async def test_memory_does_not_grow_with_unread_input(tmp_path: Path) -> None:
    total = 200_000

    def flood() -> Iterator[Batch]:
        for start in range(0, total, 1000):
            yield [entry(number) for number in range(start, start + 1000)]

    tracemalloc.start()
    try:
        manifest = begun(tmp_path, flood(), counts=SourceCounts(accepted=total))
        await manifest.filled()
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 4 * 1024 * 1024
    async with aclosing(manifest.batches()) as batches:
        sizes = [len(batch) async for batch in batches]
    assert sum(sizes) == total
    assert max(sizes) < 1000


REJECTS = st.builds(
    Reject,
    row=st.integers(1, 10**9),
    text=st.text(max_size=90).map(escaped),
    reason=st.sampled_from(["empty", "a spreadsheet formula", "holds '\"', which no report id has"]),
)


@given(st.lists(st.builds(entry, st.integers(0, 2**32 - 1)) | REJECTS, max_size=30), st.integers(0, 200))
def test_any_rows_are_read_back_and_a_torn_last_line_is_left_out(items: list[Entry | Reject], lost: int) -> None:
    with tempfile.TemporaryDirectory() as directory:

        async def fill() -> Path:
            manifest = begun(Path(directory), [items])
            assert await rows(manifest) == items
            return manifest.path

        path = asyncio.run(fill())
        with path.open(newline="") as file:
            cells = [cell for row in csv.reader(file) for cell in row]
        assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))]
        whole = path.read_bytes()
        path.write_bytes(whole[: max(whole.index(b"\n") + 1, len(whole) - lost)])
        back = [item for batch in read_manifest(path) for item in batch]
        assert back == items[: len(back)]
        assert len(back) == path.read_bytes().count(b"\n") - 1


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", r"1: not a manifest\. Its first line should be report_id,row,invalid"),
        ("ReportId\n", "1: not a manifest"),
        ("report_id,row,invalid\n../resume/x,1,\n", "2: damaged"),
        (
            f"report_id,row,invalid\n{entry(1).report_id},1,\n{entry(2).report_id.upper()},2,\n,3\n",
            "3: damaged|4: damaged",
        ),
        ("report_id,row,invalid\n,1,empty\n", "2: damaged"),
        ("report_id,row,invalid\n\xe9\n", "2: damaged"),
    ],
)
def test_what_is_no_manifest_is_refused_with_its_line(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "manifest.csv"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(SourceError, match=f"manifest.csv:({complaint})"):
        list(read_manifest(path))


def test_a_manifest_that_is_gone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="cannot be read: No such file or directory"):
        list(read_manifest(tmp_path / "manifest.csv"))


def test_batches_of_no_interest_are_passed_over_and_the_rest_keeps_its_lines(tmp_path: Path) -> None:
    path = tmp_path / "manifest.csv"
    ids = [f"00000000-0000-4000-8000-{row:012d}" for row in range(1, 3001)]
    path.write_text("report_id,row,invalid\n" + "".join(f"{one},{row},\n" for row, one in enumerate(ids, 1)))
    asked: list[tuple[int, int]] = []

    def is_done(first: int, last: int) -> bool:
        asked.append((first, last))
        return last < 2500

    rows = [row.row for batch in read_manifest(path, may_skip=is_done) for row in batch]
    assert rows[-1] == 3000
    assert 1 < rows[0] <= 2500
    assert rows == list(range(rows[0], 3001))
    assert (asked[0][0], asked[-1][1]) == (1, 3000)
    with path.open("a") as stream:
        stream.write("damaged\n")
    with pytest.raises(SourceError, match=r"manifest.csv:3002: damaged"):
        list(read_manifest(path, may_skip=is_done))
