"""Managed identities: real MSAL against a metadata service on loopback, in the shapes of each kind of machine."""

from __future__ import annotations

import socket
import sys
import threading
import time
from pathlib import Path

import pytest

from bulkpause.auth import Acquire, Token, managed_identity
from bulkpause.auth import identity as identity_module
from bulkpause.auth.identity import is_near
from bulkpause.clock import SystemClock
from bulkpause.errors import AuthError, TokenUnavailableError
from bulkpause.trust import Trust
from tests.auth.issuers import Asked, Reply, said, serve

CLOCK = SystemClock()
RESOURCE = "https://api.partnercenter.microsoft.com"
HOST = "AZURE_POD_IDENTITY_AUTHORITY_HOST"
TOKEN = {"access_token": "machine", "expires_in": "86399", "resource": RESOURCE, "token_type": "Bearer"}


@pytest.fixture(autouse=True)
def _no_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """None of what this machine may say of itself."""
    for name in ("IDENTITY_ENDPOINT", "IDENTITY_HEADER", "IDENTITY_SERVER_THUMBPRINT", "IMDS_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    for name in ("MSI_ENDPOINT", "MSI_SECRET", HOST):
        monkeypatch.delenv(name, raising=False)


def identity(client_id: str | None = None, *, connect_timeout_s: float = 1.0) -> Acquire:
    return managed_identity(
        resource=RESOURCE, client_id=client_id, trust=Trust(), clock=CLOCK, connect_timeout_s=connect_timeout_s
    )


@pytest.mark.parametrize("client_id", [None, "11111111-1111-4111-8111-111111111111"])
def test_a_virtual_machine_has_its_own_identity_or_the_one_that_is_named(
    monkeypatch: pytest.MonkeyPatch, client_id: str | None
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    with serve(lambda _: said(TOKEN)) as issuer:
        monkeypatch.setenv(HOST, issuer.origin)
        acquire = identity(client_id)
        token, again = acquire(), acquire(claims='{"access_token":{}}')
    assert (token.value, token.source) == ("machine", "the managed identity")
    assert (token.expires_at - token.obtained_at).total_seconds() == 86399
    assert again.value == "machine"
    assert len(issuer.asked) == 2  # nothing comes from a memory of MSAL's
    (first, _) = issuer.asked
    assert first.path == "/metadata/identity/oauth2/token"
    assert (first.query["resource"], first.query.get("client_id")) == (RESOURCE, client_id)
    assert first.headers["Metadata"] == "true"


def test_app_service_has_its_own_way(monkeypatch: pytest.MonkeyPatch) -> None:
    granted = {"access_token": "app-service", "expires_on": str(int(time.time()) + 3600), "token_type": "Bearer"}
    with serve(lambda _: said(granted)) as issuer:
        monkeypatch.setenv("IDENTITY_ENDPOINT", f"{issuer.origin}/msi/token")
        monkeypatch.setenv("IDENTITY_HEADER", "planted")
        assert identity()().value == "app-service"
    assert issuer.asked[0].headers["X-IDENTITY-HEADER"] == "planted"


def test_a_machine_of_azure_arc_proves_that_it_may_read_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from msal import managed_identity as of_msal  # noqa: PLC0415 - as slow as the code under test says

    monkeypatch.setitem(of_msal._supported_arc_platforms_and_their_prefixes, sys.platform, str(tmp_path))
    (tmp_path / "proof.key").write_text("planted", encoding="ascii")

    def reply(asked: Asked) -> Reply:
        if "Authorization" in asked.headers:
            return said(TOKEN)
        return said({}, status=401, **{"WWW-Authenticate": "Basic realm=/any/where/proof.key"})

    with serve(reply) as issuer:
        monkeypatch.setenv("IDENTITY_ENDPOINT", f"{issuer.origin}/metadata/identity/oauth2/token")
        monkeypatch.setenv("IMDS_ENDPOINT", issuer.origin)
        assert identity()().value == "machine"
    assert [asked.headers.get("Authorization") for asked in issuer.asked] == [None, "Basic planted"]


@pytest.mark.parametrize(
    ("reply", "text", "may_heal"),
    [
        (
            said({"error": "invalid_request", "error_description": "Identity not found"}, status=400),
            "assign an identity to this machine, or check the client id of the one that is meant. Identity not found",
            False,
        ),
        ((429, {"Retry-After": "7"}, b""), "answered 429", True),
        ((503, {}, b"<html>"), "answered 503", True),
        ((410, {}, b""), "answered 410", True),
        ((404, {}, b"<html>"), "no managed identity is to be had on this machine", False),
        ((302, {"Location": "http://elsewhere.invalid"}, b""), "no managed identity is to be had", False),
        ((200, {}, b"<html>"), "no managed identity is to be had", False),
        (said({"access_token": "x"}), "the managed identity's answer holds no token with a lifetime", True),
        (said({}, status=401, **{"WWW-Authenticate": "Basic realm=x"}), "holds no token", True),
    ],
)
def test_what_a_metadata_service_answers_otherwise_is_told(
    monkeypatch: pytest.MonkeyPatch, reply: Reply, text: str, *, may_heal: bool
) -> None:
    with serve(lambda _: reply) as issuer:
        monkeypatch.setenv(HOST, issuer.origin)
        with pytest.raises(AuthError) as caught:
            identity()()
    assert text in str(caught.value)
    assert isinstance(caught.value, TokenUnavailableError) is may_heal
    if reply[0] == 429:
        assert isinstance(caught.value, TokenUnavailableError)
        assert caught.value.retry_after_s == 7


def test_a_machine_without_one_says_so_within_its_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as full:  # a backlog that is full swallows the next connection, as a black hole does
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        fillers = [socket.socket() for _ in range(3)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        monkeypatch.setenv(HOST, f"http://127.0.0.1:{full.getsockname()[1]}")
        started_s = time.monotonic()
        with pytest.raises(
            AuthError, match=r"no managed identity .* does not answer within 0.3 s.*auth\.flow"
        ) as caught:
            identity(connect_timeout_s=0.3)()
        assert time.monotonic() - started_s < 2
        assert not isinstance(caught.value, TokenUnavailableError)
        for filler in fillers:
            filler.close()


def test_one_that_takes_too_long_may_answer_the_next_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identity_module, "READ_TIMEOUT_S", 0.1)
    answered = threading.Event()

    def reply(asked: Asked) -> Reply:
        answered.wait(5)
        return said(TOKEN)

    with serve(reply) as issuer:
        monkeypatch.setenv(HOST, issuer.origin)
        with pytest.raises(TokenUnavailableError, match=r"no answer within 0\.1 s"):
            identity()()
        answered.set()


def test_one_that_was_there_before_may_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    acquire = identity()
    with serve(lambda _: said(TOKEN)) as issuer:
        monkeypatch.setenv(HOST, issuer.origin)
        assert isinstance(acquire(), Token)
    with pytest.raises(TokenUnavailableError, match="out of reach: Connection refused"):
        acquire()


def test_another_machine_is_not_asked_in_plain_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(HOST, "http://metadata.example")
    with pytest.raises(AuthError, match=r"metadata\.example is another machine, and would be asked in plain text"):
        identity()()


def test_service_fabric_is_refused_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IDENTITY_ENDPOINT", "https://localhost:2377/metadata/identity/oauth2/token")
    monkeypatch.setenv("IDENTITY_HEADER", "planted")
    monkeypatch.setenv("IDENTITY_SERVER_THUMBPRINT", "00" * 20)
    with pytest.raises(AuthError, match="sign-in at the metadata service is not possible: Service Fabric"):
        identity()()


@pytest.mark.parametrize(
    ("url", "near"),
    [
        ("http://169.254.169.254/metadata", True),
        ("http://127.0.0.1:41741/msi/token", True),
        ("http://[::1]:1/", True),
        ("http://localhost:12356/msi/token", True),
        ("https://anywhere.example/", True),
        ("http://10.0.0.4/", False),
        ("http://localhost.example/", False),
        ("ftp://127.0.0.1.example", False),
        ("nonsense", False),
    ],
)
def test_plain_text_goes_no_further_than_the_link(url: str, *, near: bool) -> None:
    assert is_near(url) is near
