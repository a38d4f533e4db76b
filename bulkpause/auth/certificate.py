"""The certificate an app signs in with: read from PFX or PEM, checked, and handed to MSAL as PEM.

Imported together with MSAL, in the thread: cryptography is slow to import.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
    pkcs12,
)

from bulkpause.errors import AuthError

_TOO_FEW: Final = "is locked: set AZURE_CLIENT_CERTIFICATE_PASSWORD (auth.certificate_passphrase)"
_TOO_MANY: Final = "is not locked: unset AZURE_CLIENT_CERTIFICATE_PASSWORD (auth.certificate_passphrase)"
_WRONG: Final = "is not opened by AZURE_CLIENT_CERTIFICATE_PASSWORD (auth.certificate_passphrase)"


def load_certificate(file: Path, *, passphrase: str | None, now: datetime | None) -> dict[str, str]:
    """MSAL's client credential for the file's key and certificate. Raises AuthError that names the file.

    With `now` it has to be valid then. Given both, MSAL names the certificate by its SHA-256 thumbprint; given a PFX
    path or a thumbprint, not always.
    """
    name = f"auth.certificate_file {file}"
    try:
        content = file.read_bytes()
    except OSError as error:
        raise AuthError(f"{name} cannot be read: {error.strerror}") from None
    try:
        found = _parse(content, passphrase.encode() if passphrase else None)
    except TypeError:  # cryptography's word for a PEM with a passphrase too few or too many
        raise AuthError(f"{name} {_TOO_MANY if passphrase else _TOO_FEW}") from None
    except ValueError as error:  # what cryptography says may quote the key
        if b"ENCRYPTED" in content or "password" in str(error).lower():
            raise AuthError(f"{name} {_WRONG if passphrase else _TOO_FEW}") from None
        found = None
    if found is None:
        raise AuthError(f"{name} holds no RSA key with its certificate, as PFX or PEM")
    key, certificate = found
    if now is not None and now >= certificate.not_valid_after_utc:
        raise AuthError(f"{name} expired on {certificate.not_valid_after_utc:%Y-%m-%d}: use a new one")
    if now is not None and now < certificate.not_valid_before_utc:
        from_day = f"{certificate.not_valid_before_utc:%Y-%m-%dT%H:%MZ}"
        raise AuthError(f"{name} is not valid before {from_day}: check this machine's clock, or use another one")
    return {
        "private_key": key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
        "public_certificate": certificate.public_bytes(Encoding.PEM).decode(),
    }


def _parse(content: bytes, passphrase: bytes | None) -> tuple[RSAPrivateKey, x509.Certificate] | None:
    """Key and certificate, None if either is missing or of another kind; ValueError or TypeError if it is locked."""
    if b"-----BEGIN" in content:
        key: object = load_pem_private_key(content, passphrase)
        certificates = x509.load_pem_x509_certificates(content) if b"-----BEGIN CERTIFICATE" in content else []
    else:
        bundle = pkcs12.load_pkcs12(content, passphrase)
        key, certificates = bundle.key, [bundle.cert.certificate] if bundle.cert else []
    if not isinstance(key, RSAPrivateKey):
        return None
    mine = (certificate for certificate in certificates if certificate.public_key() == key.public_key())
    certificate = next(mine, None)
    return None if certificate is None else (key, certificate)
