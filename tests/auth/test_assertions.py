"""Another issuer's word in place of a secret: from a file, a command, GitHub or a managed identity, by real MSAL."""

from __future__ import annotations

import ssl
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trustme

from bulkpause.auth import (
    Token,
    assertion_from_command,
    assertion_from_file,
    assertion_from_github,
    assertion_from_identity,
    client_assertion,
    managed_identity,
)
from bulkpause.errors import AuthError, ConfigError, TokenUnavailableError
from bulkpause.trust import Trust
from tests.auth.issuers import Asked, Issuer, Reply, said, serve
from tests.auth.test_entra import CLOCK, app_of, asked, outcome_of, sandbox

AUDIENCE = "api://AzureADTokenExchange"


def nobody(_secret: str) -> None:
    """Hear nothing."""


async def test_a_file_that_rotates_is_read_for_every_token(tmp_path: Path) -> None:
    file = tmp_path / "token"
    heard: list[str] = []
    async with sandbox() as running:
        acquire = client_assertion(app_of(running), assertion_from_file(file, learn=heard.append), clock=CLOCK)
        for _ in range(2):
            file.write_text(f"{running.issue_assertion()}\n", encoding="utf-8")
            assert isinstance(await outcome_of(acquire), Token)
        assert len(set(running.assertions)) == 2
        assert heard == list(running.assertions)
        assert asked(running) == [("token", 200), ("token", 200)]


@pytest.mark.parametrize(
    ("content", "text", "may_heal"),
    [
        (None, "cannot be read: No such file", False),
        (b"", "is empty", True),
        (b"two words", "holds something other than one token", False),
        (b"\xff\xfe\xff", "is not text", False),
    ],
)
async def test_a_file_without_an_assertion_is_named(
    tmp_path: Path, content: bytes | None, text: str, *, may_heal: bool
) -> None:
    file = tmp_path / "token"
    if content is not None:
        file.write_bytes(content)
    async with sandbox() as running:
        acquire = client_assertion(app_of(running), assertion_from_file(file, learn=nobody), clock=CLOCK)
        failure = await outcome_of(acquire)
        assert isinstance(failure, AuthError)
        assert str(failure).startswith(f"auth.assertion_file {file} {text}")
        assert isinstance(failure, TokenUnavailableError) is may_heal
        assert failure.__context__ is None
        assert asked(running) == []


async def test_a_command_prints_the_assertion() -> None:
    async with sandbox() as running:
        command = [sys.executable, "-c", f"print({running.issue_assertion()!r})"]
        fetch = assertion_from_command(command, timeout_s=30, learn=nobody)
        assert isinstance(await outcome_of(client_assertion(app_of(running), fetch, clock=CLOCK)), Token)


async def test_a_command_that_fails_is_named() -> None:
    fetch = assertion_from_command([sys.executable, "-c", "raise SystemExit('not today')"], timeout_s=30, learn=nobody)
    async with sandbox() as running:
        failure = await outcome_of(client_assertion(app_of(running), fetch, clock=CLOCK))
        assert str(failure) == f"auth.assertion_command {sys.executable} failed with exit code 1: not today"


@pytest.mark.parametrize(
    ("claims", "code", "remedy"),
    [
        ({"iss": "https://elsewhere.example"}, "AADSTS700211", "federated credential"),
        ({"aud": "api://elsewhere"}, "AADSTS700212", "federated credential"),
        ({"sub": "somebody else"}, "AADSTS700213", "federated credential"),
        ({"lifetime_s": -60}, "AADSTS700024", "whatever renews the assertion"),
    ],
)
async def test_an_assertion_that_entra_refuses_is_told_with_the_remedy(
    claims: dict[str, object], code: str, remedy: str
) -> None:
    async with sandbox() as running:
        assertion = running.issue_assertion(**claims)  # type: ignore[arg-type]  # claims and the lifetime
        failure = await outcome_of(client_assertion(app_of(running), lambda: assertion, clock=CLOCK))
        assert type(failure) is AuthError
        assert code in str(failure)
        assert remedy in str(failure)
        assert assertion not in str(failure)


@contextmanager
def github(reply: Callable[[Asked], Reply], folder: Path) -> Iterator[tuple[Issuer, Trust]]:
    """GitHub's endpoint, over TLS."""
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    ca_file = folder / "github.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    with serve(reply, tls=context) as issuer:
        yield issuer, Trust(ca_file=ca_file)


