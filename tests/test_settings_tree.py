"""The settings tree: its limits, and what the credentials in it allow."""

import math
from collections.abc import Callable
from dataclasses import FrozenInstanceError, asdict, replace
from pathlib import Path
from typing import Any

import pytest

from bulkpause.errors import ConfigError
from bulkpause.settings import (
    Api,
    Auth,
    Command,
    Duration,
    Log,
    Rate,
    Retry,
    Run,
    Secret,
    SettingError,
    Settings,
    setting_values,
)


@pytest.mark.parametrize(
    ("section", "name", "value"),
    [
        *[(Api, name, value) for name in ("timeout_s", "connect_timeout_s") for value in (0, -1, math.inf, math.nan)],
        (Auth, "timeout_s", 0.0),
        (Auth, "flow", "password"),
        (Auth, "tenant_id", "contoso/../x"),
        (Auth, "tenant_id", ""),
        (Auth, "client_id", "a b"),
        (Auth, "scope", "a b"),
        (Auth, "authority", "http://login.microsoftonline.com"),
        (Auth, "authority", "http://127.0.0.1:8080"),
        (Auth, "authority", "https://login.microsoftonline.com/contoso"),
        (Auth, "authority", ""),
        *[(Run, "concurrency", value) for value in (0, -1, 1025)],
        (Run, "confirm_above", -1),
        (Run, "drain_timeout_s", -0.1),
        (Run, "drain_timeout_s", math.inf),
        (Run, "progress", "fancy"),
        (Run, "time_limit", Duration(0.0)),
        (Retry, "max_tries", 0),
        (Retry, "deadline_s", 0.0),
        (Retry, "backoff_base_s", -1.0),
        (Retry, "backoff_cap_s", 0.1),
        (Retry, "retry_after_cap_s", math.nan),
        (Log, "level", "loud"),
        (Log, "format", "xml"),
    ],
)
def test_a_value_outside_its_limits_is_refused_by_name(section: Callable[..., Any], name: str, value: object) -> None:
    with pytest.raises(SettingError, match=rf"^{section.__name__.lower()}\.{name} = .*: must ") as caught:
        section(**{name: value})
    assert caught.value.key.endswith(f".{name}")


@pytest.mark.parametrize(
    ("section", "name", "value"),
    [(Run, "concurrency", 1), (Run, "concurrency", 1024), (Run, "confirm_above", 0), (Run, "drain_timeout_s", 0.0),
     (Retry, "max_tries", 1), (Retry, "retry_after_cap_s", 0.0), (Auth, "tenant_id", "contoso.onmicrosoft.com")],
)  # fmt: skip
def test_a_value_on_its_limit_is_kept(section: Callable[..., Any], name: str, value: object) -> None:
    assert getattr(section(**{name: value}), name) == value


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://api.example/insights/v1/mpn/", "https://api.example/insights/v1/mpn"),
        ("http://localhost:8080", "http://localhost:8080"),
        ("http://127.9.9.9:1/x", "http://127.9.9.9:1/x"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ("https://10.1.2.3", "https://10.1.2.3"),
        ("https://api.example.", "https://api.example."),
        (f"https://{'a' * 63}.example", f"https://{'a' * 63}.example"),
    ],
)
def test_a_base_url_is_https_or_loopback(given: str, kept: str) -> None:
    assert Api(base_url=given).base_url == kept


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://api.example", "must be https"),
        ("http://localhost.example", "must be https"),
        ("ftp://localhost", "must be https"),
        ("https://ann:hunter2@api.example", "no user"),
        ("https://ann:hunter2:x@api.example", "no user"),
        ("https://api.example?sig=hunter2", "no user, password, query"),
        ("https://api.example#hunter2", "no user, password, query or fragment"),
        ("https://ann:hunter2@api.example:x", "must be a URL"),
        ("https://api.example:0", "must be a URL"),
        ("https://", "must be a URL"),
        ("https://[", "must be a URL"),
        ("api.example", "must be a URL"),
        ("https://api.example/\nx", "must be a URL"),
        ("https://api..example", "must be a URL"),
        ("https://.", "must be a URL"),
        (f"https://{'a' * 64}.example", "must be a URL"),
        ("https://10.1.2.300", "must be a URL"),
        ("https://\u03b1pi.example", "must be a URL"),
    ],
)
def test_a_base_url_that_could_mislead_is_refused_without_its_secrets(url: str, why: str) -> None:
    with pytest.raises(SettingError, match=rf"^api\.base_url = .*{why}") as caught:
        Api(base_url=url)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("token", ["Bearer eyJ", "eyJ\r\nX: y", "eyJ "])
