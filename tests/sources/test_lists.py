"""Plain lists and JSON Lines, told apart from CSV by their first line."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkpause.models import Entry
from bulkpause.sources import Format
from bulkpause.sources.intake import SeenIds
from bulkpause.sources.lines import LINE_LIMIT
from tests.sources.reading import A, B, C, cut, read, uid


@pytest.mark.parametrize("form", [None, Format.LINES])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_plain_list_with_remarks_and_blank_lines(form: Format | None, end: str) -> None:
    lines = ["# weekly", "", A, "   ", f"  {B.upper()}\t", "  # not this:", f"# {uid(9)}", f"{{{C}}}  # loud one"]
    result = read(end.join(lines), form=form)
    assert result.ids == [(A, 3), (B, 5), (C, 8)]
    assert (result.rejects, result.counts.read) == ([], 3)


def test_a_clean_list_keeps_its_line_numbers_over_many_pieces() -> None:
    raw = "".join(f"{uid(n)}\n" for n in range(5000)).encode()
    assert read(b"", pieces=cut(raw, range(0, len(raw), 4096))).ids == [(uid(n), n + 1) for n in range(5000)]


@pytest.mark.parametrize(
    "first",
    [
        A.replace("-", ""),
        f"../resume/{A}",
        f"{A}%2F",
        f"{A}?x",
        A.replace("-", "\N{EN DASH}"),
        f"\u200b{A}",
        f"{{{A}",
        "=1+1",
    ],
)
def test_a_mangled_first_line_is_an_invalid_row_of_a_list(first: str) -> None:
    result = read(f"{first}\n{B}\n")
    assert [row for row, _, _ in result.rejects] == [1]
    assert result.ids == [(B, 2)]


def test_a_word_as_first_line_is_one_invalid_row_when_the_format_is_given() -> None:
    result = read(f"hello\n{B},x\n{C}\n", form=Format.LINES)
    assert result.rejects == [
        (1, "hello", "not a UUID of 8-4-4-4-12 hex digits"),
        (2, f"{B},x", "holds ',', which no report id has"),
    ]
    assert result.ids == [(C, 3)]


@pytest.mark.parametrize("form", [Format.LINES, Format.JSONL])
def test_a_line_without_end_is_one_invalid_row_in_bounded_memory(form: Format) -> None:
    result = read(b"", form=form, pieces=[b" " * 60_000] * (LINE_LIMIT // 50_000) + [f'{A}\n"{B}"\n{C}'.encode()])
    assert result.rejects[0] == (1, " " * 77 + "...", "longer than 1 MiB")
    assert result.counts.accepted == 1


@pytest.mark.parametrize("key", ["reportId", "ReportId", "REPORTID", "report_id", "report-id", "Report ID", "id"])
def test_json_lines_carry_the_id_under_its_key_in_any_spelling(key: str) -> None:
    lines = [json.dumps({"status": "Active", key: A}), "", json.dumps({key: f"{{{B.upper()}}}", "n": {"id": 1}})]
    assert read("\n".join(lines)).ids == [(A, 1), (B, 3)]


def test_json_strings_are_ids_too() -> None:
    assert read(f'"{A}"\n"{B}"', form=Format.JSONL).ids == [(A, 1), (B, 2)]
    assert read(f'{{"id":"{A}"}}\n"{B}"').ids == [(A, 1), (B, 2)]


def test_a_named_key_wins() -> None:
    assert read(f'{{"reportId": "{A}", "queryId": "{B}"}}', column="QueryID").ids == [(B, 1)]


def test_a_ledger_is_a_source_of_the_ids_it_names() -> None:
    ledger = [
        {"schema": 1, "run_id": "r", "seq": 1, "event": "run_started"},
        {"schema": 1, "run_id": "r", "seq": 2, "event": "attempt_started", "report_id": A, "attempt": 1},
        {"schema": 1, "run_id": "r", "seq": 3, "event": "outcome", "report_id": A, "request_id": B, "row": 7},
        {"schema": 1, "run_id": "r", "seq": 4, "event": "outcome", "report_id": None, "status": "invalid"},
    ]
    result = read("\n".join(map(json.dumps, ledger)))
    assert result.ids == [(A, 2)]
    assert [(row, reason) for row, _, reason in result.rejects] == [
        (1, "no key is named like a report id"),
        (4, "the report id is not a string"),
    ]
    assert result.counts.duplicate == 1


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "not JSON"),
        (f'{{"reportId": "{A}"', "not JSON"),
        ("{'reportId': 1}", "not JSON"),
        (f'["{A}"]', "the report id is not a string"),
        ("null", "the report id is not a string"),
        ('{"reportId": 7}', "the report id is not a string"),
        ('{"reportId": {"id": "x"}}', "the report id is not a string"),
        ("{}", "no key is named like a report id"),
        (f'{{"reportId": "{A}", "report_id": "{B}"}}', "several keys could hold the report id"),
        (r'{"reportId": "\ud800"}', "not JSON"),
        ('{"reportId": "a\\r\\nb"}', "holds a line break"),
        ("[" * 2000, "not JSON"),
    ],
)
def test_a_line_without_a_usable_id_is_an_invalid_row(line: str, reason: str) -> None:
    result = read(f'"{B}"\n{line}\n"{C}"\n', form=Format.JSONL)
    assert [(row, why) for row, _, why in result.rejects] == [(2, reason)]
    assert result.ids == [(B, 1), (C, 3)]


@pytest.mark.parametrize("text", [f'[{{"id": "{A}"}}]', "[\n", f'["{A}"]', '{\n  "value": []\n}'])
def test_a_json_document_is_refused_with_the_command_that_splits_it(text: str) -> None:
    assert read(f"\n{text}").error == "stdin:2: one JSON document, not JSON Lines. Split it: jq -c '.[]' < stdin"


def test_duplicates_are_dropped_and_counted_in_whatever_dress() -> None:
    result = read(f"{A}\n{B}\n{A.upper()}\n{{{B}}}\nnope\n{A}\n")
    assert result.ids == [(A, 1), (B, 2)]
    assert (result.counts.accepted, result.counts.duplicate, result.counts.invalid) == (2, 3, 1)


CELLS = st.sampled_from([A, B, C, A.upper(), "x", "", " ", "# no", f"{A} # yes", A.replace("-", ""), "é", f"{B}\r"])


@given(
    st.lists(CELLS, max_size=30),
    st.sampled_from([Format.LINES, Format.CSV, Format.JSONL]),
    st.lists(st.integers(0, 1500), max_size=8),
)
def test_read_is_accepted_and_duplicate_and_invalid_however_the_input_is_cut(
    cells: list[str], form: Format, places: list[int]
) -> None:
    lines = [json.dumps(cell) for cell in cells] if form is Format.JSONL else ["id", *cells]
    raw = "\n".join(lines).encode()
    whole, pieces = read(raw, form=form), read(b"", form=form, pieces=cut(raw, places))
    assert (pieces.items, pieces.counts) == (whole.items, whole.counts)
    assert whole.counts.accepted == len(whole.ids) == len(set(whole.ids))
    assert whole.counts.invalid == len(whole.rejects)
    assert [item.row for item in whole.items] == sorted({item.row for item in whole.items})
    assert all(batch for batch in whole.batches)


def test_ids_are_remembered_over_generations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bulkpause.sources.intake._GENERATION_IDS", 100)
    seen = SeenIds()
    keys = [number.to_bytes(16, "big") for number in range(1000)]
    for start in range(0, 1000, 40):
        assert len(seen.new_ones(b"".join(keys[start : start + 40]))) == 40
    assert list(seen.new_ones(b"".join([keys[3], b"\xff" * 16, keys[999], b"\xff" * 16]))) == [1]
    assert len(seen._generations) > 5


def test_an_entry_is_yielded_as_soon_as_its_line_is_whole() -> None:
    result = read(b"", pieces=[f"{A}\n{B}"[:50].encode(), f"{A}\n{B}"[50:].encode() + b"\n", C.encode()])
    assert [[item.report_id for item in batch if isinstance(item, Entry)] for batch in result.batches] == [
        [A],
        [B],
        [C],
    ]
