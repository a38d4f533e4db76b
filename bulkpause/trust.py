"""Whom a TLS connection trusts, and who it says it is: one rule for the API, the sign-in and the proxy."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bulkpause.errors import ConfigError

_CLOCK: Final = "Check this machine's clock; if that is right, only whoever runs the host can mend it"
_AUTHORITY: Final = "If a proxy or gateway of yours looks into TLS, give its CA with --ca-file (api.ca_file)"
_NAME: Final = "Check the host in {setting}; what answers there is somebody else"

_FLAWS: Final[Mapping[int, tuple[str, str]]] = {
    # OpenSSL's X509_V_ERR_*
    9: ("it is not valid yet", _CLOCK),
    10: ("it has expired", _CLOCK),
    18: ("it is self-signed", _AUTHORITY),
    19: ("it goes back to an unknown authority", _AUTHORITY),
    20: ("it comes from an unknown authority", _AUTHORITY),
    21: ("it comes from an unknown authority", _AUTHORITY),
    62: ("it is for another host", _NAME),
    64: ("it is for another address", _NAME),
    # Windows: CERT_E_EXPIRED (also what is not valid yet), _UNTRUSTEDROOT, _CHAINING, _CN_NO_MATCH
    0x800B0101: ("it has expired, or is not valid yet", _CLOCK),
    0x800B0109: ("it goes back to an unknown authority", _AUTHORITY),
    0x800B010A: ("it comes from an unknown authority", _AUTHORITY),
    0x800B010F: ("it is for another host", _NAME),
    # macOS: errSecCertificateExpired, _CertificateNotValidYet, _NotTrusted, _HostNameMismatch
    -67818: ("it has expired", _CLOCK),
    -67819: ("it is not valid yet", _CLOCK),
    -67843: ("it comes from an unknown authority", _AUTHORITY),
    -67602: ("it is for another host", _NAME),
}
"""What a certificate will be refused for next time, too, in plain words, and what to do about it."""

_OPENSSL: Final = range(1000)
"""Where OpenSSL's codes are. It looks at a certificate while that arrives, and any code that is not in the table may be
a corrupted stream that the next connection heals. Windows and macOS, by whose stores truststore judges there, are asked
only once the handshake has proven that the certificate arrived as it was sent: what they refuse, they refuse again.
"""

_TROUBLE: Final[Mapping[str, str]] = {
    "UNSUPPORTED_PROTOCOL": "it speaks no TLS 1.2 or later, and nothing older is used",
    "TLSV1_ALERT_PROTOCOL_VERSION": "it speaks no TLS 1.2 or later, and nothing older is used",
    "WRONG_VERSION_NUMBER": "what answers there speaks no TLS",
    "HTTP_REQUEST": "what answers there speaks no TLS",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "it wants a client certificate; see api.client_certificate_file",
    "SSLV3_ALERT_HANDSHAKE_FAILURE": (
        "it accepts nothing of what was offered, or wants a client certificate; see api.client_certificate_file"
    ),
    "SSLV3_ALERT_BAD_CERTIFICATE": "it refuses the client certificate; see api.client_certificate_file",
    "TLSV1_ALERT_UNKNOWN_CA": "it refuses the client certificate; see api.client_certificate_file",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "it refuses the client certificate, which has expired",
}
"""Plain words for what OpenSSL calls a reason."""


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
        passphrase = self.client_certificate_passphrase
        try:
            # A callback, because without one OpenSSL asks for a passphrase at the terminal.
            context.load_cert_chain(file, password=lambda: passphrase or "")
        except (OSError, ValueError) as error:  # a passphrase over 1 KB is a ValueError
            why = _why_unusable(file, error, passphrase=passphrase)
            raise ConfigError(f"api.client_certificate_file {file} is unusable: {why}.") from None


def refused_certificate(host: str, error: BaseException | None, *, setting: str) -> str | None:
    """The sentence about a certificate that will be refused again next time; None for what may heal.

    `setting` says where `host` stands.
    """
    if (flaw := _flaw(error)) is None:
        return None
    reason, remedy = flaw
    return f"the certificate of {host} is refused: {reason}. {remedy.format(setting=setting)}."


def lasting_flaw(error: BaseException | None) -> str | None:
    """Why a certificate will be refused again next time; None for what may heal."""
    flaw = _flaw(error)
    return None if flaw is None else flaw[0]


def trouble(error: ssl.SSLError) -> str:
    """What went wrong with TLS on a connection, in plain words where there are some."""
    reason = getattr(error, "reason", None) or ""  # which one that Python makes itself does not have
    return _TROUBLE.get(reason) or reason.replace("_", " ").lower() or "broken off"


def _flaw(error: BaseException | None) -> tuple[str, str] | None:
    """Why a certificate is refused for good, and what to do."""
    code = getattr(error, "verify_code", None)  # the same
    if not isinstance(error, ssl.SSLCertVerificationError) or code is None:
        return None
    if code in _FLAWS:
        return _FLAWS[code]
    return None if code in _OPENSSL else (error.verify_message.strip().rstrip("."), _CLOCK)


def _why_unusable(file: Path, error: OSError | ValueError, *, passphrase: str | None) -> str:
    """What is wrong with a file that should hold a certificate and its key; OpenSSL's own words are "PEM lib"."""
    if isinstance(error, OSError) and error.strerror and not isinstance(error, ssl.SSLError):
        return error.strerror
    try:
        content = file.read_bytes()
    except OSError as unreadable:
        return unreadable.strerror or str(unreadable)
    if b"-----BEGIN CERTIFICATE-----" not in content:
        return "it holds no certificate in PEM"
    if b"PRIVATE KEY-----" not in content:
        return "it holds a certificate without its private key"
    if isinstance(error, ssl.SSLError) and error.reason == "KEY_VALUES_MISMATCH":
        return "its key is not that of its certificate"
    if b"ENCRYPTED" in content:
        setting = "BULKPAUSE_API__CLIENT_CERTIFICATE_PASSPHRASE (api.client_certificate_passphrase)"
        return f"its key has a passphrase: set {setting}" if passphrase is None else f"{setting} does not open its key"
    return f"OpenSSL says {getattr(error, 'reason', None) or error}"