def test_a_token_that_is_no_header_value_is_refused_unseen(token: str) -> None:
    with pytest.raises(SettingError, match=r"^auth\.token = \*\*\*\*: must be the token alone"):
        Auth(token=Secret(token))


@pytest.mark.parametrize("host", ["login.microsoftonline.us", "https://login.microsoftonline.us/"])
def test_an_authority_may_lack_its_scheme_as_the_azure_sdk_allows(host: str) -> None:
    assert Auth(authority=host).authority == "https://login.microsoftonline.us"


def test_a_long_value_is_cut_in_the_message() -> None:
    with pytest.raises(SettingError) as caught:
        Auth(scope="a " * 200)
    assert len(str(caught.value)) < 160


APP = {"tenant_id": "t", "client_id": "c"}
SECRET = {"tenant_id": "t", "client_id": "c", "client_secret": Secret("s")}
CERTIFICATE = {"tenant_id": "t", "client_id": "c", "certificate_file": Path("c.pfx")}


@pytest.mark.parametrize(
    ("given", "flow"),
    [
        (SECRET, "client_secret"),
        (CERTIFICATE, "certificate"),
        (SECRET | CERTIFICATE | {"flow": "certificate"}, "certificate"),
        (SECRET | CERTIFICATE | {"flow": "client_secret"}, "client_secret"),
        ({"token": Secret("x")}, "token"),
        ({"token_file": Path("t")}, "token"),
        ({"token_command": Command(["az"])}, "token"),
        (SECRET | {"token": Secret("x")}, "token"),
        (SECRET | {"token": Secret("x"), "flow": "client_secret"}, "client_secret"),
        (APP | {"assertion_file": Path("a")}, "federated"),
        (APP | {"assertion_command": Command(["az"])}, "federated"),
        (APP | {"assertion_from": "github"}, "federated"),
        (APP | {"identity_client_id": "i"}, "federated"),
        (APP | {"flow": "federated", "assertion_from": "managed_identity"}, "federated"),
        (SECRET | {"assertion_file": Path("a"), "flow": "federated"}, "federated"),
        ({"flow": "managed_identity"}, "managed_identity"),
        ({"flow": "managed_identity", "client_id": "c"}, "managed_identity"),
        (APP | {"refresh_token": Secret("r")}, "refresh_token"),
        (SECRET | {"refresh_token": Secret("r")}, "refresh_token"),
        (SECRET | {"refresh_token": Secret("r"), "token": Secret("x")}, "token"),
        (APP | {"flow": "refresh_token"}, "refresh_token"),
        (APP | {"flow": "device_code"}, "device_code"),
    ],
)
def test_the_flow_follows_from_the_credentials(given: dict[str, Any], flow: str) -> None:
    assert Auth(**given).decide_flow() == flow


@pytest.mark.parametrize(
    ("given", "flow"),
    [
        (APP, "refresh_token"),
        (SECRET, "refresh_token"),
        (SECRET | {"flow": "client_secret"}, "client_secret"),
        ({"token": Secret("x")}, "token"),
    ],
)
def test_a_person_who_has_signed_in_comes_before_the_app_alone(given: dict[str, Any], flow: str) -> None:
    assert Auth(**given).decide_flow(signed_in=True) == flow


@pytest.mark.parametrize(
    ("given", "source"),
    [
        ({"assertion_file": Path("a")}, "file"),
        ({"assertion_command": Command(["az"])}, "command"),
        ({"identity_client_id": "i"}, "managed_identity"),
        ({"assertion_file": Path("a"), "assertion_from": "github"}, "github"),
        ({"assertion_file": Path("a"), "assertion_command": Command(["az"]), "assertion_from": "command"}, "command"),
    ],
)
def test_the_assertion_is_the_one_that_is_given_or_named(given: dict[str, Any], source: str) -> None:
    assert Auth(**given).decide_assertion() == source


