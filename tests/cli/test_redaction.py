"""No secret of the settings is ever shown."""

from __future__ import annotations

import pytest

from bulkpause.cli.redaction import redactor_for
from bulkpause.settings import Api, Auth, ProxyUrl, Secret, Settings
from tests.cli.calling import Cli, Serve


def test_every_secret_of_the_settings_is_struck_out_however_it_is_spelt() -> None:
    settings = Settings(
        api=Api(proxy=ProxyUrl("http://ann:p%40ssword@proxy.example:3128")),
        auth=Auth(
            client_secret=Secret("hunter-two"), certificate_passphrase=Secret("open sesame"), token=Secret("tok3n")
        ),
    )
    said = redactor_for(settings).text("p%40ssword p@ssword hunter-two open+sesame open%20sesame tok3n stays")
    assert said == "**** **** **** **** **** **** stays"


def test_settings_without_secrets_strike_out_nothing() -> None:
    assert redactor_for(Settings()).text("all of it stays") == "all of it stays"


@pytest.mark.parametrize("secret", ["true", "null", "manifest", "tenant", "read", "2000", "status"])
def test_a_secret_that_is_a_common_word_leaves_the_audit_log_and_documents_whole(
    cli: Cli, serve: Serve, secret: str
) -> None:
    ids = serve(reports=2).report_ids
    env = {"BULKPAUSE_AUTH__REFRESH_TOKEN": secret}
    ran = cli("pause", cli.source(ids), "--json", env=env)
    assert ran.code == 0, ran.err
    assert ran.document["by_status"] == {"succeeded": 2}
    shown = cli("show", "last", "--json", env=env)
    assert (shown.code, shown.document["by_status"]) == (0, {"succeeded": 2})
    verified = cli("audit", "verify", "last", "--json", env=env)
    assert (verified.code, bool(verified.document)) == (0, True)
    assert "perhaps not to its end" not in cli("continue", "last", env=env).err


def test_a_secret_that_the_tenant_id_contains_does_not_stand_in_the_way_of_an_undo(cli: Cli, serve: Serve) -> None:
    sandbox = serve(reports=2)
    env = {"BULKPAUSE_AUTH__REFRESH_TOKEN": sandbox.tenant_id[:5]}
    assert cli("pause", cli.source(sandbox.report_ids), env=env).code == 0
    assert cli("undo", "last", env=env).code == 0
