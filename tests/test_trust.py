"""What a refused certificate means for the next attempt, in each system's words; and files that are no certificate."""

from __future__ import annotations

import datetime as dt
import re
import ssl
from pathlib import Path

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from bulkpause.errors import ConfigError
from bulkpause.trust import Trust, lasting_flaw, refused_certificate, trouble

ROOT = Path(__file__).parent.parent


def refused(code: int | None, words: str = "words of the system.") -> ssl.SSLCertVerificationError:
    """As OpenSSL or truststore raise it; without a code as truststore does for a server without certificates."""
    error = ssl.SSLCertVerificationError(words)
    if code is not None:
        error.verify_code, error.verify_message = code, words
    return error


@pytest.mark.parametrize(
    ("code", "said"),
    [
        pytest.param(9, "it is not valid yet. Check this machine's clock", id="OpenSSL not yet"),
        pytest.param(10, "it has expired. Check this machine's clock", id="OpenSSL expired"),
        pytest.param(18, "it is self-signed. If a proxy or gateway of yours looks into TLS, give", id="OpenSSL self"),
        pytest.param(19, "it goes back to an unknown authority. If a proxy", id="OpenSSL root"),
        pytest.param(20, "it comes from an unknown authority. If a proxy", id="OpenSSL issuer"),
        pytest.param(62, "it is for another host. Check the host in api.base_url", id="OpenSSL host"),
        pytest.param(64, "it is for another address. Check the host in api.base_url", id="OpenSSL address"),
        pytest.param(0x800B0101, "it has expired, or is not valid yet. Check", id="Windows time"),
        pytest.param(0x800B0109, "it goes back to an unknown authority. If a proxy", id="Windows root"),
        pytest.param(0x800B010F, "it is for another host. Check the host", id="Windows host"),
        pytest.param(0x800B010C, "words of the system. Check this machine's clock", id="Windows revoked"),
        pytest.param(-67818, "it has expired. Check this machine's clock", id="macOS expired"),
        pytest.param(-67819, "it is not valid yet. Check", id="macOS not yet"),
        pytest.param(-67843, "it comes from an unknown authority. If a proxy", id="macOS issuer"),
        pytest.param(-67602, "it is for another host. Check the host", id="macOS host"),
        pytest.param(-67901, "words of the system. Check this machine's clock", id="macOS other"),
    ],
)
def test_a_certificate_that_is_refused_for_good_is_told_with_host_reason_and_remedy(code: int, said: str) -> None:
    sentence = refused_certificate("api.example:443", refused(code), setting="api.base_url")
    assert sentence is not None
    assert sentence.startswith(f"the certificate of api.example:443 is refused: {said}")
    assert str(lasting_flaw(refused(code))) in sentence


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(refused(7), id="signature that does not fit: corrupted, perhaps"),
        pytest.param(refused(13), id="field that cannot be read: the same"),
        pytest.param(refused(None), id="no certificate at all"),
        pytest.param(ssl.SSLError(1, "bad record"), id="bad record"),
        pytest.param(ConnectionResetError(), id="reset"),
        pytest.param(None, id="nothing"),
    ],
)
def test_what_a_corrupted_stream_looks_like_may_heal(error: BaseException | None) -> None:
    assert refused_certificate("api.example", error, setting="api.base_url") is None
    assert lasting_flaw(error) is None


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("UNSUPPORTED_PROTOCOL", "it speaks no TLS 1.2 or later, and nothing older is used"),
        ("WRONG_VERSION_NUMBER", "what answers there speaks no TLS"),
        ("SOMETHING_ELSE", "something else"),
        (None, "broken off"),
    ],
)
def test_trouble_with_tls_is_told_in_plain_words(reason: str | None, said: str) -> None:
    error = ssl.SSLError(1, "x")
    error.reason = reason  # type: ignore[assignment]
    assert trouble(error) == said


def pem(*, passphrase: bytes | None = None, other_key: bool = False, key: bool = True, cert: bool = True) -> bytes:
    """A certificate with its key, or what is wrong with it."""
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "client")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, keys[0].public_key(), x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + dt.timedelta(days=1))
        .sign(keys[0], hashes.SHA256())
    )
    form = serialization.PrivateFormat.PKCS8
    sealing: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if passphrase is not None:
        sealing = serialization.BestAvailableEncryption(passphrase)
    parts = [certificate.public_bytes(serialization.Encoding.PEM)] if cert else []
    if key:
        parts.append(keys[int(other_key)].private_bytes(serialization.Encoding.PEM, form, sealing))
    return b"".join(parts)


@pytest.mark.parametrize(
    ("content", "passphrase", "why"),
    [
        pytest.param(None, None, "No such file or directory", id="missing"),
        pytest.param(b"", None, "it holds no certificate in PEM", id="empty"),
        pytest.param(b"\x30\x82", None, "it holds no certificate in PEM", id="DER"),
        pytest.param(pem(cert=False), None, "it holds no certificate in PEM", id="key alone"),
        pytest.param(pem(key=False), None, "it holds a certificate without its private key", id="no key"),
        pytest.param(pem(other_key=True), None, "its key is not that of its certificate", id="another key"),
        pytest.param(
            pem(passphrase=b"planted"),
            None,
            "its key has a passphrase: set BULKPAUSE_API__CLIENT_CERTIFICATE_PASSPHRASE",
            id="passphrase not given",
        ),
        pytest.param(
            pem(passphrase=b"planted"),
            "wr0ng",
            "BULKPAUSE_API__CLIENT_CERTIFICATE_PASSPHRASE (api.client_certificate_passphrase) does not open its key",
            id="wrong passphrase",
        ),
        pytest.param(pem(passphrase=b"planted"), "x" * 2000, "does not open its key", id="passphrase far too long"),
    ],
)
def test_an_unusable_client_certificate_is_one_line_and_asks_nobody(
    tmp_path: Path, content: bytes | None, passphrase: str | None, why: str, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "client.pem"
    if content is not None:
        file.write_bytes(content)
    trust = Trust(client_certificate_file=file, client_certificate_passphrase=passphrase)
    said = f"^api.client_certificate_file {re.escape(str(file))} is unusable: "
    with pytest.raises(ConfigError, match=said) as caught:
        trust.context()
    assert why in str(caught.value)
    assert not re.search(r"planted|wr0ng|\n", str(caught.value) + repr(trust))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("passphrase", [None, "ü planted"])
def test_a_client_certificate_is_taken_with_and_without_a_passphrase(tmp_path: Path, passphrase: str | None) -> None:
    file = tmp_path / "client.pem"
    file.write_bytes(pem(passphrase=None if passphrase is None else passphrase.encode()))
    Trust(client_certificate_file=file, client_certificate_passphrase=passphrase).context()


def test_every_context_verifies_and_speaks_tls_1_2_or_later(tmp_path: Path) -> None:
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    for trust in (Trust(), Trust(ca_file=tmp_path / "ca.pem")):
        context = trust.context()
        assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
        assert context.minimum_version is ssl.TLSVersion.TLSv1_2


def test_there_is_no_way_to_switch_verification_off() -> None:
    off = re.compile(
        r"CERT_NONE|CERT_OPTIONAL|_create_unverified_context|check_hostname\s*=|verify_mode\s*=|verify\s*=\s*False"
        r"|ssl\s*=\s*False|verify_ssl|insecure|skip_verify|no_verify|trust_env\s*=\s*True|disable_warnings"
    )
    found = [
        f"{file.name}:{number}: {line}"
        for file in (ROOT / "bulkpause").rglob("*.py")
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1)
        if off.search(line)
    ]
    assert found == []
