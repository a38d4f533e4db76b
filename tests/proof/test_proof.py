"""What a ledger on the disk comes to, with all that vouches for it."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from bulkpause.errors import LedgerError, UsageError
from bulkpause.lock import LedgerLock
from bulkpause.proof import signing
from bulkpause.proof.examine import Proof, Signed, examine
from tests.proof.made import RUN_ID, joined, ledger

NOW = datetime(2026, 11, 24, 22, 4, 10, tzinfo=UTC)
LINES = ledger(9)
CLOSING = orjson.loads(LINES[-1])


def proof(audit_file: Path, public_key_file: Path | None = None) -> Proof:
    return examine(audit_file, summary_file=audit_file.with_name("summary.json"), public_key_file=public_key_file)


def note_summary(audit_file: Path, **fields: Any) -> None:
    document = {"run_id": RUN_ID, "audit_lines": 9, "audit_head": CLOSING["head"], **fields}
    audit_file.with_name("summary.json").write_bytes(orjson.dumps(document))


def sign(audit_file: Path, key_file: Path, **fields: Any) -> None:
    said: dict[str, Any] = {"run_id": RUN_ID, "lines": 9, "head": CLOSING["head"], **fields}
    signing.write_signature(signing.load_key(key_file), audit_file, now=NOW, **said)


def words(found: Proof) -> list[str]:
    return [flaw.words for flaw in found.flaws]


def test_a_ledger_as_it_was_written_is_intact(audit_file: Path) -> None:
    note_summary(audit_file)
    found = proof(audit_file)
    assert (found.is_intact, found.flaws, found.signed, found.finding.has_ended) == (True, (), Signed.NONE, True)


@pytest.mark.parametrize("kept", [8, 5, 0])
def test_a_ledger_cut_at_a_line_is_found_by_what_the_summary_noted(audit_file: Path, kept: int) -> None:
    note_summary(audit_file)
    audit_file.write_bytes(joined(LINES[:kept]))
    if kept == 0:
        note_summary(audit_file, run_id=None)
    found = proof(audit_file)
    assert words(found) == [f"the end was cut off: summary.json speaks of 9 lines, {kept} are there"]


def test_a_ledger_written_anew_from_end_to_end_is_found_by_what_the_summary_noted(audit_file: Path) -> None:
    note_summary(audit_file, audit_head="f" * 64)
    assert words(proof(audit_file)) == ["line 9 is not the closing line that summary.json speaks of"]


def test_a_removed_line_is_no_cut_end(audit_file: Path) -> None:
    note_summary(audit_file)
    audit_file.write_bytes(joined([*LINES[:4], *LINES[5:]]))
    assert words(proof(audit_file)) == ["1 line is missing before line 5 (seq 5)"]


def test_what_came_behind_the_line_that_the_summary_noted_is_no_flaw(audit_file: Path) -> None:
    lines = ledger(12, closing=[9, 12])
    audit_file.write_bytes(joined(lines))
    note_summary(audit_file, audit_head=orjson.loads(lines[8])["head"])
    assert proof(audit_file).is_intact


@pytest.mark.parametrize(
    ("content", "note"),
    [
        (b"{", "summary.json beside it cannot be read, and was not compared."),
        (b"[]", "summary.json beside it cannot be read, and was not compared."),
        (b'{"run_id":"other"}', "summary.json beside it is of another run, and was not compared."),
        (orjson.dumps({"run_id": RUN_ID}), None),
    ],
)
def test_a_summary_that_notes_nothing_of_this_ledger_is_not_compared(
    audit_file: Path, content: bytes, note: str | None
) -> None:
    audit_file.with_name("summary.json").write_bytes(content)
    found = proof(audit_file)
    assert found.is_intact
    assert found.notes[:-1] == (() if note is None else (note,))


def test_a_torn_last_line_is_a_flaw_unless_somebody_is_writing_it(audit_file: Path) -> None:
    audit_file.write_bytes(joined(LINES[:8]) + b'{"schema"')
    assert words(proof(audit_file)) == ["the last line is torn (9 bytes)"]
    with LedgerLock(audit_file, now=NOW):
        found = proof(audit_file)
    assert (found.flaws, found.finding.has_ended, found.owner and found.owner.since) == ((), False, NOW)


@pytest.mark.parametrize("make", [None, Path.mkdir])
def test_a_ledger_that_cannot_be_read_is_said(tmp_path: Path, make: Any) -> None:
    path = tmp_path / "audit.jsonl"
    if make is not None:
        make(path)
    with pytest.raises(LedgerError, match=re.escape(f"the audit log {path} cannot be read: ")):
        proof(path)


def test_a_signature_by_the_trusted_key_is_good(audit_file: Path, key_file: Path) -> None:
    sign(audit_file, key_file)
    found = proof(audit_file, Path(f"{key_file}.pub"))
    assert (found.is_intact, found.signed, found.notes) == (
        True,
        Signed.GOOD,
        ("Its closing line is signed by the key that you trust.",),
    )
    assert found.signer == signing.fingerprint(signing.load_public_key(Path(f"{key_file}.pub")))


def test_a_signature_without_a_key_to_trust_is_not_taken_for_good(audit_file: Path, key_file: Path) -> None:
    sign(audit_file, key_file)
    found = proof(audit_file)
    assert (found.is_intact, found.signed) == (True, Signed.UNCHECKED)
    assert "not checked against a key that you trust" in found.notes[-1]


def test_a_wanted_signature_that_is_not_there_is_a_failure(audit_file: Path, key_file: Path) -> None:
    found = proof(audit_file, Path(f"{key_file}.pub"))
    assert (found.is_intact, found.signed, found.signer) == (False, Signed.MISSING, None)
    assert found.notes == (f"There is no signature {audit_file}.sig.",)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"run_id": "run-2"}, "is of another run"),
        ({"head": "f" * 64}, "is of another ledger of this run"),
        ({"lines": 8}, "is of another ledger of this run"),
    ],
)
def test_a_good_signature_of_something_else_is_bad(
    audit_file: Path, key_file: Path, fields: dict[str, Any], said: str
) -> None:
    sign(audit_file, key_file, **fields)
    for trusted in (None, Path(f"{key_file}.pub")):
        found = proof(audit_file, trusted)
        assert (found.is_intact, found.signed) == (False, Signed.BAD)
        assert said in found.notes[-1]


def test_a_signature_by_another_key_is_bad(audit_file: Path, key_file: Path) -> None:
    sign(audit_file, key_file)
    other = key_file.with_name("other.pem")
    signing.make_key(other)
    found = proof(audit_file, Path(f"{other}.pub"))
    assert (found.signed, found.notes[-1]) == (
        Signed.BAD, f"The signature {audit_file}.sig is by another key than the one you trust."
    )  # fmt: skip


def test_a_damaged_signature_is_bad(audit_file: Path) -> None:
    Path(f"{audit_file}.sig").write_bytes(b"{}")
    found = proof(audit_file)
    assert (found.is_intact, found.signed, found.signer) == (False, Signed.BAD, None)


def test_lines_that_came_after_the_signature_are_not_signed(audit_file: Path, key_file: Path) -> None:
    lines = ledger(12, closing=[9, 12])
    audit_file.write_bytes(joined(lines))
    sign(audit_file, key_file, head=orjson.loads(lines[8])["head"])
    found = proof(audit_file)
    assert (found.signed, found.notes[-1]) == (
        Signed.BAD, f"What came after line 9 is not signed: {audit_file}.sig is older."
    )  # fmt: skip


def test_a_good_signature_heals_no_flaw(audit_file: Path, key_file: Path) -> None:
    audit_file.write_bytes(joined([*LINES[:4], *LINES[5:]]))
    sign(audit_file, key_file)
    found = proof(audit_file, Path(f"{key_file}.pub"))
    assert (found.is_intact, found.signed, words(found)) == (
        False, Signed.GOOD, ["1 line is missing before line 5 (seq 5)"]
    )  # fmt: skip


def test_a_public_key_that_is_none_is_said_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        proof(tmp_path / "none.jsonl", tmp_path / "none.pub")
