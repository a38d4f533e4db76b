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
from bulkpause.errors import AuthError, ConfigError
from bulkpause.settings import Api, Auth, Command, Flow, ProxyUrl, Secret, Settings
from bulkpause.settings.clouds import Cloud, base_url
from bulkpause.signin import acquire_for, advice_for, credential_of, flow_of, scope_of

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
    api, proxy = Api(ca_file=Path("ca.pem")), ProxyUrl("http://joe:pw@proxy:3128")
    chosen = settings(api, **APP, client_secret=Secret("s"), timeout_s=7.0, proxy=proxy)
    app = made(monkeypatch, "client_secret", chosen)[0]
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


GITHUB = {"ACTIONS_ID_TOKEN_REQUEST_URL": "https://github.example/id", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "job"}


@pytest.mark.parametrize(
    ("cloud", "audience"),
    [
        ("global", "api://AzureADTokenExchange"),
        ("us_government", "api://AzureADTokenExchangeUSGov"),
        ("china", "api://AzureADTokenExchangeChina"),
    ],
)
def test_github_speaks_for_the_app_to_the_cloud_it_is_in(
    monkeypatch: pytest.MonkeyPatch, cloud: Cloud, audience: str
) -> None:
    called: list[tuple[Any, ...]] = []
    monkeypatch.setattr(signin, "assertion_from_github", lambda *args, **options: called.append((*args, options)))
    given = settings(Api(cloud=cloud), **APP, assertion_from="github", timeout_s=7.0)
    heard: list[str] = []
    acquire_for(given, clock=SystemClock(), environ=GITHUB, learn=heard.append)
    ((url, token, options),) = called
    assert (url, token, options["audience"]) == ("https://github.example/id", "job", audience)
    assert (options["timeout_s"], options["proxy"]) == (7.0, None)
    options["learn"]("heard")
    assert heard == ["heard"]


@pytest.mark.parametrize("missing", list(GITHUB))
def test_outside_of_github_or_without_its_permission_that_is_said(missing: str) -> None:
    environ = {**GITHUB, missing: ""}
    with pytest.raises(ConfigError, match="add `permissions: id-token: write` to the job"):
        acquire_for(settings(**APP, assertion_from="github"), clock=SystemClock(), environ=environ)


@pytest.mark.parametrize(
    ("auth", "named"),
    [
        ({"assertion_file": Path("nowhere")}, "auth.assertion_file nowhere cannot be read"),
        (
            {"assertion_command": Command(["no-such-program-1"])},
            "auth.assertion_command no-such-program-1 cannot be run",
        ),
    ],
)
def test_an_assertion_comes_from_where_the_settings_say(auth: dict[str, Any], named: str) -> None:
    with pytest.raises(AuthError, match=named):
        acquire_for(settings(**APP, **auth), clock=SystemClock())()


@pytest.mark.parametrize(
    ("auth", "resource", "client_id"),
    [
        ({"flow": "managed_identity"}, "https://api.partnercenter.microsoft.com", None),
        ({"flow": "managed_identity", "client_id": "mine"}, "https://api.partnercenter.microsoft.com", "mine"),
        ({"flow": "managed_identity", "scope": "api://other/.default"}, "api://other", None),
        ({**APP, "assertion_from": "managed_identity"}, "api://AzureADTokenExchange", None),
        ({**APP, "identity_client_id": "mine"}, "api://AzureADTokenExchange", "mine"),
    ],
)
def test_a_managed_identity_is_asked_for_the_api_or_for_the_app(
    monkeypatch: pytest.MonkeyPatch, auth: dict[str, Any], resource: str, client_id: str | None
) -> None:
    (options,) = made(monkeypatch, "managed_identity", settings(**auth))
    assert (options["resource"], options["client_id"]) == (resource, client_id)


@pytest.mark.parametrize("flow", ["client_secret", "certificate", "federated", "managed_identity"])
def test_an_app_alone_asks_for_all_it_may(flow: Flow) -> None:
    assert scope_of(settings(), flow) == "https://api.partnercenter.microsoft.com/.default"


@pytest.mark.parametrize("flow", ["refresh_token", "device_code"])
def test_an_app_asks_to_act_for_a_person(flow: Flow) -> None:
    china = Settings(api=Api(cloud="china"))
    assert scope_of(china, flow) == "https://partner.partnercenterapi.microsoftonline.cn/user_impersonation"
    assert scope_of(settings(scope="api://other/x"), flow) == "api://other/x"


CMP = Api(base_url=base_url("global", "cmp"))


@pytest.mark.parametrize(
    ("given", "advice"),
    [
        (settings(**APP, client_secret=Secret("s")), "type `bulkpause login`"),
        (settings(flow="managed_identity"), "type `bulkpause login`"),
        (settings(CMP, flow="managed_identity"), "auth.assertion_from managed_identity"),
        (settings(CMP, **APP, client_secret=Secret("s")), ""),
        (settings(token=Secret("ready")), ""),
        (settings(**APP, refresh_token=Secret("r")), ""),
    ],
)
def test_what_the_api_refuses_has_its_advice(given: Settings, advice: str) -> None:
    assert advice in advice_for(given, flow_of(given))
    assert bool(advice) is bool(advice_for(given, flow_of(given)))


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


def test_a_public_app_has_no_credential_for_its_person() -> None:
    assert credential_of(settings(**APP), clock=SystemClock()) is None


def test_what_proves_the_app_beside_its_person(tmp_path: Path) -> None:
    secret = credential_of(settings(**APP, client_secret=Secret("s3cret")), clock=SystemClock())
    assert secret is not None
    assert secret() == "s3cret"
    missing = credential_of(settings(**APP, certificate_file=tmp_path / "app.pfx"), clock=SystemClock())
    assert missing is not None
    with pytest.raises(AuthError, match=r"app\.pfx"):
        missing()
    (tmp_path / "assertion").write_text("a.b.c", encoding="utf-8")
    word = credential_of(settings(**APP, assertion_file=tmp_path / "assertion"), clock=SystemClock())
    assert word is not None
    assert set(word()) == {"client_assertion"}


def test_two_proofs_of_the_app_beside_its_person_are_one_too_many(tmp_path: Path) -> None:
    given = settings(**APP, client_secret=Secret("s"), certificate_file=tmp_path / "app.pfx")
    with pytest.raises(ConfigError, match="unset the one that is not meant"):
        credential_of(given, clock=SystemClock())


@pytest.mark.parametrize(("api", "flow"), [(Api(), "refresh_token"), (Api(family="cmp"), "client_secret")])
def test_a_stored_sign_in_counts_for_reports_of_mpn(monkeypatch: pytest.MonkeyPatch, api: Api, flow: str) -> None:
    monkeypatch.setattr("bulkpause.signin.sign_in_of", lambda _settings: "somebody")
    assert flow_of(settings(api, **APP, client_secret=Secret("s"))) == flow
    assert flow_of(settings(api, **APP, token=Secret("ready"))) == "token"
