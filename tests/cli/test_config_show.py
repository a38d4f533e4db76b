"""What `bulkpause config show` prints."""

from __future__ import annotations

from pathlib import Path

from bulkpause.settings import Settings, setting_values
from tests.cli.calling import Cli

SECRETS = {
    "AZURE_CLIENT_SECRET": "planted-secret",
    "AZURE_CLIENT_CERTIFICATE_PASSWORD": "planted-passphrase",
    "BULKPAUSE_TOKEN": "planted-token",
    "HTTPS_PROXY": "http://joe:planted-password@proxy:3128",
}


def _row(text: str, key: str) -> list[str]:
    return next(line.split(maxsplit=2) for line in text.splitlines() if line.startswith(f"{key} "))


def test_every_setting_is_shown_once_in_the_order_of_the_tree(cli: Cli) -> None:
    said = cli("config", "show")
    assert (said.code, said.err) == (0, "")
    assert [line.split()[0] for line in said.out.splitlines()] == list(setting_values(Settings()))


def test_values_and_origins_stand_in_columns_without_blanks_at_line_ends(cli: Cli) -> None:
    lines = cli("config", "show").out.splitlines()
    place = lines[0].rindex("default")
    assert all(line[place - 1] == " " and line[place:].startswith(("default", "environment ")) for line in lines)
    assert [line for line in lines if line != line.rstrip()] == []


def test_each_value_says_where_it_came_from(cli: Cli) -> None:
    Path("my.toml").write_text("[api]\ntimeout_s = 7\n[profile.night.run]\nconcurrency = 2\n", encoding="utf-8")
    flags = ["--config", "my.toml", "--profile", "night", "--base-url", "https://host/v1"]
    text = cli("config", "show", *flags, env={"BULKPAUSE_RETRY__MAX_TRIES": "9"}).out
    assert _row(text, "api.base_url") == ["api.base_url", "https://host/v1", "flag --base-url"]
    assert _row(text, "api.timeout_s") == ["api.timeout_s", "7.0", "file my.toml"]
    assert _row(text, "run.concurrency") == ["run.concurrency", "2", "file my.toml [profile.night]"]
    assert _row(text, "retry.max_tries") == ["retry.max_tries", "9", "environment BULKPAUSE_RETRY__MAX_TRIES"]
    assert _row(text, "retry.deadline_s") == ["retry.deadline_s", "900.0", "default"]


def test_secrets_are_masked_and_their_origin_is_not(cli: Cli) -> None:
    said = cli("config", "show", env=SECRETS)
    assert "planted" not in said.out + said.err
    assert _row(said.out, "auth.client_secret") == ["auth.client_secret", "****", "environment AZURE_CLIENT_SECRET"]
    assert _row(said.out, "api.proxy") == ["api.proxy", "http://****@proxy:3128", "environment HTTPS_PROXY"]


def test_a_reference_shows_as_it_is_and_is_not_followed(cli: Cli) -> None:
    Path("my.toml").write_text(
        "[auth]\nclient_secret = 'keyring:svc/me'\nrefresh_token = 'env:NOBODY_HAS_SET_IT'\n"
        "[api]\nproxy = 'file:none'\n",
        encoding="utf-8",
    )
    said = cli("config", "show", "--config", "my.toml", "--secret", "auth.token=fd:97")
    assert (said.code, said.err) == (0, "")
    assert _row(said.out, "auth.client_secret") == ["auth.client_secret", "keyring:svc/me", "file my.toml"]
    assert _row(said.out, "auth.refresh_token") == ["auth.refresh_token", "env:NOBODY_HAS_SET_IT", "file my.toml"]
    assert _row(said.out, "api.proxy") == ["api.proxy", f"file:{Path.cwd() / 'none'}", "file my.toml"]
    assert _row(said.out, "auth.token") == ["auth.token", "fd:97", "flag --secret"]


def test_json_says_the_same(cli: Cli) -> None:
    text, document = cli("config", "show", env=SECRETS).out, cli("config", "show", "--json", env=SECRETS).document
    assert list(document) == list(setting_values(Settings()))
    assert document["auth.token"] == {"value": "****", "origin": "environment BULKPAUSE_TOKEN"}
    assert all(
        " ".join(_row(text, key)).split() == f"{key} {row['value']} {row['origin']}".split()
        for key, row in document.items()
    )


def test_a_file_that_does_not_exist_is_a_configuration_error(cli: Cli) -> None:
    said = cli("config", "show", "--config", "none.toml")
    assert (said.code, said.out, said.err) == (78, "", "bulkpause: file none.toml does not exist\n")
