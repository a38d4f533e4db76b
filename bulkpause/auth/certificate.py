"""The certificate an app signs in with: read from PFX or PEM, checked, and handed to MSAL as PEM.

Imports cryptography, which MSAL brings; imported together with it, in the thread.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

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


def load_certificate(file: Path, *, passphrase: str | None, now: datetime) -> dict[str, str]:
    """MSAL's client credential for the file's key and certificate. Raises AuthError that names the file.

    Given both, MSAL names the certificate by its SHA-256 thumbprint; given a PFX path or a thumbprint, not always.
    """
    try:
        key, certificate = _parse(file.read_bytes(), passphrase.encode() if passphrase else None)
    except OSError as error:
        raise AuthError(f"auth.certificate_file {file} cannot be read: {error.strerror}") from None
    except (ValueError, TypeError):  # what cryptography says may quote the key
        what = "no RSA key with its certificate, as PFX or PEM, that auth.certificate_passphrase opens"
        raise AuthError(f"auth.certificate_file {file} holds {what}") from None
    if now >= certificate.not_valid_after_utc:
        raise AuthError(f"auth.certificate_file {file} expired on {certificate.not_valid_after_utc:%Y-%m-%d}")
    return {
        "private_key": key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
        "public_certificate": certificate.public_bytes(Encoding.PEM).decode(),
    }


def _parse(content: bytes, passphrase: bytes | None) -> tuple[RSAPrivateKey, x509.Certificate]:
    """Key and certificate; ValueError or TypeError if either is missing, locked or of another kind."""
    if b"-----BEGIN" in content:
        key: object = load_pem_private_key(content, passphrase)
        certificates = x509.load_pem_x509_certificates(content)
    else:
        bundle = pkcs12.load_pkcs12(content, passphrase)
        key, certificates = bundle.key, [bundle.cert.certificate] if bundle.cert else []
    if isinstance(key, RSAPrivateKey):
        for certificate in certificates:
            if certificate.public_key() == key.public_key():
                return key, certificate
    raise ValueError
