"""`bulkpause audit verify` and `audit keygen`."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest

from bulkpause.lock import LedgerLock
from bulkpause.proof import signing
from tests.cli.calling import Cli, Serve
from tests.proof.made import RUN_ID, joined, ledger, line


@pytest.fixture
def run(cli: Cli) -> Path:
    """The directory of a run that ended, in `runs`."""
    directory = Path(cli.folder, "runs", RUN_ID)
    directory.mkdir(parents=True)
    (directory / "audit.jsonl").write_bytes(joined(ledger(1234)))
    return directory


def test_a_run_just_made_is_proven(cli: Cli, serve: Serve) -> None:
    sandbox = serve()
    assert cli("pause", cli.source(sandbox.report_ids)).code == 0
    said = cli("audit", "verify", "last")
    assert (said.code, said.err) == (0, "")
    count = len(cli.ledger())
    assert said.out.startswith(f"OK: {count} lines, unbroken, the run ended.\nFile      {cli.runs[-1].absolute()}")
    assert f"Head      {cli.ledger()[-1]['head']}\n" in said.out


@pytest.mark.parametrize("spec", ["last", RUN_ID, RUN_ID[:10], f"runs/{RUN_ID}", f"runs/{RUN_ID}/audit.jsonl"])
def test_a_run_goes_by_its_id_a_part_of_it_its_directory_or_its_ledger(cli: Cli, run: Path, spec: str) -> None:
    said = cli("audit", "verify", spec)
    assert said.code == 0
    assert said.out.splitlines()[-1].startswith("It is not signed: ")
    assert said.out.startswith("OK: 1,234 lines, unbroken, the run ended.\n")


def test_a_ledger_that_was_put_elsewhere_is_found_by_its_run(cli: Cli, run: Path) -> None:
    elsewhere = cli.folder / "elsewhere.jsonl"
    (run / "audit.jsonl").rename(elsewhere)
    (run / "audit.path").write_bytes(os.fsencode(elsewhere) + b"\n")
    assert cli("audit", "verify", "last").code == 0


def test_each_flaw_is_named_and_the_exit_code_is_5(cli: Cli, run: Path) -> None:
    lines = ledger(60)
    (run / "audit.jsonl").write_bytes(
        joined([one.replace(b"22:04", b"23:04") if n % 2 else one for n, one in enumerate(lines[:58])])
    )
    said = cli("audit", "verify", "last")
    assert said.code == 5
    out = said.out.splitlines()
    assert out[0] == (
        "NOT OK: 58 lines, the run has not ended (or its end was cut off), and nothing vouches for its last line."
    )
    assert out[1:3] == ["  line 2 was edited", "  line 4 was edited"]
    assert out[20:22] == ["  line 40 was edited", "  and 8 more"]


def test_a_ledger_broken_everywhere_says_that_not_all_is_named(
    cli: Cli, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bulkpause.proof.inspection.PIECE_LIMIT", 10)
    (run / "audit.jsonl").write_bytes(joined([one + b"\r" for one in ledger(30)]))
    said = cli("audit", "verify", "last")
    assert said.code == 5
    assert "  and so on: too much is broken to name it all\n" in said.out


def test_a_run_that_has_not_ended_is_intact_so_far_and_the_exit_code_is_1(cli: Cli, run: Path) -> None:
    (run / "audit.jsonl").write_bytes(joined(ledger(1, closing=[])))
    said = cli("audit", "verify", "last")
    assert said.code == 1
    assert said.out.startswith("OK: 1 line, unbroken, the run has not ended (or its end was cut off), and nothing ")


def test_a_run_that_is_alive_is_said_to_be(cli: Cli, run: Path) -> None:
    (run / "audit.jsonl").write_bytes(joined(ledger(3, closing=[])))
    with LedgerLock(run / "audit.jsonl", now=datetime(2026, 11, 24, 22, 4, 10, tzinfo=UTC)):
        said = cli("audit", "verify", "last")
        assert cli("audit", "verify", "last", "--json").document["live"] is True
    assert said.code == 1
    assert f"the run is still going on (process {os.getpid()} on " in said.out


def test_json_has_all_of_it(cli: Cli, run: Path) -> None:
    lines = ledger(9)
    (run / "audit.jsonl").write_bytes(joined([*lines[:4], *lines[5:]]))
    said = cli("audit", "verify", "last", "--json")
    assert said.code == 5
    assert said.document == {
        "schema": 1,
        "audit_log": str(run.absolute() / "audit.jsonl"),
        "run_id": RUN_ID,
        "intact": False,
        "ended": True,
        "live": False,
        "lines": 8,
        "head": orjson.loads(lines[-1])["head"],
        "flaws": [{"line": 5, "kind": "missing", "words": "1 line is missing before line 5 (seq 5)"}],
        "flaws_complete": True,
        "signature": "none",
        "signed_by": None,
        "notes": ["It is not signed: whoever could write it could also write it anew, chain and all."],
    }


def test_what_a_ledger_says_cannot_move_the_cursor(cli: Cli, run: Path) -> None:
    lines = ledger(3, closing=[])
    forged = line(9, "f" * 64, run_id="\x1b[2J")
    (run / "audit.jsonl").write_bytes(joined([*lines, forged]))
    said = cli("audit", "verify", "last")
    assert said.code == 5
    assert "\x1b" not in said.out


@pytest.mark.parametrize(
    ("spec", "code", "said"),
    [
        ("nothing", 2, "nothing"),
        ("last", 65, "cannot be read: No such file or directory."),
    ],
)
def test_what_is_not_there_is_said(cli: Cli, run: Path, spec: str, code: int, said: str) -> None:
    (run / "audit.jsonl").unlink()
    found = cli("audit", "verify", spec)
    assert (found.code, found.out) == (code, "")
    assert said in found.err


def test_a_new_key_signs_and_verifies(cli: Cli, run: Path) -> None:
    made = cli("audit", "keygen")
    assert made.code == 0
    assert f"BULKPAUSE_AUDIT__SIGNING_KEY_FILE={cli.folder / 'audit-key.pem'}" in made.out
    closing = orjson.loads((run / "audit.jsonl").read_bytes().splitlines()[-1])
    signing.write_signature(
        signing.load_key(Path("audit-key.pem")),
        run / "audit.jsonl",
        run_id=RUN_ID,
        lines=closing["lines"],
        head=closing["head"],
        now=datetime.now(UTC),
    )
    said = cli("audit", "verify", "last", "--public-key", "audit-key.pem.pub")
    assert said.code == 0
    name = signing.fingerprint(signing.load_public_key(Path("audit-key.pem.pub")))
    assert f"Fingerprint {name}\n" in made.out
    assert said.out.endswith(f"Signed by {name}\nIts closing line is signed by the key that you trust.\n")
    Path(f"{run / 'audit.jsonl'}.sig").unlink()
    said = cli("audit", "verify", "last", "--public-key", "audit-key.pem.pub")
    assert said.code == 5
    assert said.out.startswith("NOT OK: 1,234 lines, unbroken, the run ended.\n")


def test_a_key_that_is_there_stays_and_the_exit_code_is_2(cli: Cli) -> None:
    assert cli("audit", "keygen", "k.pem").code == 0
    before = Path("k.pem").read_bytes()
    said = cli("audit", "keygen", "k.pem")
    assert (said.code, said.err) == (
        2, "bulkpause: k.pem exists, and a key is never written over. Choose another name.\n"
    )  # fmt: skip
    assert Path("k.pem").read_bytes() == before
