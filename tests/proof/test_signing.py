"""Keys in files, and the signature beside a ledger."""

from __future__ import annotations

import base64
import os
import re
import shutil
import stat
import subprocess
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from bulkpause.chain import Closing
from bulkpause.errors import ConfigError, LedgerError, UsageError
from bulkpause.proof import signing

ON_POSIX = os.name == "posix"
NOW = datetime(2026, 11, 24, 22, 4, 10, tzinfo=UTC)
HEAD = "ab" * 32


def sign(key_file: Path, ledger: Path) -> Path:
    key = signing.load_key(key_file)
    signing.write_signature(key, ledger, run_id="run-1", lines=9, head=HEAD, now=NOW)
    return Path(f"{ledger}.sig")


def test_a_new_key_signs_and_its_public_half_is_the_one_that_fits(tmp_path: Path) -> None:
    name = signing.make_key(tmp_path / "key.pem")
    key = signing.load_key(tmp_path / "key.pem")
    public = signing.load_public_key(tmp_path / "key.pem.pub")
    assert public == key.public_key().public_bytes_raw()
    assert name == signing.fingerprint(public) == f"SHA256:{sha256(public).hexdigest()}"


@pytest.mark.skipif(not ON_POSIX, reason="Windows has no file modes")
@pytest.mark.parametrize("umask", [0o000, 0o022])
def test_a_private_key_and_a_signature_are_for_their_owner_alone(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        signing.make_key(tmp_path / "key.pem")
        file = sign(tmp_path / "key.pem", tmp_path / "audit.jsonl")
    finally:
        os.umask(before)
    assert {stat.S_IMODE(one.stat().st_mode) for one in (tmp_path / "key.pem", file)} == {0o600}


@pytest.mark.parametrize("name", ["key.pem", "key.pem.pub"])
def test_a_key_is_never_written_over(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("precious")
    with pytest.raises(UsageError, match=re.escape(f"{tmp_path / name} exists, and a key is never written over.")):
        signing.make_key(tmp_path / "key.pem")
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [(name, "precious")]


def test_a_key_that_can_be_put_nowhere_is_said_in_a_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"^cannot write the key .*none.key\.pem: No such file or directory\.$"):
        signing.make_key(tmp_path / "none" / "key.pem")


RSA = generate_private_key(65537, 2048)
LOCKED = Ed25519PrivateKey.generate().private_bytes(
    Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"planted")
)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"planted",
        b"-----BEGIN PRIVATE KEY-----\nplanted\n-----END PRIVATE KEY-----\n",
        RSA.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        LOCKED,
    ],
    ids=["empty", "text", "damaged", "rsa", "locked"],
)
def test_what_is_no_key_to_sign_with_is_a_configuration_error_that_quotes_nothing(
    tmp_path: Path, content: bytes
) -> None:
    file = tmp_path / "key.pem"
    file.touch(mode=0o600)
    file.write_bytes(content)
    with pytest.raises(ConfigError, match=r"audit\.signing_key_file .*key\.pem holds no Ed25519 private key") as caught:
        signing.load_key(file)
    assert "planted" not in str(caught.value)


def test_a_key_that_is_not_there_is_a_configuration_error_that_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot be read: No such file or directory\. Make one with bulkpause audit"):
        signing.load_key(tmp_path / "key.pem")


@pytest.mark.skipif(not ON_POSIX, reason="Windows has no file modes")
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_key_that_others_can_read_is_refused(key_file: Path, mode: int) -> None:
    key_file.chmod(mode)
    with pytest.raises(ConfigError, match=re.escape(f"can be read or changed by others: chmod 600 {key_file}")):
        signing.load_key(key_file)


@pytest.mark.parametrize("content", [None, b"", RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.PKCS1)])
def test_what_is_no_public_key_is_a_usage_error(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "key.pub").write_bytes(content)
    with pytest.raises(UsageError, match=r"key\.pub (cannot be read|.*holds no Ed25519 public key in PEM)|holds no"):
        signing.load_public_key(tmp_path / "key.pub")


def test_a_signature_says_what_was_signed_and_by_whom(key_file: Path, audit_file: Path) -> None:
    document = orjson.loads(sign(key_file, audit_file).read_bytes())
    public = signing.load_public_key(Path(f"{key_file}.pub"))
    assert {name: document[name] for name in ("schema", "run_id", "lines", "head", "signed_at")} == {
        "schema": 1, "run_id": "run-1", "lines": 9, "head": HEAD, "signed_at": "2026-11-24T22:04:10Z"
    }  # fmt: skip
    assert base64.b64decode(document["public_key"]) == public
    found = signing.read_signature(audit_file)
    assert found is not None
    assert (found.run_id, found.closing, found.public_key) == ("run-1", Closing(9, HEAD), public)
    assert found.is_genuine


def test_a_second_signature_replaces_the_first_whole(key_file: Path, audit_file: Path) -> None:
    sign(key_file, audit_file)
    Path(f"{audit_file}.sig.tmp").write_text("of a process that died")
    sign(key_file, audit_file)
    assert {file.name for file in audit_file.parent.glob("audit*")} == {"audit.jsonl", "audit.jsonl.sig"}


@pytest.mark.parametrize(
    "change",
    [{"run_id": "run-2"}, {"lines": 8}, {"head": "cd" * 32}, {"signature": "AAAA"}, {"public_key": "AAAA"},
     {"signature": base64.b64encode(bytes(64)).decode()}, {"public_key": base64.b64encode(bytes(32)).decode()}],
)  # fmt: skip
def test_a_signature_that_was_changed_is_not_genuine(
    key_file: Path, audit_file: Path, change: dict[str, object]
) -> None:
    file = sign(key_file, audit_file)
    file.write_bytes(orjson.dumps(orjson.loads(file.read_bytes()) | change))
    found = signing.read_signature(audit_file)
    assert found is not None
    assert not found.is_genuine


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"public_key":"?","signature":"?"}'])
def test_a_damaged_signature_is_that_of_nobody(audit_file: Path, content: bytes) -> None:
    Path(f"{audit_file}.sig").write_bytes(content)
    found = signing.read_signature(audit_file)
    assert found is not None
    assert not found.is_genuine


def test_a_ledger_without_a_signature_has_none(audit_file: Path) -> None:
    assert signing.read_signature(audit_file) is None


def test_a_signature_that_cannot_be_read_is_said(audit_file: Path) -> None:
    Path(f"{audit_file}.sig").mkdir()
    with pytest.raises(LedgerError, match=r"the signature .*audit\.jsonl\.sig cannot be read: "):
        signing.read_signature(audit_file)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not here")
def test_openssl_alone_can_check_a_signature_as_the_docs_say(key_file: Path, audit_file: Path) -> None:
    document = orjson.loads(sign(key_file, audit_file).read_bytes())
    text, raw = audit_file.with_name("text"), audit_file.with_name("raw")
    text.write_text("bulkpause audit log 1\n{run_id}\n{lines}\n{head}\n".format_map(document), newline="")
    raw.write_bytes(base64.b64decode(document["signature"]))
    command = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", f"{key_file}.pub", "-rawin", "-in", str(text)]
    done = subprocess.run([*command, "-sigfile", str(raw)], capture_output=True, text=True, check=False)
    assert "Signature Verified Successfully" in done.stdout
    text.write_text("bulkpause audit log 1\nanother\n", newline="")
    assert subprocess.run([*command, "-sigfile", str(raw)], capture_output=True, check=False).returncode != 0
