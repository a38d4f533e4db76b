"""A ledger on the disk, and a key pair."""

from __future__ import annotations

from pathlib import Path

import pytest

from bulkpause.proof import signing
from tests.proof.made import joined, ledger


@pytest.fixture
def audit_file(tmp_path: Path) -> Path:
    file = tmp_path / "audit.jsonl"
    file.write_bytes(joined(ledger(9)))
    return file


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    file = tmp_path / "key.pem"
    signing.make_key(file)
    return file
