"""Every verb that signs in follows references to secrets, and says in one line where one leads nowhere."""

from __future__ import annotations

import pytest

from tests.cli.calling import Cli, Serve

WHO = {"AZURE_TENANT_ID": "contoso.example", "AZURE_CLIENT_ID": "00000000-0000-0000-0000-000000000001"}


@pytest.mark.parametrize("verb", ["doctor", "list"])
def test_a_token_by_reference_signs_in(cli: Cli, serve: Serve, monkeypatch: pytest.MonkeyPatch, verb: str) -> None:
    token = serve().issue_token()
    monkeypatch.delenv("BULKPAUSE_TOKEN")
    said = cli(verb, "--secret", "auth.token=env:MINE", env={"MINE": token})
    assert said.code == 0, said.out + said.err
    assert token not in said.out + said.err


@pytest.mark.parametrize("arguments", [["doctor"], ["list"], ["login", "--device-code"]], ids=lambda words: words[0])
def test_a_reference_that_leads_nowhere_is_a_configuration_error(cli: Cli, arguments: list[str]) -> None:
    said = cli(*arguments, "--secret", "auth.client_secret=env:NOBODY_HAS_SET_IT", env=WHO)
    assert said.code == 78
    assert "auth.client_secret (env:NOBODY_HAS_SET_IT): there is no such variable" in said.out + said.err
    assert "Traceback" not in said.err
