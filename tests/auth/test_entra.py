"""Real MSAL against the sandbox's token endpoint: over TLS, with every fault Entra shows."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
import traceback
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)

from bulkpause.auth import (
    Acquire,
    EntraApp,
    Token,
    Tokens,
    client_certificate,
    client_secret,
)
from bulkpause.auth.certificate import load_certificate
from bulkpause.auth.entra import read_token
from bulkpause.auth.tokens import in_daemon_thread
from bulkpause.clock import SystemClock
from bulkpause.errors import AuthError, NoWayError, TokenUnavailableError
from bulkpause.sandbox import Sandbox, SandboxSettings, parse_fault
from bulkpause.trust import Trust

CLOCK = SystemClock()
PASSPHRASE = "pässphrase"


@asynccontextmanager
async def sandbox(*faults: str, token_lifetime_s: float = 3600) -> AsyncIterator[Sandbox]:
    parsed = tuple(map(parse_fault, faults))
    async with Sandbox(SandboxSettings(reports=1, faults=parsed, token_lifetime_s=token_lifetime_s)) as running:
        yield running


def app_of(running: Sandbox, *, timeout_s: float = 10) -> EntraApp:
    return EntraApp(
        tenant_id=running.tenant_id,
        client_id=running.client_id,
        authority=running.authority.removesuffix(f"/{running.tenant_id}"),
        trust=Trust(ca_file=running.ca_file),
        timeout_s=timeout_s,
    )


def by_secret(running: Sandbox) -> Acquire:
    return client_secret(app_of(running), running.client_secret, clock=CLOCK)


async def outcome_of(acquire: Acquire) -> Token | BaseException:
    (outcome,) = await asyncio.gather(in_daemon_thread(acquire), return_exceptions=True)
    return outcome


def asked(running: Sandbox) -> list[tuple[str | None, int | str]]:
    return [(entry.operation, entry.status) for entry in running.journal.entries]


async def test_fifty_callers_at_a_cold_start_make_one_token_request() -> None:
    async with sandbox() as running:
        tokens = Tokens(by_secret(running), CLOCK, notify=lambda _: None)
        served = await asyncio.gather(*(tokens.token() for _ in range(50)))
        assert len(set(served)) == 1
        assert asked(running) == [("token", 200)]


async def test_the_lifetime_is_the_one_entra_tells() -> None:
    async with sandbox(token_lifetime_s=1234) as running:
        token = await outcome_of(by_secret(running))
        assert isinstance(token, Token)
        assert token.expires_at - token.obtained_at == timedelta(seconds=1234)


async def test_a_refused_token_is_replaced_from_the_network_and_never_from_msals_memory() -> None:
    async with sandbox() as running:
        tokens = Tokens(by_secret(running), CLOCK, notify=lambda _: None)
        first = await tokens.token()
        tokens.reject(first)
        assert await tokens.token() != first
        assert asked(running) == [("token", 200), ("token", 200)]


@pytest.mark.parametrize("fault", ["503*9@token", "drop*9@token", "html*9@token"])
async def test_a_failure_carries_neither_the_secret_nor_a_connection_in_its_frames(fault: str) -> None:
    async with sandbox(fault) as running:
        failure = await outcome_of(by_secret(running))
        assert isinstance(failure, AuthError)
        assert failure.__context__ is failure.__cause__ is None
        frames = [frame for frame, _ in traceback.walk_tb(failure.__traceback__)]
        assert frames
        assert not any("msal" in frame.f_code.co_filename for frame in frames)


async def test_no_connection_is_kept_between_two_acquisitions() -> None:
    async with sandbox() as running:
        acquire = by_secret(running)
        await outcome_of(acquire)
        await outcome_of(acquire)
        assert [entry.connection for entry in running.journal.entries] == [1, 2]


async def test_a_wrong_secret_is_one_line_with_entras_code_and_trace_id_and_without_the_secret() -> None:
    async with sandbox() as running:
        failure = await outcome_of(client_secret(app_of(running), "wr0ng~s3cret", clock=CLOCK))
        assert type(failure) is AuthError
        assert str(failure).startswith("sign-in refused: use the secret's value, not its id. AADSTS7000215: Invalid")
        assert "(trace id " in str(failure)
        assert "\n" not in str(failure)
        assert "wr0ng" not in str(failure)


@pytest.mark.parametrize(
    ("setting", "value", "code"),
    [
        ("tenant_id", "11111111-1111-4111-8111-111111111111", "AADSTS90002"),
        ("client_id", "22222222-2222-4222-8222-222222222222", "AADSTS700016"),
        ("scope", "https://api.example/wrong", "AADSTS1002012"),
    ],
)
async def test_a_wrong_setting_is_told_with_entras_code(setting: str, value: str, code: str) -> None:
    async with sandbox() as running:
        app = replace(app_of(running), **{setting: value})  # type: ignore[arg-type]  # text settings only
        failure = await outcome_of(client_secret(app, running.client_secret, clock=CLOCK))
        assert type(failure) is AuthError
        assert code in str(failure)


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        ("503@token", "answered 503"),
        ("503/html@token", "answered 503"),
        ("429:17@token", "answered 429"),
        ("html@token", "something other than JSON"),
        ("empty@token", "something other than JSON"),
        ("cut@token", "something other than JSON"),
        ("drop@token", "out of reach"),
        ("reset@token", "out of reach"),
        ("503/empty@token", "answered 503"),
    ],
)
async def test_trouble_at_entra_may_heal_and_the_next_try_reaches_the_network(fault: str, text: str) -> None:
    steps, _, where = fault.partition("@")
    async with sandbox(f"{steps}*2@{where}") as running:
        acquire = by_secret(running)
        failure = await outcome_of(acquire)
        assert isinstance(failure, TokenUnavailableError)
        assert text in str(failure)
        while not isinstance(await outcome_of(acquire), Token):
            assert len(running.journal.entries) < 8
        assert asked(running)[-1] == ("token", 200)


async def test_a_retry_after_of_entra_is_passed_on() -> None:
    async with sandbox("429:17@token") as running:
        failure = await outcome_of(by_secret(running))
        assert isinstance(failure, TokenUnavailableError)
        assert failure.retry_after_s == 17


async def test_a_redirect_is_not_followed() -> None:
    async with sandbox("302@token") as running:
        failure = await outcome_of(by_secret(running))
        assert type(failure) is AuthError
        assert "answered 302, a redirect" in str(failure)


async def test_a_hanging_endpoint_runs_into_its_timeout() -> None:
    async with sandbox("hang@token") as running:
        acquire = client_secret(app_of(running, timeout_s=0.3), running.client_secret, clock=CLOCK)
        failure = await outcome_of(acquire)
        assert isinstance(failure, TokenUnavailableError)
        assert "no answer within 0.3 s" in str(failure)


async def test_authorities_that_requests_brings_along_are_not_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    async with sandbox() as running:
        monkeypatch.setattr("requests.adapters.DEFAULT_CA_BUNDLE_PATH", str(running.ca_file))
        app = replace(app_of(running), trust=Trust())
        assert type(await outcome_of(client_secret(app, running.client_secret, clock=CLOCK))) is NoWayError


async def test_an_unknown_authority_is_refused_by_certificate_for_good() -> None:
    async with sandbox() as running:
        app = replace(app_of(running), trust=Trust())
        failure = await outcome_of(client_secret(app, running.client_secret, clock=CLOCK))
        assert type(failure) is NoWayError
        assert str(failure).startswith("the certificate of localhost:")
        assert "is refused: it comes from an unknown authority. " in str(failure)
        assert running.journal.entries == ()


async def test_the_environment_decides_neither_trust_nor_proxy_nor_region(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "REQUESTS_CA_BUNDLE": "/nowhere",
        "CURL_CA_BUNDLE": "/nowhere",
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "MSAL_FORCE_REGION": "westus2",
    }.items():
        monkeypatch.setenv(name, value)
    async with sandbox() as running:
        assert isinstance(await outcome_of(by_secret(running)), Token)


@pytest.mark.parametrize("content", [None, "not a certificate"])
async def test_an_unusable_ca_file_is_named(tmp_path: Path, content: str | None) -> None:
    ca_file = tmp_path / "ca.pem"
    if content is not None:
        ca_file.write_text(content)
    async with sandbox() as running:
        app = replace(app_of(running), trust=Trust(ca_file=ca_file))
        failure = await outcome_of(client_secret(app, running.client_secret, clock=CLOCK))
        assert type(failure) is AuthError
        assert f"api.ca_file {ca_file} is unusable" in str(failure)


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def test_a_proxy_that_is_not_there_is_told_without_its_password() -> None:
    async with sandbox() as running:
        app = replace(app_of(running), proxy=f"http://user:s3cret@127.0.0.1:{closed_port()}")
        failure = await outcome_of(client_secret(app, running.client_secret, clock=CLOCK))
        assert isinstance(failure, TokenUnavailableError)
        assert "out of reach: Connection refused" in str(failure)
        assert "s3cret" not in f"{failure} {app!r}"


async def test_a_proxy_that_refuses_the_password_is_final() -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
        writer.close()
        await writer.wait_closed()

    proxy = await asyncio.start_server(refuse, "127.0.0.1", 0)
    async with proxy, sandbox() as running:
        port = proxy.sockets[0].getsockname()[1]
        app = replace(app_of(running), proxy=f"http://user:s3cret@127.0.0.1:{port}")
        failure = await outcome_of(client_secret(app, running.client_secret, clock=CLOCK))
        assert type(failure) is AuthError
        assert str(failure).startswith(f"the proxy 127.0.0.1:{port} refuses its user or password (407). ")
        assert "s3cret" not in str(failure)


@pytest.mark.parametrize("authority", ["http://login.example", "https://"])
async def test_an_authority_msal_cannot_use_is_told(authority: str) -> None:
    app = EntraApp(tenant_id="t", client_id="c", authority=authority)
    failure = await outcome_of(client_secret(app, "s3cret", clock=CLOCK))
    assert type(failure) is AuthError
    assert str(failure).startswith(f"sign-in at {authority} is not possible: ")
    assert "s3cret" not in str(failure)


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def certify(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, *, days: int = 30) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "bulkpause test")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    until = datetime.now(UTC) + timedelta(days=days)
    builder = builder.serial_number(7).not_valid_before(until - timedelta(days=60)).not_valid_after(until)
    return builder.sign(key, hashes.SHA256())


def locked(passphrase: str | None) -> KeySerializationEncryption:
    return BestAvailableEncryption(passphrase.encode()) if passphrase else NoEncryption()


def pem(key: rsa.RSAPrivateKey, certificate: x509.Certificate, passphrase: str | None = None) -> bytes:
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, locked(passphrase))
    return certificate.public_bytes(Encoding.PEM) + private


def pfx(key: rsa.RSAPrivateKey, certificate: x509.Certificate, passphrase: str | None = None) -> bytes:
    return pkcs12.serialize_key_and_certificates(b"test", key, certificate, None, locked(passphrase))


@pytest.mark.parametrize("write", [pem, pfx])
@pytest.mark.parametrize("passphrase", [None, PASSPHRASE])
async def test_a_certificate_signs_in_from_pem_and_pfx_locked_or_not(
    tmp_path: Path, key: rsa.RSAPrivateKey, write: type[object], passphrase: str | None
) -> None:
    file = tmp_path / "certificate"
    content = write(key, certify(key), passphrase)  # type: ignore[call-arg]
    file.write_bytes(content)  # type: ignore[arg-type]
    async with sandbox() as running:
        token = await outcome_of(client_certificate(app_of(running), file, passphrase=passphrase, clock=CLOCK))
        assert isinstance(token, Token)


async def test_a_certificate_is_read_once_and_again_after_a_refusal(tmp_path: Path, key: rsa.RSAPrivateKey) -> None:
    file = tmp_path / "certificate.pem"
    file.write_bytes(pem(key, certify(key)))
    async with sandbox("invalid-client*1@token") as running:
        acquire = client_certificate(app_of(running), file, clock=CLOCK)
        assert "AADSTS7000215" in str(await outcome_of(acquire))
        file.write_bytes(pem(key, certify(key, days=-1)))
        assert "expired" in str(await outcome_of(acquire))
        file.write_bytes(pem(key, certify(key)))
        assert isinstance(await outcome_of(acquire), Token)
        file.unlink()
        assert isinstance(await outcome_of(acquire), Token)


def unusable_files(key: rsa.RSAPrivateKey) -> dict[str, tuple[bytes | None, str]]:
    other = rsa.generate_private_key(65537, 2048)
    curve = ec.generate_private_key(ec.SECP256R1())
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, locked(PASSPHRASE))
    nothing_usable = "holds no RSA key with its certificate"
    wrong = r"is not opened by AZURE_CLIENT_CERTIFICATE_PASSWORD \(auth\.certificate_passphrase\)"
    return {
        "missing": (None, "cannot be read: No such file"),
        "garbage": (b"garbage", nothing_usable),
        "wrong passphrase": (pem(key, certify(key), "another"), wrong),
        "wrong passphrase of a PFX": (pfx(key, certify(key), "another"), wrong),
        "passphrase for nothing": (pem(key, certify(key)), "is not locked: unset"),
        "passphrase for nothing in a PFX": (pfx(key, certify(key)), wrong),
        "no certificate": (private, nothing_usable),
        "no certificate in the PFX": (
            pkcs12.serialize_key_and_certificates(b"t", key, None, None, locked(PASSPHRASE)),
            nothing_usable,
        ),
        "no key": (certify(key).public_bytes(Encoding.PEM), nothing_usable),
        "someone else's certificate": (pem(key, certify(other), PASSPHRASE), nothing_usable),
        "elliptic curve": (
            pkcs12.serialize_key_and_certificates(b"t", curve, certify(curve), None, locked(PASSPHRASE)),
            nothing_usable,
        ),
        "expired": (pfx(key, certify(key, days=-1), PASSPHRASE), "expired on 20"),
        "not yet valid": (pfx(key, certify(key, days=90), PASSPHRASE), "is not valid before 20.*clock"),
    }


@pytest.mark.parametrize("write", [pem, pfx])
def test_a_locked_certificate_without_its_passphrase_is_named(
    tmp_path: Path, key: rsa.RSAPrivateKey, write: Callable[..., bytes]
) -> None:
    file = tmp_path / "locked"
    file.write_bytes(write(key, certify(key), PASSPHRASE))
    with pytest.raises(AuthError, match="is locked: set AZURE_CLIENT_CERTIFICATE_PASSWORD"):
        load_certificate(file, passphrase=None, now=CLOCK.now())


async def test_the_certificate_is_named_to_entra_by_its_sha_256_thumbprint(
    tmp_path: Path, key: rsa.RSAPrivateKey
) -> None:
    file, certificate = tmp_path / "certificate.pem", certify(key)
    file.write_bytes(pem(key, certificate))
    async with sandbox() as running:
        assert isinstance(await outcome_of(client_certificate(app_of(running), file, clock=CLOCK)), Token)
        (assertion,) = running.assertions
    header = json.loads(base64.urlsafe_b64decode(assertion.split(".")[0] + "=="))
    thumbprint = base64.urlsafe_b64encode(certificate.fingerprint(hashes.SHA256())).rstrip(b"=").decode()
    assert header["x5t#S256"].rstrip("=") == thumbprint
    assert "x5t" not in header
    assert header["alg"] == "PS256"


def test_an_unusable_certificate_file_is_named_and_the_passphrase_is_not(
    tmp_path: Path, key: rsa.RSAPrivateKey, subtests: pytest.Subtests
) -> None:
    for case, (content, text) in unusable_files(key).items():
        with subtests.test(case):
            file = tmp_path / case
            if content is not None:
                file.write_bytes(content)
            with pytest.raises(AuthError, match=text) as caught:
                load_certificate(file, passphrase=PASSPHRASE, now=CLOCK.now())
            assert str(caught.value).startswith(f"auth.certificate_file {file} ")
            assert PASSPHRASE not in str(caught.value)
            assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize(
    "result",
    [{}, {"access_token": "t"}, {"access_token": "t", "expires_in": "soon"}, {"access_token": 1, "expires_in": 1}],
)
def test_an_answer_without_token_or_lifetime_may_heal(result: dict[str, object]) -> None:
    with pytest.raises(TokenUnavailableError, match="Entra's answer holds no token with a lifetime"):
        read_token(result, CLOCK.now())


def test_a_refusal_that_comes_as_an_answer_is_still_a_refusal() -> None:
    with pytest.raises(AuthError, match=r"sign-in refused\. interaction_required"):
        read_token({"error": "interaction_required"}, CLOCK.now())
