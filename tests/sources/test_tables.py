"""CSV as people and programs write it: no row is lost, none is invented, and none blocks the next."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bulkpause.sources import Format, tables
from tests.sources.reading import A, B, C, cut, read, uid


@pytest.mark.parametrize(
    "name",
    ["ReportId", "ReportID", "reportId", "report_id", "report-id", "Report ID", "id", "ID", " reportid ", '"ReportId"'],
)
def test_the_id_column_is_found_by_any_of_its_names(name: str) -> None:
    assert read(f"Name,{name},Status\nx,{A},Active\ny,{B},Active\n").ids == [(A, 2), (B, 3)]


@pytest.mark.parametrize(("column", "ids"), [("Query", [(B, 2)]), ("query", [(B, 2)]), ("Report_Id", [(A, 2)])])
def test_a_named_column_wins(column: str, ids: list[tuple[str, int]]) -> None:
    assert read(f"ReportId,id,Query\n{A},{C},{B}\n", column=column).ids == ids


@pytest.mark.parametrize(
    ("header", "column", "error"),
    [
        (
            "ReportId,a,b,id",
            None,
            'stdin:1: 2 columns could hold the report id: "ReportId" (1), "id" (4). Choose one with --column NAME.',
        ),
        (
            "Name,Sta\x1bus",
            None,
            (
                r'stdin:1: no column is named like a report id. Columns found: "Name" (1), "Sta\x1bus" (2). '
                "Choose one with --column NAME."
            ),
        ),
        (
            "GUID",
            None,
            (
                'stdin:1: no column is named like a report id. Columns found: "GUID" (1). Choose one '
                "with --column NAME, or read a plain list with --format lines."
            ),
        ),
        ("a,b", "c", 'stdin:1: no column is named "c". Columns found: "a" (1), "b" (2).'),
        (
            "x y,X_Y",
            "xy",
            'stdin:1: 2 columns could hold the report id: "x y" (1), "X_Y" (2). Choose one with --column NAME.',
        ),
        (
            f"{A},x,{B}",
            None,
            (
                f'stdin:1: no header, and 2 columns hold ids: "{A}" (1), "{B}" (3). '
                "Put a line of column names first, with ReportId over the right one."
            ),
        ),
    ],
)
def test_a_table_whose_id_column_is_in_doubt_is_refused(header: str, column: str | None, error: str) -> None:
    result = read(f"{header}\n{A},{B},{C},{A}\n", column=column)
    assert (result.items, result.error) == ([], error)


def test_a_wide_table_lists_its_first_columns_only() -> None:
    assert read(",".join(f"c{n}" for n in range(20))).error.endswith(
        '"c11" (12) and 8 more. Choose one with --column NAME.'
    )


@pytest.mark.parametrize("form", [None, Format.CSV])
def test_without_a_header_the_first_id_is_not_swallowed(form: Format | None) -> None:
    assert read(f"{A}\n{B}\n", form=form).ids == [(A, 1), (B, 2)]
    assert read(f"x,{A},y\nz,{B}\n", form=form).ids == [(A, 1), (B, 2)]
    assert read(f'"{A}"\n"{B}"', form=form).ids == [(A, 1), (B, 2)]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("is_ended", [True, False])
def test_delimiters_and_line_ends_of_all_kinds(delimiter: str, end: str, is_ended: bool) -> None:
    rows = [["Name", "ReportId", "x"], ["n", A, ""], ["", f" {B.upper()} ", "y"]]
    text = end.join(delimiter.join(row) for row in rows) + end * is_ended
    assert read(text).ids == [(A, 2), (B, 3)]


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        (f"sep=;\nName;ReportId\n1,5;{A}\n", [(A, 3)]),
        (f'"sep=^"\r\n# made by hand\r\nName^ReportId\r\nn^{A}', [(A, 4)]),
        (f"# one\n\n  # two\nReportId,x\n{A},1\n", [(A, 5)]),
        (f"\n\nReportId,x\n\n{A},1\n\n", [(A, 5)]),
        (f',,\nReportId,"x\ny",\n{A},"1\n\n2",\n{B}\n', [(A, 4), (B, 7)]),
        (f'"ReportId","Name"\n"{A}","say ""hi"", {C}"\n"{{{B}}}",5" disk\n', [(A, 2), (B, 3)]),
        (f'Name,ReportId\n"a"b"c,{A}\n"x" ,"{B}" \n', [(A, 2), (B, 3)]),
        (f"x,y;ReportId\nx,y;{A}\n", [(A, 2)]),
        (f"report_id,row,invalid\n{A},2,\n{B},7,\n", [(A, 2), (B, 3)]),
    ],
)
def test_the_habits_of_spreadsheets_and_people(text: str, ids: list[tuple[str, int]]) -> None:
    result = read(text)
    assert (result.ids, result.rejects, result.error) == (ids, [], "")


def test_a_failed_list_with_reasons_can_be_fed_back() -> None:
    text = f'report_id,status,reason\n{A},rejected,"HTTP 400: ""no"", says\nthe server"\n{B},unknown,=1+1\n'
    assert read(text).ids == [(A, 2), (B, 4)]


def test_ragged_rows_are_invalid_and_rows_of_nothing_are_passed_over() -> None:
    result = read(f"x,ReportId,y\na\n,\n , ,\t\nb,{A}\nc,{B},d,e,f\n,,z\n\n")
    assert result.ids == [(A, 5), (B, 6)]
    assert result.rejects == [(2, "", "empty"), (7, "", "empty")]
    assert (result.counts.read, result.counts.invalid) == (4, 2)


@pytest.mark.parametrize(
    ("cell", "text", "reason"),
    [
        (f'"{A}\r\nX-Evil: 1"', rf"{A}\nX-Evil: 1", "holds a line break"),
        (f"{A}\0", rf"{A}\x00", "holds a NUL byte"),
        (f"../resume/{A}", f"../resume/{A}", "holds '.', which no report id has"),
        ('"=HYPERLINK(""x"")"', '=HYPERLINK("x")', "a spreadsheet formula"),
        ("x" * 5000, "x" * 77 + "...", "not a UUID of 8-4-4-4-12 hex digits"),
    ],
)
def test_a_hostile_cell_is_invalid_with_its_line_and_shown_escaped(cell: str, text: str, reason: str) -> None:
    result = read(f"Name,ReportId\nn,{cell}\nm,{B}\n")
    assert result.rejects == [(2, text, reason)]
    assert [report_id for report_id, _ in result.ids] == [B]


def test_a_latin_1_byte_in_another_column_does_not_fail_the_row() -> None:
    result = read(b"Name,ReportId\nCaf\xe9,%s\nna\xc3\xafve,%s\n" % (A.encode(), B.encode()))
    assert result.ids == [(A, 2), (B, 3)]


def test_fields_beyond_the_csv_modules_limit_are_read() -> None:
    wide = "w" * 200_000
    text = f'ReportId,Name\n{A},{wide}\n{B},"{wide}\n""{wide}"\n{C},x\n'
    raw = text.encode()
    expected = [(A, 2), (B, 3), (C, 5)]
    assert read(text).ids == expected
    assert read(b"", pieces=cut(raw, range(0, len(raw), 65536))).ids == expected


@pytest.mark.parametrize(
    ("text", "line", "ids"),
    [
        (f'ReportId,Name\n{A},"open\n{B},x\n', 2, []),
        (f'ReportId,Name\n{A},x\n"{B},x\n{C},y\n', 3, [(A, 2)]),
        (f'Name,ReportId\n"two\nlines","\n{A}\n', 3, []),
        (f'ReportId,Name\n{A},x\n{B},"24 inch\n{C},"fine"\n', 3, [(A, 2)]),
        (f'"ReportId,Name\n{A},x\n', 1, []),
    ],
)
def test_an_unclosed_quote_is_an_error_with_its_line(text: str, line: int, ids: list[tuple[str, int]]) -> None:
    result = read(text)
    assert result.error == (
        f"stdin:{line}: a quote opens here and is not closed. Close or remove it; "
        "a plain list of ids can be read with --format lines."
    )
    assert result.ids == ids


@pytest.mark.parametrize(
    ("opening", "complaint"), [('"', "a quote opens here"), ("", "no end of the record within 16 MiB")]
)
def test_a_record_without_end_is_given_up_in_bounded_memory(
    opening: str, complaint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "RECORD_LIMIT", 100_000)
    result = read(b"", pieces=[f"ReportId,x\n{A},{opening}".encode(), *[b"x" * 50_000] * 9])
    assert (result.ids, result.counts.read) == ([], 0)
    assert result.error.startswith(f"stdin:2: {complaint}")


CELLS = st.sampled_from(
    ["", " ", "x", '"', '""', ",", "\n", A, B.upper(), f" {C} ", '5" disk', "a,b", "é", "\r\n", "y" * 20]
)
ROWS = st.lists(st.lists(CELLS, min_size=1, max_size=4), max_size=8)


def written(rows: list[list[str]], *, quoting: int) -> str:
    out = io.StringIO()
    csv.writer(out, quoting=quoting, lineterminator="\n").writerows(rows)  # type: ignore[arg-type]
    return out.getvalue()


@given(ROWS, st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]), st.lists(st.integers(0, 2000)), st.integers(0, 2))
def test_whatever_the_csv_module_writes_is_read_back_however_it_is_cut(
    rows: list[list[str]], quoting: int, places: list[int], index: int
) -> None:
    header = ["n", "n", "n"]
    header[index] = "ReportId"
    text = written([header, *rows], quoting=quoting)
    whole = read(text)
    pieces = read(b"", pieces=cut(text.encode(), places))
    assert (pieces.items, pieces.counts, pieces.error) == (whole.items, whole.counts, whole.error)
    expected = [row[index].strip().lower() for row in rows if len(row) > index]
    unique = dict.fromkeys(cell for cell in expected if cell in (A, B, C))
    assert [report_id for report_id, _ in whole.ids] == list(unique)
    assert whole.error == ""


@settings(max_examples=200)
@given(st.text(',"\n\r x', max_size=40).map(lambda text: text.replace("x", A)), st.lists(st.integers(0, 400)))
@example(f'"{A}"\n', [38])
@example(f'{A},""\n,""\n""', [41])
def test_a_table_means_the_same_however_it_is_cut_and_its_counts_add_up(text: str, places: list[int]) -> None:
    text = f"ReportId,x\n{text}"
    whole = read(text, form=Format.CSV)
    pieces = read(b"", form=Format.CSV, pieces=cut(text.encode(), places))
    assert (pieces.items, pieces.counts, pieces.error) == (whole.items, whole.counts, whole.error)
    assert whole.counts.accepted == len(whole.ids)
    assert whole.counts.invalid == len(whole.rejects)


def test_clean_rows_are_swept_with_their_right_lines_behind_odd_ones() -> None:
    rows = [f"{uid(n)},{n}" for n in range(5000)]
    rows[1234] = "odd,1"
    result = read("ReportId,n\n" + "\n".join(rows))
    assert result.ids == [(uid(n), n + 2) for n in range(5000) if n != 1234]
    assert [row for row, _, _ in result.rejects] == [1236]
