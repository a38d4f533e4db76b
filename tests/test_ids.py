"""A report id is a UUID with dashes and nothing else; what is not one can be shown without harm."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkpause.ids import escaped, parse_report_id, why_refused

ID = "0f8fad5b-d9cb-469f-a165-70867728950e"


@pytest.mark.parametrize(
    "text",
    [
        ID,
        ID.upper(),
        f"  {ID}\t",
        f"{{{ID}}}",
        f" {{{ID.upper()}}} ",
        f"\N{NO-BREAK SPACE}{ID}\N{NO-BREAK SPACE}",
        f"{' ' * 256}{ID}{' ' * 256}",
    ],
)
def test_an_id_padded_upper_case_or_in_braces_becomes_canonical(text: str) -> None:
    assert parse_report_id(text) == ID


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        (" \t ", "empty"),
        (ID.replace("-", ""), "32 hex digits without dashes"),
        (f"{{{ID.replace('-', '')}}}", "32 hex digits without dashes"),
        (f"../resume/{ID}", "holds '.', which no report id has"),
        (f"{ID}/resume", "holds '/', which no report id has"),
        (f"{ID}%2Fresume", "holds '%', which no report id has"),
        (f"{ID}?x", "holds '?', which no report id has"),
        (f"urn:uuid:{ID}", "holds ':', which no report id has"),
        (f"{ID}\r\nX-Evil: 1", "holds a line break"),
        (f"{ID}\n", "holds a line break"),
        (f"{ID}\0", "holds a NUL byte"),
        (f"{ID}\x1b[2J", "holds an invisible character, U+001B"),
        (f"{ID[:9]}\u200b{ID[9:]}", "holds an invisible character, U+200B"),
        (f"\ufeff{ID}", "holds an invisible character, U+FEFF"),
        (f"\u202e{ID}", "holds an invisible character, U+202E"),
        (ID.replace("-", "\N{EN DASH}"), "holds a dash that is not '-', U+2013"),
        (ID.replace("0", "\N{FULLWIDTH DIGIT ZERO}"), "holds U+FF10, which no report id has"),
        (f"{ID}\udce9", "holds a byte that is not UTF-8"),
        (f'="{ID}"', "a spreadsheet formula"),
        (f"-{ID}", "a spreadsheet formula"),
        (f"{ID} {ID}", "holds ' ', which no report id has"),
        (f"{{{ID}", "not a UUID of 8-4-4-4-12 hex digits"),
        (f"{ID}}}", "not a UUID of 8-4-4-4-12 hex digits"),
        (f"{{{{{ID}}}}}", "not a UUID of 8-4-4-4-12 hex digits"),
        (f"{ID}0", "not a UUID of 8-4-4-4-12 hex digits"),
        (f"{ID[:-1]}g", "not a UUID of 8-4-4-4-12 hex digits"),
        ("not-a-uuid", "not a UUID of 8-4-4-4-12 hex digits"),
    ],
)
def test_everything_else_is_refused_with_its_reason(text: str, reason: str) -> None:
    assert parse_report_id(text) is None
    assert why_refused(text) == reason


@given(st.uuids(), st.sampled_from([str.upper, str.lower, str.title]), st.text(" \t", max_size=9))
def test_any_uuid_survives_its_costume(value: uuid.UUID, dress: type[str], padding: str) -> None:
    assert parse_report_id(f"{padding}{dress(str(value))}{padding}") == str(value)


@given(
    st.text(st.characters(codec="utf-16", categories=None, exclude_categories=()), max_size=60)
    | st.text("0a-{}", max_size=40)
)
def test_what_is_taken_is_a_canonical_uuid_and_what_is_not_has_a_reason(text: str) -> None:
    if report_id := parse_report_id(text):
        assert str(uuid.UUID(report_id)) == report_id
    else:
        assert ": " not in why_refused(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (ID, ID),
        ("\x1b[31mred\x1b[0m", r"\x1b[31mred\x1b[0m"),
        ("a\r\n\tb\0", r"a\r\n\tb\x00"),
        ("\u202eabc\u200b", r"\u202eabc\u200b"),
        ("caf\xe9", r"caf\xe9"),
        ("caf\udce9", r"caf\xe9"),
        ("\U0001f600", r"\U0001f600"),
        ("C:\\x", r"C:\\x"),
        ("x" * 81, "x" * 77 + "..."),
        ("x" * 80, "x" * 80),
    ],
)
def test_hostile_text_shows_as_printable_ascii(text: str, shown: str) -> None:
    assert escaped(text) == shown


@given(st.text(st.characters(exclude_categories=()), max_size=300), st.integers(3, 100))
def test_shown_text_is_short_and_harmless(text: str, limit: int) -> None:
    shown = escaped(text, limit=limit)
    assert len(shown) <= limit
    assert shown.isascii()
    assert shown.isprintable()
