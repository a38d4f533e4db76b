"""Which way of signing in the settings ask for."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from bulkpause import signin
from bulkpause.auth import EntraApp
from bulkpause.clock import SystemClock
from bulkpause.errors import ConfigError
from bulkpause.settings import Api, Auth, Command, ProxyUrl, Secret, Settings
from bulkpause.signin import acquire_for

APP: dict[str, Any] = {"tenant_id": "contoso.example", "client_id": "app"}


def settings(api: Api | None = None, **auth: Any) -> Settings:
    return Settings(api=api or Api(), auth=Auth(**auth))


def made(monkeypatch: pytest.MonkeyPatch, name: str, given: Settings) -> tuple[Any, ...]:
    """What the flow `name` of auth is called with."""
    called: list[tuple[Any, ...]] = []

    def flow(*args: Any, **options: Any) -> None:
        called.append((*args, options))

    monkeypatch.setattr(signin, name, flow)
    acquire_for(given, clock=SystemClock())
    return called[0]


def test_a_secret_signs_the_app_in(monkeypatch: pytest.MonkeyPatch) -> None:
    app, secret, _ = made(monkeypatch, "client_secret", settings(**APP, client_secret=Secret("s3cret")))
    assert isinstance(app, EntraApp)
    assert (app.tenant_id, app.client_id, secret) == ("contoso.example", "app", "s3cret")


@pytest.mark.parametrize(("given", "passphrase"), [(None, None), (Secret("open"), "open")])
def test_a_certificate_signs_the_app_in(
    monkeypatch: pytest.MonkeyPatch, given: Secret | None, passphrase: str | None
) -> None:
    auth: dict[str, Any] = {"certificate_file": Path("app.pfx"), "certificate_passphrase": given}
    app, file, options = made(monkeypatch, "client_certificate", settings(**APP, **auth))
    assert (app.client_id, file, options["passphrase"]) == ("app", Path("app.pfx"), passphrase)


@pytest.mark.parametrize(
    ("authority", "is_asked"),
    [
        ("https://login.microsoftonline.com", True),
        ("https://login.microsoftonline.us", True),
        ("https://login.partner.microsoftonline.cn", True),
        ("https://localhost:8443", False),
        ("https://login.microsoftonline.com.evil.example", False),
        ("https://evilmicrosoftonline.com", False),
    ],
)
def test_only_microsofts_own_hosts_are_asked_about_themselves(
    monkeypatch: pytest.MonkeyPatch, authority: str, is_asked: bool
) -> None:
    given = settings(**APP, client_secret=Secret("s"), authority=authority)
    assert made(monkeypatch, "client_secret", given)[0].instance_discovery is is_asked


def test_the_way_to_entra_is_the_way_to_the_api(monkeypatch: pytest.MonkeyPatch) -> None:
    api = Api(ca_file=Path("ca.pem"), proxy=ProxyUrl("http://joe:pw@proxy:3128"))
    app = made(monkeypatch, "client_secret", settings(api, **APP, client_secret=Secret("s"), timeout_s=7.0))[0]
    assert (app.trust.ca_file, app.proxy, app.timeout_s) == (Path("ca.pem"), "http://joe:pw@proxy:3128", 7.0)


def test_a_token_comes_from_the_environment() -> None:
    assert acquire_for(settings(token=Secret("ready")), clock=SystemClock())().value == "ready"


def test_a_token_comes_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("from-file\n", encoding="utf-8")
    assert acquire_for(settings(token_file=file), clock=SystemClock())().value == "from-file"


def test_a_token_comes_from_a_command() -> None:
    command = Command([sys.executable, "-c", "print('from-command')"])
    assert acquire_for(settings(token_command=command), clock=SystemClock())().value == "from-command"


def test_a_ready_token_wins_over_credentials() -> None:
    given = settings(**APP, client_secret=Secret("s"), token=Secret("ready"), token_file=Path(os.devnull))
    assert acquire_for(given, clock=SystemClock())().value == "ready"


@pytest.mark.parametrize(
    ("auth", "missing"),
    [
        ({}, ["AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET"]),
        ({"tenant_id": "contoso.example", "client_secret": Secret("s")}, ["AZURE_CLIENT_ID"]),
        ({"flow": "certificate", **APP}, ["AZURE_CLIENT_CERTIFICATE_PATH"]),
    ],
)
def test_missing_credentials_are_named(auth: dict[str, Any], missing: list[str]) -> None:
    with pytest.raises(ConfigError) as refused:
        acquire_for(settings(**auth), clock=SystemClock())
    names = {
        name
        for name in signin_names()
        if name in str(refused.value).split(" (")[0] or f"{name} (" in str(refused.value)
    }
    assert names == set(missing)


def signin_names() -> list[str]:
    return ["AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET", "AZURE_CLIENT_CERTIFICATE_PATH"]


def test_a_command_sees_all_of_the_environment_but_secrets() -> None:
    environ = {
        "PATH": os.environ["PATH"],
        "AZURE_TENANT_ID": "contoso.example",
        "AZURE_CLIENT_SECRET": "s3cret-1",
        "AZURE_CLIENT_CERTIFICATE_PASSWORD": "s3cret-2",
        "BULKPAUSE_TOKEN": "s3cret-3",
        "BULKPAUSE_AUTH__REFRESH_TOKEN": "s3cret-4",
        "BULKPAUSE_API__PROXY": "http://joe:s3cret-5@proxy:1",
        "BULKPAUSE_API__CLIENT_CERTIFICATE_PASSPHRASE": "s3cret-6",
        "MINE": "s3cret-7\n",
        "HTTPS_PROXY": "http://joe:pw@proxy:1",
        "BULKPAUSE_RUN__RATE": "5/s",
    }
    script = "import os; print('|'.join(f'{k}={v}' for k, v in sorted(os.environ.items())).replace(' ', '_'))"
    given = settings(
        Api(proxy=ProxyUrl("http://joe:pw@proxy:1")),
        token_command=Command([sys.executable, "-c", script]),
        client_secret=Secret("s3cret-7"),  # by reference to MINE
    )
    seen = acquire_for(given, clock=SystemClock(), environ=environ)().value
    assert "s3cret" not in seen
    for kept in ("AZURE_TENANT_ID=contoso.example", "HTTPS_PROXY=http://joe:pw@proxy:1", "BULKPAUSE_RUN__RATE=5/s"):
        assert kept in seen