@pytest.mark.parametrize(
    ("given", "named", "unnamed"),
    [
        ({}, ["AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET", "BULKPAUSE_TOKEN"], []),
        ({"tenant_id": "t", "client_secret": Secret("s")}, ["AZURE_CLIENT_ID (auth.client_id)"], ["TENANT", "SECRET"]),
        ({"certificate_file": Path("c")}, ["certificate", "AZURE_TENANT_ID", "AZURE_CLIENT_ID"], ["AZURE_CLIENT_S"]),
        ({"flow": "certificate", "tenant_id": "t", "client_id": "c"}, ["AZURE_CLIENT_CERTIFICATE_PATH"], ["TENANT"]),
        (SECRET | {"flow": "token"}, ["BULKPAUSE_TOKEN", "auth.token_file", "auth.token_command"], ["AZURE"]),
        (SECRET | CERTIFICATE, ["auth.client_secret", "auth.certificate_file", "auth.flow"], ["BULKPAUSE_TOKEN"]),
        (SECRET | {"assertion_file": Path("a")}, ["Both auth.client_secret and auth.assertion_file"], ["BULKPAUSE_TO"]),
        (
            SECRET | CERTIFICATE | {"assertion_from": "github"},
            ["auth.client_secret, auth.certificate_file and auth.assertion_from are given", "certificate or federated"],
            ["Both"],
        ),
        ({}, ["`bulkpause login`"], []),
        ({"flow": "refresh_token"}, ["AZURE_TENANT_ID", "AZURE_CLIENT_ID"], ["SECRET", "bulkpause login"]),
        ({"flow": "device_code", "tenant_id": "t"}, ["AZURE_CLIENT_ID"], ["TENANT", "bulkpause login"]),
        ({"flow": "federated", "client_id": "c"}, ["AZURE_TENANT_ID", "bulkpause login"], ["AZURE_CLIENT_ID"]),
        (APP | {"flow": "federated"}, ["AZURE_FEDERATED_TOKEN_FILE", "auth.assertion_from to github"], ["login"]),
        (APP | {"assertion_from": "file"}, ["AZURE_FEDERATED_TOKEN_FILE"], ["TENANT"]),
        (APP | {"assertion_from": "command", "assertion_file": Path("a")}, ["auth.assertion_command"], ["TENANT"]),
        (
            APP | {"assertion_file": Path("a"), "assertion_command": Command(["az"])},
            ["auth.assertion_from", "file or command"],
            ["BULKPAUSE_TOKEN"],
        ),
    ],
)
def test_credentials_that_do_not_suffice_are_named(given: dict[str, Any], named: list[str], unnamed: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        Auth(**given).decide_flow()
    assert [word for word in named if word not in str(caught.value)] == []
    assert [word for word in unnamed if word in str(caught.value)] == []


def test_runs_go_to_the_platforms_state_directory_unless_told() -> None:
    assert Run(runs_dir=Path("here")).runs_path == Path("here")
    assert Run().runs_path.parts[-2:] == ("bulkpause", "runs")
    assert Run().runs_path.is_absolute()


def test_the_tree_prints_and_copies_without_its_secrets() -> None:
    settings = replace(Settings(), auth=Auth(client_secret=Secret("hunter2")))
    assert "hunter2" not in f"{settings!r} {asdict(settings)}"


def test_settings_are_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        Settings().run.concurrency = 9  # type: ignore[misc]


def test_every_setting_has_a_dotted_key() -> None:
    values = setting_values(Settings(run=Run(rate=Rate(2))))
    assert values["run.rate"] == Rate(2)
    assert values["audit.file"] is None
    assert next(iter(values)) == "api.cloud"


@pytest.mark.parametrize("guard_s", [60.0, 61.0])
def test_a_guard_that_leaves_nothing_of_the_time_limit_is_refused(guard_s: float) -> None:
    with pytest.raises(SettingError, match=r"^run\.guard = 1m1?s?: must be less than run.time_limit \(1m\)"):
        Run(time_limit=Duration(60.0), guard=Duration(guard_s))
