"""A run whose token was for one tenant, and the verbs behind it with a token for another."""

from __future__ import annotations

import pytest

from bulkpause.sandbox import Sandbox
from tests.cli.calling import Cli, Serve
from tests.cli.interrupted import cut_behind


@pytest.fixture
def strangers(cli: Cli, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> tuple[Sandbox, Sandbox]:
    """The service that a run was about, half of which it has done, and the one that the token is for by now."""
    sandbox = serve()
    cli("pause", cli.source(sandbox.report_ids), "--concurrency", "1")
    cut_behind(cli, "outcome", 4)
    other = serve(seed=1)
    monkeypatch.setenv("BULKPAUSE_API__BASE_URL", sandbox.base_url)
    return sandbox, other


@pytest.mark.parametrize("verb", ["continue", "undo", "verify"])
def test_a_token_for_another_tenant_is_refused_in_words_that_name_both(
    cli: Cli, strangers: tuple[Sandbox, Sandbox], verb: str
) -> None:
    sandbox, other = strangers
    seen = len(sandbox.journal.entries)
    said = cli(verb, "last")
    assert said.code == 77
    assert f"the token is for tenant {other.tenant_id}, and the run was about tenant {sandbox.tenant_id}" in said.err
    assert (len(sandbox.journal.entries), other.journal.entries) == (seen, ())


@pytest.mark.parametrize("verb", ["continue", "undo", "verify"])
def test_what_was_refused_is_done_with_a_token_for_the_tenant_of_the_run(
    cli: Cli, strangers: tuple[Sandbox, Sandbox], verb: str
) -> None:
    sandbox, _ = strangers
    name = cli.runs[-1].name
    cli(verb, name)
    assert cli("audit", "verify", "last").code == 0
    said = cli(verb, name, env={"BULKPAUSE_TOKEN": sandbox.issue_token()})
    assert said.code == 0
    assert cli("audit", "verify", "last").code == 0


def test_each_part_of_a_run_writes_down_the_tenant_of_its_token(cli: Cli, strangers: tuple[Sandbox, Sandbox]) -> None:
    sandbox, other = strangers
    cli("continue", "last")
    tenants = [line["tenant_id"] for line in cli.ledger() if line["event"] == "signed_in"]
    assert tenants == [sandbox.tenant_id, other.tenant_id]