def from_github(issuer: Issuer, trust: Trust, learn: Callable[[str], None] = nobody) -> Callable[[], str]:
    return assertion_from_github(
        f"{issuer.origin}/idtoken?api-version=2.0",
        "job-token",
        audience=AUDIENCE,
        trust=trust,
        proxy=None,
        timeout_s=5,
        learn=learn,
    )


async def test_github_is_asked_with_the_audience_and_the_token_of_the_job(tmp_path: Path) -> None:
    heard: list[str] = []
    async with sandbox() as running:
        with github(lambda _: said({"count": 1, "value": running.issue_assertion()}), tmp_path) as (issuer, trust):
            acquire = client_assertion(app_of(running), from_github(issuer, trust, heard.append), clock=CLOCK)
            assert isinstance(await outcome_of(acquire), Token)
            assert isinstance(await outcome_of(acquire), Token)
        (first, _) = issuer.asked
        assert (first.path, first.query) == ("/idtoken", {"api-version": "2.0", "audience": AUDIENCE})
        assert first.headers["Authorization"] == "Bearer job-token"
        assert heard == ["job-token", *running.assertions]


@pytest.mark.parametrize(
    ("reply", "text", "may_heal"),
    [
        (said({"message": "no id-token permission"}, status=403), "with 403: no id-token permission", False),
        (said({}, status=401), "with 401", False),
        ((302, {"Location": "https://elsewhere.invalid"}, b""), "with 302", False),
        ((503, {}, b""), "with 503", True),
        (said({}, status=429), "with 429", True),
        ((200, {}, b"<html>"), "with 200", True),
        (said({"count": 0}), "without one", False),
        (said({"value": ""}), "is empty", True),
    ],
)
def test_github_without_an_assertion_is_told(tmp_path: Path, reply: Reply, text: str, *, may_heal: bool) -> None:
    with github(lambda _: reply, tmp_path) as (issuer, trust), pytest.raises(AuthError) as caught:
        from_github(issuer, trust)()
    assert text in str(caught.value)
    assert isinstance(caught.value, TokenUnavailableError) is may_heal
    assert len(issuer.asked) == 1


@pytest.mark.parametrize(
    ("rest", "query"),
    [
        ("", {}),
        ("?", {}),
        ("?api-version=2.0&", {"api-version": "2.0"}),
        ("?api-version=2.0#part", {"api-version": "2.0"}),
        ("?audience=another&a=1\n", {"a": "1"}),
    ],
)
def test_the_audience_is_asked_for_whatever_githubs_address_ends_with(
    tmp_path: Path, rest: str, query: dict[str, str]
) -> None:
    with github(lambda _: said({"value": "good"}), tmp_path) as (issuer, trust):
        url = f"{issuer.origin}/idtoken{rest}"
        fetch = assertion_from_github(
            url, "job-token", audience=AUDIENCE, trust=trust, proxy=None, timeout_s=5, learn=nobody
        )
        assert fetch() == "good"
    assert [(asked.path, asked.query) for asked in issuer.asked] == [("/idtoken", {**query, "audience": AUDIENCE})]


@pytest.mark.parametrize(
    "url",
    ["http://localhost/idtoken", "https://", "idtoken", "https://[bad", "https://host:99999/", "https://u:p@host/"],
)
def test_the_token_of_the_job_goes_over_https_only(url: str) -> None:
    with pytest.raises(ConfigError, match="no https URL"):
        assertion_from_github(url, "job-token", audience=AUDIENCE, trust=Trust(), proxy=None, timeout_s=5, learn=nobody)


async def test_a_managed_identity_speaks_for_the_app(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[str] = []
    async with sandbox() as running:
        granted = {"access_token": running.issue_assertion(), "expires_in": "3600"}
        with serve(lambda _: said(granted)) as issuer:
            monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", issuer.origin)
            identity = managed_identity(resource=AUDIENCE, client_id="someone", trust=Trust(), clock=CLOCK)
            fetch = assertion_from_identity(identity, learn=heard.append)
            assert isinstance(await outcome_of(client_assertion(app_of(running), fetch, clock=CLOCK)), Token)
        (request,) = issuer.asked
        assert (request.query["resource"], request.query["client_id"]) == (AUDIENCE, "someone")
        assert heard == list(running.assertions)
