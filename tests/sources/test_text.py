"""Bytes become text whatever wrote them, and what is no text is refused in one line."""

from __future__ import annotations

import codecs
import gzip
import hashlib
import io
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.sources.reading import A, B, cut, read


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "latin-1", "cp1251"])
@pytest.mark.parametrize("size", [1, 3, 7, 65536])
def test_every_usual_encoding_is_read_in_pieces_of_any_size(encoding: str, size: int) -> None:
    name = "Отчёт" if encoding == "cp1251" else "Café"
    raw = f"ReportId;Name\r\n{A};{name}\r\n{B};{name * 30}\r\n".encode(encoding)
    result = read(b"", pieces=cut(raw, range(0, len(raw), size)))
    assert (result.ids, result.rejects) == ([(A, 2), (B, 3)], [])


def test_utf_16_of_either_byte_order_with_its_mark() -> None:
    text = f"{A}\n{B}\n"
    assert read(codecs.BOM_UTF16_BE + text.encode("utf-16-be")).ids == [(A, 1), (B, 2)]
    assert read(codecs.BOM_UTF16_LE + text.encode("utf-16-le") + b"\x00").ids == [(A, 1), (B, 2)]


def test_a_byte_that_is_not_utf_8_inside_an_id_is_invalid_and_shown() -> None:
    result = read(A.encode() + b"\n" + B.encode() + b"\xe9\n")
    assert result.rejects == [(2, rf"{B}\xe9", "holds a byte that is not UTF-8")]


PACKED = gzip.compress(A.encode(), mtime=0)


def workbook() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("xl/workbook.xml", A)
    return out.getvalue()


@pytest.mark.parametrize(
    ("raw", "error"),
    [
        (
            gzip.compress(A.encode(), mtime=0),
            "compressed with gzip. Unpack it first: gunzip -c stdin | bulkpause ... -",
        ),
        (workbook(), "an Excel workbook or another zip archive. Save the sheet as CSV first."),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" * 9, "an old Excel workbook. Save the sheet as CSV first."),
        (b"\x7fELF\x02\x01\x01" + b"\0" * 99, "looks binary, not text. Give a CSV file, a plain list or JSON Lines."),
        (f"{A}\n".encode("utf-32"), "looks binary, not text. Give a CSV file, a plain list or JSON Lines."),
    ],
)
def test_what_is_no_text_is_refused_in_one_line(raw: bytes, error: str) -> None:
    result = read(raw)
    assert (result.items, result.error) == ([], f"stdin: {error}")


@pytest.mark.parametrize("size", [200, 1024, 5000])
@pytest.mark.parametrize("seed", range(8))
def test_random_bytes_are_refused(seed: int, size: int) -> None:
    result = read(hashlib.shake_128(bytes([seed])).digest(size))
    assert (result.ids, result.counts.read) == ([], 0)
    assert result.error.startswith("stdin: looks binary")


@pytest.mark.parametrize("size", [1, 5, 500])
def test_a_nul_byte_in_a_short_input_is_a_bad_row_not_a_binary_file(size: int) -> None:
    raw = f"ReportId\n\0\n{B}\n".encode()
    result = read(b"", pieces=cut(raw, range(0, len(raw), size)))
    assert (result.ids, result.rejects) == ([(B, 3)], [(2, r"\x00", "holds a NUL byte")])


@given(st.binary(max_size=300))
def test_no_bytes_at_all_make_it_crash(raw: bytes) -> None:
    result = read(raw)
    assert result.counts.accepted == len(result.ids)


@pytest.mark.parametrize(
    "raw", [b"", b"\n", b"\r\n\r\n", codecs.BOM_UTF8, b"# nothing", b"sep=;", b"sep=;\n\n# no\n", b" \t"]
)
def test_an_input_of_nothing_has_no_ids_and_no_error(raw: bytes) -> None:
    result = read(raw)
    assert (result.items, result.error, result.counts.read) == ([], "", 0)


def test_a_header_alone_has_no_ids_and_no_error() -> None:
    assert read("Name,ReportId\n").items == []
    assert read("ReportId").error == ""


def test_a_first_line_of_megabytes_is_not_waited_for() -> None:
    result = read(b"", pieces=[b"# " + b"x" * 60_000] * 20 + [f"\n{A}\n".encode()])
    assert [row for row, _, _ in result.rejects] + [row for _, row in result.ids] == [2]
