"""A source opens or says in one line why it does not; what comes slowly is passed on at once."""

from __future__ import annotations

import gc
import io
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NoReturn

import pytest

from bulkpause.errors import SourceError, UsageError
from bulkpause.models import Entry, Reject
from bulkpause.sources import Format, Source, open_source
from tests.sources.reading import A, B, C

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="POSIX files")


def opened(spec: str | Path, *, stdin: BinaryIO | None = None) -> Source:
    return open_source(str(spec), form=None, column=None, stdin=stdin)


def report_ids(batches: Iterator[list[Entry | Reject]]) -> list[str]:
    return [item.report_id for item in next(batches) if isinstance(item, Entry)]


@pytest.fixture
def pipe() -> Iterator[tuple[BinaryIO, io.FileIO]]:
    """Both ends of a pipe: one to read ids from, one to type them into."""
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as reader, io.FileIO(writing, "wb") as writer:
        yield reader, writer


def test_a_file_is_finite_and_is_closed_afterwards(tmp_path: Path) -> None:
    path = tmp_path / "ids.txt"
    path.write_text(f"{A}\n{B}")
    with opened(path) as source:
        assert (source.name, source.is_finite) == (str(path), True)
        assert [item.row for batch in source for item in batch] == [1, 2]
        assert source.counts.read == 2
    gc.collect()  # an unclosed file would warn, and a warning is an error


def test_standard_input_from_a_file_is_finite_and_from_a_pipe_is_not(
    tmp_path: Path, pipe: tuple[BinaryIO, io.FileIO]
) -> None:
    path = tmp_path / "ids.txt"
    path.write_text(A)
    with path.open("rb") as file, opened("-", stdin=file) as source:
        assert source.is_finite
        assert report_ids(iter(source)) == [A]
    assert not opened("-", stdin=pipe[0]).is_finite
    assert not opened("-", stdin=io.BytesIO()).is_finite


def test_an_id_typed_into_a_slow_pipe_comes_out_at_once(pipe: tuple[BinaryIO, io.FileIO]) -> None:
    reader, writer = pipe
    batches = iter(opened("-", stdin=reader))
    writer.write(f"{A}\n{B[:7]}".encode())
    assert report_ids(batches) == [A]
    writer.write(f"{B[7:]}\r\n".encode())
    assert report_ids(batches) == [B]
    writer.write(C.encode())
    writer.close()
    assert report_ids(batches) == [C]
    assert list(batches) == []


@posix_only
def test_a_pipe_left_non_blocking_is_waited_for_not_taken_as_ended(pipe: tuple[BinaryIO, io.FileIO]) -> None:
    reader, writer = pipe
    os.set_blocking(reader.fileno(), False)
    batches = iter(opened("-", stdin=reader))
    threading.Timer(0.02, writer.write, [f"{A}\n".encode()]).start()
    assert report_ids(batches) == [A]


@posix_only
def test_a_fifo_is_opened_by_the_iteration_so_that_opening_never_blocks(tmp_path: Path) -> None:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    with opened(path) as source:
        assert not source.is_finite
        writer = threading.Thread(target=path.write_text, args=(f"ReportId\n{A}\n",))
        writer.start()
        assert report_ids(iter(source)) == [A]
        writer.join()


@posix_only
def test_process_substitution_is_a_source() -> None:
    program = """
from bulkpause.sources import open_source
import sys
with open_source(sys.argv[1], form=None, column=None, stdin=None) as source:
    print(source.is_finite, sum(map(len, source)))
"""
    command = f"exec '{sys.executable}' -c '{program}' <(printf '{A}\\n{B}\\n')"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("False 2\n", "")


@posix_only
def test_a_thread_that_waits_on_standard_input_does_not_abort_the_interpreter() -> None:
    program = """
import sys, threading
from bulkpause.sources import open_source
source = open_source("-", form=None, column=None, stdin=sys.stdin.buffer)
threading.Thread(target=list, args=(source,), daemon=True).start()
print("leaving", flush=True)
"""
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.read() == b"leaving\n"
        assert process.wait() == 0
        assert process.stderr.read() == b""


def test_the_null_device_has_no_ids_and_no_error() -> None:
    with opened(os.devnull) as source:
        assert list(source) == []


def test_a_file_that_is_never_read_is_closed_all_the_same(tmp_path: Path) -> None:
    path = tmp_path / "ids"
    path.write_text(A)
    with opened(path) as source:
        raw = source._raw
    assert isinstance(raw, io.FileIO)
    assert raw.closed


def test_a_directory_a_missing_file_and_a_name_that_is_none_are_refused(tmp_path: Path) -> None:
    for spec, complaint in [
        (str(tmp_path), "is a directory. Name a file in it."),
        (str(tmp_path / "no"), "no such file. Check the path, or give - to read standard input."),
        (str(tmp_path / "no\x1b"), "no such file. Check the path, or give - to read standard input."),
        (str(tmp_path / "n\0o"), "cannot be opened: embedded null byte."),
        (str(tmp_path / ("n" * 300)), "cannot be opened: File name too long."),
    ]:
        with pytest.raises(SourceError) as caught:
            opened(spec)
        assert str(caught.value).endswith(f": {complaint}")
        assert str(caught.value).isprintable()


def test_an_unreadable_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> NoReturn:
        raise PermissionError(13, "Permission denied")

    path = tmp_path / "ids"
    path.touch(mode=0o000)
    monkeypatch.setattr("bulkpause.sources.io.FileIO", refuse)  # mode bits do not stop root
    with pytest.raises(SourceError, match=r"ids: permission denied\. Make it readable"):
        opened(path)


def test_standard_input_that_is_closed_is_refused() -> None:
    closed = io.BytesIO()
    closed.close()
    for stdin in (None, closed):
        with pytest.raises(SourceError, match=r"^stdin: is closed\. Pipe ids in, or name a file\.$"):
            opened("-", stdin=stdin)


@posix_only
def test_standard_input_that_is_a_terminal_is_refused_with_a_hint() -> None:
    ours, theirs = os.openpty()
    with (
        os.fdopen(ours, "rb"),
        os.fdopen(theirs, "rb") as terminal,
        pytest.raises(SourceError, match=r"^stdin: is a terminal\. Pipe ids in \(bulkpause \.\.\. - < reports.csv\)"),
    ):
        opened("-", stdin=terminal)


def test_a_column_of_a_plain_list_is_refused() -> None:
    with pytest.raises(UsageError, match="A plain list has no columns: drop --column or --format lines"):
        open_source("-", form=Format.LINES, column="id", stdin=io.BytesIO())


def test_a_read_that_fails_names_the_source_after_what_was_good() -> None:
    class Broken(io.BytesIO):
        def read1(self, size: int | None = -1, /) -> bytes:
            if self.tell():
                raise OSError(5, "Input/output error")
            return self.read()

    batches = iter(opened("-", stdin=Broken(f"{A}\n{B}".encode())))
    assert report_ids(batches) == [A]
    with pytest.raises(SourceError, match=r"^stdin: cannot be read: Input/output error\.$"):
        next(batches)
