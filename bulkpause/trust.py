"""Whom a TLS connection trusts, and who it says it is: one rule for the API, the sign-in and the proxy."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bulkpause.errors import ConfigError

LASTING_VERIFY_CODES: Final = frozenset({9, 10, 18, 19, 20, 21, 62, 64})
"""OpenSSL's X509_V_ERR_*: not yet valid, expired, self-signed, unknown issuer, other host or address.

Any other may be a corrupted stream that the next connection heals.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """The certificate authorities trusted besides the system's, and the certificate shown to who asks for one."""

    ca_file: Path | None = None
    client_certificate_file: Path | None = None
    """PEM with the certificate, its chain and its key."""
    client_certificate_passphrase: str | None = field(default=None, repr=False)

    def context(self) -> ssl.SSLContext:
        """A context that verifies every certificate and speaks TLS 1.2 or later; some 30 ms of work.

        Raises ConfigError that names the file which is unusable.
        """
        import truststore  # noqa: PLC0415 - keep --help quick

        context: ssl.SSLContext = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if self.ca_file is not None:
            try:
                context.load_verify_locations(self.ca_file)
            except OSError as error:
                raise ConfigError(f"api.ca_file {self.ca_file} is unusable: {error.strerror or error}.") from None
        if self.client_certificate_file is not None:
            self._show_certificate(context, self.client_certificate_file)
        return context

    def _show_certificate(self, context: ssl.SSLContext, file: Path) -> None:
        try:
            # A callback, because without one OpenSSL asks for a passphrase at the terminal.
            context.load_cert_chain(file, password=lambda: self.client_certificate_passphrase or "")
        except OSError as error:
            why = error.strerror or str(error)
            key = "api.client_certificate_file"
            raise ConfigError(f"{key} {file} holds no certificate with its key in PEM: {why}.") from None


def lasting_flaw(error: BaseException | None) -> str | None:
    """Why a certificate will be refused again next time, in OpenSSL's words; None for what may heal."""
    if isinstance(error, ssl.SSLCertVerificationError) and error.verify_code in LASTING_VERIFY_CODES:
        return error.verify_message
    return None
