"""Loading settings: precedence, origins, profiles, and the line that says what is wrong."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkpause.errors import ConfigError
from bulkpause.guards import FORMS
from bulkpause.settings import (
    FLAGS,
    Command,
    Loaded,
    Rate,
    Secret,
    Settings,
    default_config_dir,
    describe,
    load,
    setting_values,
)
from bulkpause.settings.proxies import find_proxy

EXAMPLE = Path(__file__).parent.parent / "configs" / "bulkpause.toml"


def loaded(
    cwd: Path,
    toml: str | bytes | None = None,
    *,
    flags: Mapping[str, object] | None = None,
    environ: Mapping[str, str] | None = None,
    config_file: Path | None = None,
    profile: str | None = None,
    user_config_dir: Path | None = None,
) -> Loaded:
    if toml is not None:
        (cwd / "bulkpause.toml").write_bytes(toml.encode() if isinstance(toml, str) else toml)
    return load(
        flags=flags or {},
        environ=environ or {},
        config_file=config_file,
        profile=profile,
        cwd=cwd,
        user_config_dir=user_config_dir,
    )


def refused(cwd: Path, toml: str | bytes | None = None, **places: object) -> str:
    with pytest.raises(ConfigError) as caught:
        loaded(cwd, toml, **places)  # type: ignore[arg-type]
    return str(caught.value)


def test_without_anything_given_every_setting_is_its_default(tmp_path: Path) -> None:
    result = loaded(tmp_path, user_config_dir=tmp_path / "none")
    assert result.settings == Settings()
    assert set(result.origins.values()) == {"default"}
    assert result.origins.keys() == setting_values(Settings()).keys()


LAYERS = ["flag", "variable", "config", "cwd", "user"]
ORIGINS = {
    "flag": "flag --concurrency",
    "variable": "environment BULKPAUSE_RUN__CONCURRENCY",
    "config": "file named.toml",
    "cwd": "file ./bulkpause.toml",
}


@pytest.mark.parametrize("first", range(len(LAYERS)))
def test_the_first_place_that_sets_a_value_wins_and_is_its_origin(tmp_path: Path, first: int) -> None:
    given = LAYERS[first:]
    user = tmp_path / "user"
    user.mkdir()
    for name, path in (("config", tmp_path / "named.toml"), ("user", user / "bulkpause.toml")):
        if name in given:
            path.write_text(f"[run]\nconcurrency = {LAYERS.index(name) + 1}\n")
    result = loaded(
        tmp_path,
        "[run]\nconcurrency = 4\n" if "cwd" in given else None,
        flags={"run.concurrency": 1 if "flag" in given else None},
        environ={"BULKPAUSE_RUN__CONCURRENCY": "2"} if "variable" in given else {},
        config_file=Path("named.toml") if "config" in given else None,
        user_config_dir=user,
    )
    assert result.settings.run.concurrency == first + 1
    origins = ORIGINS | {"user": f"file {user / 'bulkpause.toml'}"}
    assert result.origins["run.concurrency"] == origins[LAYERS[first]]


def test_places_add_up_setting_by_setting(tmp_path: Path) -> None:
    (tmp_path / "named.toml").write_text("[run]\nconcurrency = 3\n[retry]\nmax_tries = 2\n")
    result = loaded(
        tmp_path,
        "[run]\nrate = '1/s'\nconcurrency = 9\n",
        flags={"run.progress": "none"},
        environ={"BULKPAUSE_RUN__CONFIRM_ABOVE": "7", "AZURE_TENANT_ID": "t"},
        config_file=tmp_path / "named.toml",
    )
    run = result.settings.run
    assert (run.rate, run.concurrency, run.progress, run.confirm_above) == (Rate(1), 3, "none", 7)
    assert (result.settings.retry.max_tries, result.settings.auth.tenant_id) == (2, "t")


@pytest.mark.parametrize(
    ("environ", "toml", "tenant", "origin"),
    [
        ({"AZURE_TENANT_ID": "azure"}, "[auth]\ntenant_id = 'file'", "azure", "environment AZURE_TENANT_ID"),
        (
            {"AZURE_TENANT_ID": "azure", "BULKPAUSE_AUTH__TENANT_ID": "ours"},
            None,
            "ours",
            "environment BULKPAUSE_AUTH__TENANT_ID",
        ),
        ({"AZURE_TENANT_ID": ""}, "[auth]\ntenant_id = 'file'", "file", "file ./bulkpause.toml"),
        ({"BULKPAUSE_AUTH__TENANT_ID": "", "AZURE_TENANT_ID": "azure"}, None, "azure", "environment AZURE_TENANT_ID"),
    ],
)
def test_azure_names_stand_between_ours_and_the_files(
    tmp_path: Path, environ: dict[str, str], toml: str | None, tenant: str, origin: str
) -> None:
    result = loaded(tmp_path, toml, environ=environ)
    assert (result.settings.auth.tenant_id, result.origins["auth.tenant_id"]) == (tenant, origin)


@pytest.mark.parametrize(
    ("flag", "variable", "toml", "guards"),
    [
        (None, None, None, "denied>3 of first 4, denied>99 of last 100"),
        (None, None, "when = ['failed > 5', '403>3']", "failed>5, 403>3"),
        (None, None, "when = []", "none"),
        (None, None, "when = 'none'", "none"),
        (None, "consecutive>20, unknown>0", "when = ['failed>5']", "consecutive>20, unknown>0"),
        (("failed>2%", "none>3"), "consecutive>20", "when = ['failed>5']", "failed>2%, none>3"),
        (("none",), "consecutive>20", None, "none"),
        (("failed>2%", "none>3"), None, None, "failed>2%, none>3"),
    ],
)
def test_guards_come_from_one_place_the_nearest(
    tmp_path: Path, flag: tuple[str, ...] | None, variable: str | None, toml: str | None, guards: str
) -> None:
    result = loaded(
        tmp_path,
        toml and f"[halt]\n{toml}\n",
        flags={"halt.when": flag},
        environ={"BULKPAUSE_HALT__WHEN": variable} if variable else {},
    )
    assert str(result.settings.halt.when) == guards
    assert ("halt.when", guards, result.origins["halt.when"]) in describe(result)


@pytest.mark.parametrize("with_file", [False, True])
def test_azure_names_and_a_ready_token_fill_auth(tmp_path: Path, *, with_file: bool) -> None:
    environ = {
        "AZURE_TENANT_ID": "tenant",
        "AZURE_CLIENT_ID": "client",
        "AZURE_CLIENT_SECRET": "hunter2\r\n",
        "AZURE_CLIENT_CERTIFICATE_PATH": "c.pfx",
        "AZURE_CLIENT_CERTIFICATE_PASSWORD": "phrase",
        "AZURE_AUTHORITY_HOST": "login.microsoftonline.us",
        "BULKPAUSE_TOKEN": "eyJ",
    }
    auth = loaded(tmp_path, "[run]\nrate = 1\n" if with_file else None, environ=environ).settings.auth
    assert (auth.tenant_id, auth.client_id, auth.client_secret) == ("tenant", "client", Secret("hunter2"))
    assert (auth.certificate_file, auth.certificate_passphrase) == (Path("c.pfx"), Secret("phrase"))
    assert (auth.authority, auth.token) == ("https://login.microsoftonline.us", Secret("eyJ"))


@pytest.mark.parametrize("with_file", [False, True])
def test_flags_may_be_typed_or_text(tmp_path: Path, *, with_file: bool) -> None:
    flags = {"run.rate": "600/min", "run.runs_dir": "runs", "audit.file": Path("a"), "api.timeout_s": 3.5}
    settings = loaded(tmp_path, "[run]\nrate = 1\n" if with_file else None, flags=flags).settings
    assert (settings.run.rate, settings.run.runs_dir, settings.audit.file) == (Rate(10), Path("runs"), Path("a"))
    assert settings.api.timeout_s == 3.5


def test_every_flag_names_a_setting_that_is_no_secret() -> None:
    values = setting_values(Settings())
    assert FLAGS.keys() <= values.keys()
    assert not [key for key in FLAGS if key.startswith("auth.")]


def test_variables_are_read_as_their_settings_type(tmp_path: Path) -> None:
    environ = {
        "BULKPAUSE_RUN__RATE": "10/s",
        "BULKPAUSE_API__TIMEOUT_S": " 12 ",
        "BULKPAUSE_API__CA_FILE": "ca.pem",
        "BULKPAUSE_API__PROXY": "http://ann:pw@proxy:1",
        "BULKPAUSE_AUTH__TOKEN": "eyJ\n",
        "BULKPAUSE_AUTH__TOKEN_COMMAND": "az account",
        "BULKPAUSE_LOG__FORMAT": "json",
    }
    settings = loaded(tmp_path, environ=environ).settings
    assert (settings.run.rate, settings.api.timeout_s, settings.api.ca_file) == (Rate(10), 12.0, Path("ca.pem"))
    assert (settings.auth.token, settings.auth.token_command) == (Secret("eyJ"), Command(["az", "account"]))
    assert settings.api.proxy is not None
    assert settings.api.proxy.reveal() == "http://ann:pw@proxy:1"
    assert settings.log.format == "json"


def test_paths_in_a_file_are_relative_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "b.toml").write_text("[api]\nca_file = 'ca.pem'\n[audit]\nfile = '~/a.jsonl'\n")
    settings = loaded(tmp_path, config_file=Path("etc/b.toml")).settings
    assert settings.api.ca_file == tmp_path / "etc" / "ca.pem"
    assert settings.audit.file == tmp_path / "home" / "a.jsonl"


PROFILES = "[run]\nrate = 5\nconcurrency = 3\n[profile.night.run]\nrate = '1/s'\n[profile.day.log]\nlevel = 'debug'\n"


def test_a_profile_overlays_its_file(tmp_path: Path) -> None:
    result = loaded(tmp_path, PROFILES, profile="night")
    assert (result.settings.run.rate, result.settings.run.concurrency) == (Rate(1), 3)
    assert result.settings.log.level == "warning"
    assert result.origins["run.rate"] == "file ./bulkpause.toml [profile.night]"
    assert result.origins["run.concurrency"] == "file ./bulkpause.toml"


def test_a_profile_overlays_only_its_own_file(tmp_path: Path) -> None:
    (tmp_path / "user").mkdir()
    (tmp_path / "user" / "bulkpause.toml").write_text(PROFILES)
    result = loaded(tmp_path, "[run]\nrate = 7\n", profile="night", user_config_dir=tmp_path / "user")
    assert result.settings.run.rate == Rate(7)


@pytest.mark.parametrize(
    ("toml", "why"),
    [(PROFILES, "the profiles are day, night"), ("[run]\n", "no settings file defines"), (None, "no settings file")],
)
def test_an_unknown_profile_is_refused_with_those_there_are(tmp_path: Path, toml: str | None, why: str) -> None:
    message = refused(tmp_path, toml, profile="nihgt")
    assert "'nihgt'" in message
    assert why in message


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("BULKPAUSE_RUN__RAET", "; did you mean BULKPAUSE_RUN__RATE?"),
        ("BULKPAUSE_RATE", "; did you mean BULKPAUSE_RUN__RATE?"),
        ("BULKPAUSE_API__RATE", "; did you mean BULKPAUSE_RUN__RATE?"),
        ("bulkpause_run__rate", "; did you mean BULKPAUSE_RUN__RATE?"),
        ("BULKPAUSE_TOKE", "; did you mean BULKPAUSE_TOKEN?"),
        ("BULKPAUSE_RUN", "config show"),
        ("BULKPAUSE_QQQ", "config show"),
        ("BULKPAUSE_", "config show"),
    ],
)
def test_a_variable_that_means_nothing_is_refused(tmp_path: Path, name: str, meant: str) -> None:
    message = refused(tmp_path, environ={name: "hunter2"})
    assert f"environment {name} is no setting" in message
    assert meant in message
    assert "hunter2" not in message


@pytest.mark.parametrize(
    "name",
    ["BULKPAUSE_SERVICE_HOST", "BULKPAUSE_SERVICE_PORT", "BULKPAUSE_SERVICE_PORT_HTTPS", "BULKPAUSE_PORT",
     "BULKPAUSE_PORT_443_TCP", "BULKPAUSE_PORT_443_TCP_ADDR", "BULKPAUSE_WEB_PORT_53_UDP_PROTO", "_BULKPAUSE_COMPLETE",
     "RUN", "API", "RATE"],
)  # fmt: skip
def test_a_variable_that_is_not_ours_is_left_alone(tmp_path: Path, name: str) -> None:
    result = loaded(tmp_path, "[run]\nconcurrency = 2\n", environ={name: "tcp://10.0.0.1:443"})
    assert result.settings.api == Settings().api
    assert result.settings.run.rate == Rate(100)


PROXY_FORMS = "must be http://host:port or http://user:password@host:port, odd characters percent-encoded"
HERE = "file ./bulkpause.toml"


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        ("[run\n", f"{HERE} is not valid TOML: Expected ']' at the end of a table declaration (at line 1, column 5)"),
        (b"\xff\xfer\x00", f"{HERE} is not UTF-8 text; save it as UTF-8"),
        ("rate = 5", f"{HERE}: 'rate' is no section; did you mean run.rate?"),
        ("[rnu]", f"{HERE}: 'rnu' is no section; did you mean run?"),
        ("[window]\nx = 1", f"{HERE}: 'window' is no section; `bulkpause config show` lists them all"),
        (
            "[halt]\nwhen = ['failed<5']",
            f"halt.when = ['failed<5'] ({HERE}): 'failed<5': there is no > in it; write {FORMS}",
        ),
        ("[halt]\nwhen = [5]", f"halt.when = [5] ({HERE}): must be a list of guards such as {FORMS}"),
        ("run = 5", f"{HERE}: run must be a table, [run]"),
        ("[run]\nraet = 5", f"{HERE}: run.raet is no setting; did you mean run.rate?"),
        ("[api]\nrate = 5", f"{HERE}: api.rate is no setting; did you mean run.rate?"),
        ("profile = 5", f"{HERE}: profile must be tables such as [profile.night.run]"),
        (
            "[profile]\nx = 5",
            f"{HERE} [profile.x] must be a table of sections: api, audit, auth, halt, log, retry, run",
        ),
        ("[profile.x.run]\nraet = 5", f"{HERE} [profile.x]: run.raet is no setting; did you mean run.rate?"),
        ("[run]\nrate = 'x'", f"run.rate = 'x' ({HERE}): must be a rate such as 10/s, 600/min or 36000/h"),
        ("[run]\nrate = 0", f"run.rate = 0 ({HERE}): must be above zero, such as 10/s, 600/min or 36000/h"),
        ("[run]\nconcurrency = 0", f"run.concurrency = 0 ({HERE}): must be between 1 and 1024"),
        ("[run]\nconcurrency = [1]", f"run.concurrency = [1] ({HERE}): must be a valid integer"),
        ("[run]\nconcurrency = true", f"run.concurrency = 'true' ({HERE}): must not be true or false"),
        ("[api]\ntimeout_s = inf", f"api.timeout_s = inf ({HERE}): must be above 0"),
        ("[api]\nca_file = ''", f"api.ca_file = '' ({HERE}): must not be empty; delete the line for the default"),
        ("[api]\nca_file = 3", f"api.ca_file = 3 ({HERE}): must be a path in quotes"),
        ("[api]\nproxy = 3", f"api.proxy = 3 ({HERE}): must be text"),
        (
            "[api]\nproxy = 'socks5://h'",
            f"api.proxy = **** ({HERE}): {PROXY_FORMS}",
        ),
        ("[log]\nlevel = 'loud'", f"log.level = 'loud' ({HERE}): must be 'debug', 'info', 'warning' or 'error'"),
        (
            "[retry]\nbackoff_cap_s = 0.1",
            f"retry.backoff_cap_s = 0.1 ({HERE}): must be at least retry.backoff_base_s (0.5)",
        ),
    ],
)
def test_a_file_that_cannot_count_is_refused_in_one_line(tmp_path: Path, toml: str | bytes, message: str) -> None:
    assert refused(tmp_path, toml) == message


@pytest.mark.parametrize(
    ("toml", "variable"),
    [
        ("[auth]\nclient_secret = 'hunter2'", "AZURE_CLIENT_SECRET"),
        ("[auth]\ntoken = 'hunter2'", "BULKPAUSE_TOKEN"),
        ("[auth]\ncertificate_passphrase = 'hunter2'", "AZURE_CLIENT_CERTIFICATE_PASSWORD"),
        ("[profile.x.auth]\ntoken = 'hunter2'", "BULKPAUSE_TOKEN"),
        ("[api]\nproxy = 'http://ann:hunter2@proxy'", "BULKPAUSE_API__PROXY"),
    ],
)
def test_a_secret_in_a_file_is_refused_naming_its_variable(tmp_path: Path, toml: str, variable: str) -> None:
    message = refused(tmp_path, toml)
    assert f"set {variable} in the environment" in message
    assert "hunter2" not in message


def test_a_proxy_without_a_password_may_stand_in_a_file(tmp_path: Path) -> None:
    assert str(loaded(tmp_path, "[api]\nproxy = 'proxy:8080'").settings.api.proxy) == "http://proxy:8080"


def test_every_wrong_setting_gets_its_line(tmp_path: Path) -> None:
    message = refused(tmp_path, "[run]\nconcurrency = 0\n", environ={"BULKPAUSE_LOG__LEVEL": "loud"})
    assert [line.split(" =")[0] for line in message.splitlines()] == ["run.concurrency", "log.level"]


@pytest.mark.parametrize(
    ("places", "message"),
    [
        ({"flags": {"run.rate": "x"}}, "run.rate = 'x' (flag --rate): must be a rate"),
        ({"flags": {"run.concurrency": 0}}, "run.concurrency = 0 (flag --concurrency): must be between 1 and 1024"),
        ({"environ": {"BULKPAUSE_TOKEN": "a b"}}, "auth.token = **** (environment BULKPAUSE_TOKEN): must be the token"),
        ({"environ": {"BULKPAUSE_AUTH__TOKEN": "a b"}}, "auth.token = **** (environment BULKPAUSE_AUTH__TOKEN): must"),
        ({"environ": {"BULKPAUSE_API__PROXY": "u:a b@h"}}, "api.proxy = **** (environment BULKPAUSE_API__PROXY): must"),
        ({"environ": {"HTTPS_PROXY": "socks5://u:a b@h"}}, "api.proxy = **** (environment HTTPS_PROXY): must be http:"),
        ({"config_file": Path("nope.toml")}, "file nope.toml does not exist"),
    ],
)
def test_a_wrong_value_is_refused_with_its_origin(tmp_path: Path, places: dict[str, Any], message: str) -> None:
    text = refused(tmp_path, **places)
    assert text.startswith(message)
    assert "a b" not in text


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no numeric owners")
def test_a_file_here_that_somebody_else_put_counts_only_if_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "bulkpause.toml"
    file.write_text("[auth]\ntoken_command = ['theirs']\n")
    if os.geteuid() == 0:
        os.chown(file, 4242, -1)
    monkeypatch.setattr(os, "geteuid", lambda: 4243)
    assert refused(tmp_path) == f"{HERE} belongs to another user; read it, then name it: --config bulkpause.toml"
    for named in (Path("bulkpause.toml"), Path("./bulkpause.toml"), file):
        assert loaded(tmp_path, config_file=named).settings.auth.token_command == Command(["theirs"])


def test_a_settings_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bulkpause.toml").mkdir()
    assert refused(tmp_path).startswith(f"{HERE} cannot be read: ")


def test_a_refusal_keeps_no_trace_of_the_rejected_text(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, environ={"BULKPAUSE_API__PROXY": "u:hunter2 @h"})
    assert caught.value.__context__ is None


def test_a_file_saved_by_notepad_is_read(tmp_path: Path) -> None:
    assert loaded(tmp_path, b"\xef\xbb\xbf[run]\r\nconcurrency = 3\r\n").settings.run.concurrency == 3


PROXY = "http://proxy:8080"


@pytest.mark.parametrize(
    ("url", "environ", "proxy"),
    [
        ("https://api.example/x", {}, None),
        ("https://api.example/x", {"HTTPS_PROXY": PROXY}, PROXY),
        ("https://api.example/x", {"ALL_PROXY": PROXY}, PROXY),
        ("https://api.example/x", {"HTTP_PROXY": PROXY}, None),
        ("https://api.example/x", {"https_proxy": PROXY, "HTTPS_PROXY": "http://other"}, PROXY),
        ("https://api.example/x", {"HTTPS_PROXY": "", "ALL_PROXY": PROXY}, PROXY),
        *[
            ("https://api.example/x", {"HTTPS_PROXY": PROXY, "NO_PROXY": exempt}, None)
            for exempt in ("*", "example", ".example", "other, API.example", "api.example:443")
        ],
        *[
            ("https://api.example/x", {"HTTPS_PROXY": PROXY, "NO_PROXY": exempt}, PROXY)
            for exempt in ("", ",", "xample", "i.example", "other", "www.api.example")
        ],
        ("https://api.example./x", {"HTTPS_PROXY": PROXY, "NO_PROXY": "example."}, None),
        *[
            ("https://10.1.2.3/x", {"HTTPS_PROXY": PROXY, "NO_PROXY": exempt}, None)
            for exempt in ("*", "10.1.2.3", "10.1.2.3:443", "a,10.0.0.0/8")
        ],
        *[
            ("https://[2001:db8::1]/x", {"HTTPS_PROXY": PROXY, "NO_PROXY": exempt}, None)
            for exempt in ("2001:db8::1", "[2001:DB8:0::1]", "[2001:db8::1]:443", "2001:db8::/32")
        ],
        *[
            ("https://10.1.2.3/x", {"HTTPS_PROXY": PROXY, "NO_PROXY": exempt}, PROXY)
            for exempt in ("3", "2.3", "10.1.2", "10.1.2.30", "10.2.0.0/16", "2001:db8::/32", "10.1.2.3/99", "[", "/")
        ],
        ("https://api.example/x", {"HTTPS_PROXY": PROXY, "no_proxy": "x", "NO_PROXY": "*"}, PROXY),
        ("https://127.0.0.1:8443", {"HTTPS_PROXY": PROXY}, None),
        ("https://localhost:8443", {"ALL_PROXY": "socks5://proxy"}, None),
    ],
)
def test_the_environments_proxy_is_obeyed_unless_exempt(url: str, environ: dict[str, str], proxy: str | None) -> None:
    found = find_proxy(url, environ)
    assert (found and found[0].reveal()) == proxy


def test_the_environments_proxy_shows_as_the_effective_one(tmp_path: Path) -> None:
    result = loaded(tmp_path, environ={"https_proxy": "http://ann:hunter2@proxy:1"})
    for key in ("api.proxy", "auth.proxy"):
        assert (key, "http://****@proxy:1", "environment https_proxy") in describe(result)


def test_a_proxy_that_is_set_outranks_the_environments(tmp_path: Path) -> None:
    result = loaded(tmp_path, "[api]\nproxy = 'ours:1'", environ={"HTTPS_PROXY": PROXY, "NO_PROXY": "*"})
    assert str(result.settings.api.proxy) == "http://ours:1"
    assert ("auth.proxy", "http://ours:1", "api.proxy") in describe(result)


@pytest.mark.parametrize(
    ("exempt", "api", "auth"),
    [
        ("login.microsoftonline.com", PROXY, "not set"),
        ("api.partnercenter.microsoft.com", "not set", PROXY),
        (".microsoft.com", "not set", PROXY),
        (".microsoftonline.com,.microsoft.com", "not set", "not set"),
    ],
)
def test_the_environment_is_asked_about_each_host_by_itself(tmp_path: Path, exempt: str, api: str, auth: str) -> None:
    rows = describe(loaded(tmp_path, environ={"HTTPS_PROXY": PROXY, "NO_PROXY": exempt}))
    proxies = {key: (text, origin) for key, text, origin in rows if key.endswith(".proxy")}
    origins = {PROXY: "environment HTTPS_PROXY", "not set": "default"}
    assert proxies == {"api.proxy": (api, origins[api]), "auth.proxy": (auth, origins[auth])}


def test_the_sign_in_may_have_a_proxy_of_its_own(tmp_path: Path) -> None:
    result = loaded(tmp_path, "[auth]\nproxy = 'ours:1'", environ={"HTTPS_PROXY": PROXY})
    assert ("auth.proxy", str(result.settings.auth.proxy)) == ("auth.proxy", "http://ours:1")
    assert ("api.proxy", PROXY, "environment HTTPS_PROXY") in describe(result)


def test_a_foreign_clouds_sign_in_is_looked_up_by_its_own_host(tmp_path: Path) -> None:
    environ = {"HTTPS_PROXY": PROXY, "NO_PROXY": ".microsoftonline.us", "BULKPAUSE_API__CLOUD": "us_government"}
    settings = loaded(tmp_path, environ=environ).settings
    assert (str(settings.api.proxy), settings.auth.proxy) == (PROXY, None)


@given(st.text("hunter2-", min_size=8))
def test_no_description_shows_a_secret(secret: str) -> None:
    environ = dict.fromkeys(["AZURE_CLIENT_SECRET", "BULKPAUSE_TOKEN", "AZURE_CLIENT_CERTIFICATE_PASSWORD"], secret)
    rows = describe(loaded(Path("nowhere"), environ=environ | {"HTTPS_PROXY": f"http://ann:{secret}@proxy"}))
    assert [text for _, text, _ in rows if secret in text] == []
    assert [key for key, text, _ in rows if "****" in text] == [
        "api.proxy",
        "auth.client_secret",
        "auth.certificate_passphrase",
        "auth.token",
        "auth.proxy",
    ]


def test_a_description_covers_the_whole_tree_in_order(tmp_path: Path) -> None:
    rows = describe(loaded(tmp_path, flags={"run.rate": "60/min"}))
    assert [key for key, _, _ in rows] == list(setting_values(Settings()))
    assert ("run.rate", "1/s", "flag --rate") in rows
    assert ("auth.flow", "not set", "default") in rows
    assert ("run.runs_dir", str(Settings().run.runs_path), "default") in rows


def test_the_users_directory_is_the_platforms() -> None:
    assert default_config_dir().name == "bulkpause"
    assert default_config_dir().is_absolute()


@pytest.mark.parametrize(
    ("environ", "imported"),
    [
        ({}, False),
        ({"AZURE_TENANT_ID": "t", "AZURE_CLIENT_SECRET": "s", "BULKPAUSE_TOKEN": "x", "HTTPS_PROXY": PROXY}, False),
        ({"BULKPAUSE_RUN__RATE": "5/s"}, True),
    ],
)
def test_pydantic_is_imported_only_to_parse_text(tmp_path: Path, environ: dict[str, str], *, imported: bool) -> None:
    script = (
        "import os, sys; from pathlib import Path; from bulkpause.settings import load\n"
        "load(flags={'run.rate': '5/s', 'run.concurrency': 3}, environ=os.environ, config_file=None, profile=None,"
        " cwd=Path(), user_config_dir=Path('none'))\n"
        "print(sorted({'pydantic', 'pydantic_settings', 'platformdirs', 'difflib'} & sys.modules.keys()))"
    )
    root = str(EXAMPLE.parent.parent)
    ours = {name: value for name, value in os.environ.items() if not name.upper().startswith(("BULKPAUSE", "AZURE"))}
    ran = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env=ours | environ | {"PYTHONPATH": root},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ("pydantic_settings" in ran.stdout) is imported
    assert ran.stdout.strip() == "[]" or imported


def test_the_example_equals_the_defaults(tmp_path: Path) -> None:
    result = loaded(tmp_path, EXAMPLE.read_text())
    assert result.settings == Settings()
    given = {key for key, origin in result.origins.items() if origin == HERE}
    assert given == {key for key, value in setting_values(Settings()).items() if value is not None}


def test_the_example_shows_every_setting_that_a_file_may_hold(tmp_path: Path) -> None:
    uncommented = re.sub(r"^# (?=[a-z_]+ = |\[)", "", EXAMPLE.read_text(), flags=re.MULTILINE)
    result = loaded(tmp_path, uncommented, profile="night")
    assert {key for key, origin in result.origins.items() if origin == "default"} == set()
    assert result.settings.run.rate == Rate(1)


def test_the_tree_has_the_sections_of_the_design() -> None:
    assert [section.name for section in fields(Settings)] == ["api", "auth", "run", "retry", "halt", "audit", "log"]
