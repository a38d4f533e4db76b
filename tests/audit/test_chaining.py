"""Lines are bound to those before them, also when another process goes on."""
# ruff: noqa: ASYNC240 - a test may look at a file while its loop waits

from __future__ import annotations

import os
import re
from pathlib import Path

import orjson
import pytest

from bulkpause import audit
from bulkpause.chain import GENESIS, digest, is_sealed
from bulkpause.errors import AuditCreateError
from tests.audit.ledgers import ledger, write_durably


def assert_chained(path: Path) -> None:
    raw = path.read_bytes().splitlines()
    lines = [orjson.loads(one) for one in raw]
    assert [line["prev"] for line in lines] == [GENESIS, *map(digest, raw[:-1])]
    assert [line["seq"] for line in lines] == list(range(1, len(lines) + 1))


async def test_each_line_names_the_digest_of_the_one_before(path: Path) -> None:
    async with ledger(path) as log:
        for number in range(50):
            log.write("outcome", {"number": number, "message": 'é "quoted"\n'})
            if number % 20 == 0:
                await log.durable()
    assert_chained(path)


async def test_a_closing_line_counts_the_lines_and_vouches_for_itself(path: Path) -> None:
    async with ledger(path) as log:
        log.write("outcome", {})
        closing = log.seal("run_finished", {"summary": {"read": 1}})
    assert_chained(path)
    last = path.read_bytes().splitlines()[-1]
    assert is_sealed(last)
    assert closing == (2, orjson.loads(last)["head"])
    assert list(orjson.loads(last).items())[-3:-1] == [("summary", {"read": 1}), ("lines", 2)]


@pytest.mark.parametrize("torn", [b"", b'{"seq":4,"mess', b"\0" * 4096])
async def test_going_on_cuts_a_torn_last_line_and_keeps_the_chain(path: Path, torn: bytes) -> None:
    async with ledger(path) as log:
        for number in range(3):
            log.write("outcome", {"number": number})
    with path.open("ab") as stream:
        stream.write(torn)
    tail = audit.find_tail(path)
    assert tail[2:] == (path.stat().st_size - len(torn), len(torn))
    async with ledger(path, tail) as log:
        await write_durably(log, 3)
        log.seal("run_finished", {})
    assert_chained(path)
    lines = list(audit.read(path))
    assert [line.get("number") for line in lines] == [0, 1, 2, 3, None]
    assert lines[-1]["lines"] == 5


async def test_going_on_behind_a_foreign_line_chains_to_that_and_counts_from_ours(path: Path) -> None:
    async with ledger(path) as log:
        log.write("outcome", {})
    with path.open("ab") as stream:
        stream.write(b"foreign\n")
    async with ledger(path, audit.find_tail(path)) as log:
        log.write("outcome", {})
    assert [(line["seq"], line["prev"]) for line in audit.read(path)][1:] == [(2, digest(b"foreign"))]


async def test_going_on_in_an_empty_file_starts_at_the_first_line(path: Path) -> None:
    path.touch()
    async with ledger(path, audit.find_tail(path)) as log:
        log.write("outcome", {})
    assert_chained(path)


async def test_a_file_that_changed_since_its_tail_was_found_is_refused_and_left_alone(path: Path) -> None:
    async with ledger(path) as log:
        log.write("outcome", {})
    tail = audit.find_tail(path)
    with path.open("ab") as stream:
        stream.write(b"more\n")
    before = path.read_bytes()
    with pytest.raises(AuditCreateError, match=re.escape(f"{path} was changed by somebody else just now. Try again.")):
        await ledger(path, tail).__aenter__()
    assert path.read_bytes() == before


async def test_going_on_in_a_file_that_is_gone_is_refused(path: Path) -> None:
    path.touch()
    tail = audit.find_tail(path)
    path.unlink()
    with pytest.raises(AuditCreateError, match=re.escape(f"cannot open the audit log {path}: {os.strerror(2)}.")):
        await ledger(path, tail).__aenter__()
    assert not path.exists()
