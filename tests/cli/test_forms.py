"""A list of reports as people and programs get it."""

from __future__ import annotations

import csv
import io

import click
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkpause.cli.forms import COLUMNS, NAME_LIMIT, as_csv, as_json_lines, as_table
from bulkpause.ids import parse_report_id
from bulkpause.models import Entry, Report, ReportId
from bulkpause.sources import open_source

ID = ReportId("0b9c7a52-8a5e-4f9b-9c1e-3d2f1a0b4c5d")
FULL = Report(ID, "Paused", "Azure usage", "6fd7624b-aa9f-42df-a61d-67d42fd00e92", "ann@contoso.example", "2026-03-01")


def plain(text: str, **_: object) -> str:
    return text


def table(*reports: Report, width: int | None = 80) -> list[str]:
    return as_table(reports, width=width, paint=plain).splitlines()


def test_a_table_has_name_status_and_id_side_by_side() -> None:
    assert table(FULL, Report(ID, "Inactive", "日報"), Report(ID)) == [
        "Name         Status    Report id",
        f"Azure usage  Paused    {ID}",
        f"日報         Inactive  {ID}",
        f"             -         {ID}",
    ]


@pytest.mark.parametrize("name", ["x" * 500, "日" * 500, "e\N{COMBINING ACUTE ACCENT}" * 500])
@pytest.mark.parametrize("width", [80, 120])
def test_a_table_is_no_wider_than_its_terminal(name: str, width: int) -> None:
    header, line = table(Report(ID, "Paused", name), width=width)
    assert len(header) <= width
    shown = line.split("…")[0]
    columns = sum(2 if letter == "日" else letter != "\N{COMBINING ACUTE ACCENT}" for letter in shown)
    assert width - len(ID) - len("Paused") - 7 <= columns < width - len(ID) - len("Paused") - 4
    assert line.endswith((f"…  Paused  {ID}", f"…   Paused  {ID}"))


def test_a_table_for_no_terminal_leaves_names_room() -> None:
    assert f"{'x' * (NAME_LIMIT - 1)}…" in table(Report(ID, None, "x" * 500), width=None)[1]


def test_nothing_in_a_name_or_a_state_moves_a_cursor() -> None:
    hostile = Report(ID, "Pa\x1b[2J", "a\nb\x1b]0;x\x07\N{RIGHT-TO-LEFT OVERRIDE}")
    lines = [*table(hostile), *as_csv([hostile]).splitlines(), as_json_lines([hostile])]
    assert len(lines) == 5
    assert all(line.isprintable() for line in lines)
    assert orjson.loads(lines[-1])["name"] == hostile.name


def test_states_are_painted() -> None:
    reports = [FULL, FULL._replace(report_status="Active"), FULL._replace(report_status="Odd")]
    painted = as_table(reports, width=80, paint=click.style).splitlines()
    assert "\x1b[33mPaused\x1b[0m" in painted[1]
    assert "\x1b[32mActive\x1b[0m" in painted[2]
    assert "Odd   \x1b[0m" in painted[3]


def test_a_csv_names_its_columns_the_id_first() -> None:
    assert as_csv([FULL, Report(ID)]).splitlines() == [",".join(COLUMNS), ",".join(map(str, FULL)), f"{ID},,,,,"]
    assert Report._fields == COLUMNS


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@x", "\t=1", "\r\n=1", " =1"])
def test_no_cell_of_a_csv_is_a_formula(name: str) -> None:
    row = next(csv.DictReader(io.StringIO(as_csv([FULL._replace(name=name, user=name)]))))
    assert row["name"].startswith("'")
    assert row["user"].startswith("'")


TEXTS = st.none() | st.text(max_size=30) | st.sampled_from([ID, '"', ",", "a,b\nc", "\N{BOM}", "report_id"])
REPORTS = st.lists(
    st.builds(
        Report,
        st.uuids().map(lambda uuid: ReportId(str(uuid))),
        report_status=st.sampled_from(["Active", None, "?"]),
        name=TEXTS,
        query_id=TEXTS,
        user=TEXTS,
        modified_time=TEXTS,
    ),
    unique_by=lambda report: report.report_id,
    max_size=5,
)


@given(REPORTS)
def test_what_is_listed_as_csv_is_read_back_as_a_source(given: list[Report]) -> None:
    stdin = io.BytesIO(f"{as_csv(given)}\n".encode(errors="backslashreplace"))
    with open_source("-", form=None, column=None, stdin=stdin) as source:
        rows = [row for batch in source for row in batch]
    assert [row.report_id for row in rows if isinstance(row, Entry)] == [report.report_id for report in given]
    assert len(rows) == len(given)


@given(REPORTS)
def test_json_lines_hold_what_the_service_sent(given: list[Report]) -> None:
    lines = as_json_lines(given).splitlines()
    assert [Report(**orjson.loads(line)) for line in lines] == given
    assert all(parse_report_id(report.report_id) for report in given)
