"""The digest of a line, the seal of a closing one, and what is no line of ours."""

from __future__ import annotations

from hashlib import sha256

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkpause.chain import LINE_LIMIT, digest, is_sealed, parse, seal, sealed_head

LINE = b'{"seq":3,"event":"run_finished","lines":3}'


def test_the_digest_is_the_sha_256_of_the_bytes() -> None:
    assert digest(LINE) == sha256(LINE).hexdigest()


def test_a_sealed_line_is_the_same_object_with_the_head_as_its_last_field() -> None:
    sealed, head = seal(LINE)
    assert head == digest(LINE[:-1])
    assert orjson.loads(sealed) == {"seq": 3, "event": "run_finished", "lines": 3, "head": digest(LINE[:-1])}
    assert sealed.startswith(LINE[:-1] + b',"head":"')
    assert (sealed_head(sealed), is_sealed(sealed)) == (digest(LINE[:-1]), True)


@given(st.integers(0, len(seal(LINE)[0]) - 1), st.integers(1, 255))
def test_a_sealed_line_with_any_byte_changed_is_sealed_no_more(at: int, change: int) -> None:
    line = bytearray(seal(LINE)[0])
    line[at] ^= change
    assert not is_sealed(bytes(line))


@pytest.mark.parametrize("line", [b"", b"{}", LINE, seal(LINE)[0][:-1], b'{"summary":' + seal(LINE)[0] + b"}"])
def test_a_line_that_does_not_end_in_its_head_is_not_sealed(line: bytes) -> None:
    assert (sealed_head(line), is_sealed(line)) == (None, False)


def test_a_line_is_read_as_its_object_whatever_ends_it() -> None:
    assert parse(LINE) == parse(LINE + b"\r") == orjson.loads(LINE)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\0" * 80,
        b"GET / HTTP/1.1",
        b"[1]",
        b"7",
        b'{"event":"outcome"}',
        b'{"seq":"1","event":"outcome"}',
        b'{"seq":true,"event":"outcome"}',
        b'{"seq":1}',
        b'{"seq":1,"event":null}',
        b'{"seq":1,"event":"\xff"}',
        b'{"seq":1,"event":"' + b"x" * LINE_LIMIT + b'"}',
        b"[" * 100_000,
    ],
    ids=lambda raw: repr(raw[:40]),
)
def test_what_is_no_line_of_ours_is_none(raw: bytes) -> None:
    assert parse(raw) is None
