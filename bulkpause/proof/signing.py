"""Ed25519 signatures of ledgers: keys in PEM files, and beside a ledger a file that says who vouches for its head."""

from __future__ import annotations

import base64
import os
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import orjson

from bulkpause.chain import Closing
from bulkpause.errors import ConfigError, LedgerError, UsageError
from bulkpause.permissions import chmod, is_private

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

SCHEMA: Final = 1


class Signature(NamedTuple):
    """What a signature file says."""

    run_id: str
    closing: Closing
    public_key: bytes
    """Of whoever says to have signed, 32 bytes."""
    signature: bytes

    @property
    def is_genuine(self) -> bool:
        """Whether the holder of the private key of `public_key` has signed this run's closing line."""
        from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - only who signs pays for it
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415

        try:
            key = Ed25519PublicKey.from_public_bytes(self.public_key)
            key.verify(self.signature, signed_text(self.run_id, self.closing))
        except (InvalidSignature, ValueError):
            return False
        return True


def signature_file(ledger: Path) -> Path:
    """Where the signature of a ledger is."""
    return Path(f"{ledger}.sig")


def signed_text(run_id: str, closing: Closing) -> bytes:
    """The bytes that are signed."""
    return f"bulkpause audit log 1\n{run_id}\n{closing.lines}\n{closing.head}\n".encode()


def fingerprint(public_key: bytes) -> str:
    """How a key is called: SHA-256, in hex, of its 32 bytes."""
    return f"SHA256:{sha256(public_key).hexdigest()}"


def make_key(file: Path) -> str:
    """Write a new private key to `file`, its public key to `file`.pub, and return the fingerprint.

    Raises UsageError if either is there already, or cannot be made; nothing is ever written over.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415
        Encoding,
        NoEncryption,
        PrivateFormat,
        PublicFormat,
    )

    key = Ed25519PrivateKey.generate()
    public = key.public_key()
    target = file
    try:
        _write_new(file, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), mode=0o600)
        try:
            target = Path(f"{file}.pub")
            _write_new(target, public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo), mode=0o644)
        except OSError:
            file.unlink()  # made just now, and of no use without the other
            raise
    except FileExistsError:
        raise UsageError(f"{target} exists, and a key is never written over. Choose another name.") from None
    except OSError as error:
        raise UsageError(f"cannot write the key {target}: {error.strerror or error}.") from None
    return fingerprint(public.public_bytes_raw())


def load_key(file: Path) -> Ed25519PrivateKey:
    """The private key to sign with; ConfigError if it is none, or if others can read it."""
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415

    name = f"audit.signing_key_file {file}"
    try:
        with file.open("rb") as stream:
            is_ours_alone = is_private(stream.fileno())
            content = stream.read()
    except OSError as error:
        raise ConfigError(f"{name} cannot be read: {error.strerror}. Make one with bulkpause audit keygen.") from None
    if not is_ours_alone:
        raise ConfigError(f"{name} can be read or changed by others: {chmod(file)}")
    try:
        key = load_pem_private_key(content, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):  # what cryptography says may quote the key
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigError(f"{name} holds no Ed25519 private key, in PEM and without a passphrase.")
    return key


def load_public_key(file: Path) -> bytes:
    """The 32 bytes of the public key in a PEM file; UsageError if it holds none."""
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import load_pem_public_key  # noqa: PLC0415

    try:
        key = load_pem_public_key(file.read_bytes())
    except OSError as error:
        raise UsageError(f"the public key {file} cannot be read: {error.strerror}.") from None
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise UsageError(f"{file} holds no Ed25519 public key in PEM: give the .pub file of bulkpause audit keygen.")
    return key.public_bytes_raw()


def write_signature(key: Ed25519PrivateKey, ledger: Path, *, run_id: str, lines: int, head: str, now: datetime) -> None:
    """Sign the closing line of a ledger, in the file beside it, whole or not at all. Raises OSError if it cannot be."""
    signature = key.sign(signed_text(run_id, Closing(lines, head)))
    document = {
        "schema": SCHEMA,
        "run_id": run_id,
        "lines": lines,
        "head": head,
        "signed_at": now,
        "public_key": base64.b64encode(key.public_key().public_bytes_raw()).decode(),
        "signature": base64.b64encode(signature).decode(),
    }
    file = signature_file(ledger)
    draft = file.with_name(f"{file.name}.tmp")
    draft.unlink(missing_ok=True)  # of a process that died; never followed, should it be a link
    _write_new(draft, orjson.dumps(document, option=orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE), mode=0o600)
    draft.replace(file)


def read_signature(ledger: Path) -> Signature | None:
    """What the file beside a ledger says; None if there is none. Raises LedgerError if it cannot be read."""
    file = signature_file(ledger)
    try:
        found = orjson.loads(file.read_bytes())
        keys = [base64.b64decode(found[name], validate=True) for name in ("public_key", "signature")]
        return Signature(str(found["run_id"]), Closing(int(found["lines"]), str(found["head"])), *keys)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise LedgerError(f"the signature {file} cannot be read: {error.strerror}.") from None
    except (ValueError, KeyError, TypeError):
        return Signature("", Closing(0, ""), b"", b"")  # which is that of nobody


def _write_new(file: Path, content: bytes, *, mode: int) -> None:
    binary = getattr(os, "O_BINARY", 0)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | binary, mode), "wb") as stream:
        stream.write(content)
