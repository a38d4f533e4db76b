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
