"""Secrets that come in other ways than the environment, and what of them is left outside the process."""

from __future__ import annotations

import sys

import pytest

from tests.e2e.conftest import MakeOperator

pytestmark = pytest.mark.end_to_end


@pytest.mark.skipif(sys.platform == "win32", reason="bash hands the descriptor down")
def test_a_secret_comes_by_a_descriptor_while_the_ids_come_by_stdin(an_operator: MakeOperator) -> None:
    operator = an_operator(tls=True, reports=3)
    ran = operator.run(
        *("pause", "-", "--secret", "auth.client_secret=fd:3"),
        stdin="\n".join(operator.sandbox.report_ids),
        env={"PLANTED": operator.sandbox.client_secret, "AZURE_CLIENT_SECRET": ""},
        script='"$@" 3<<<"$PLANTED"',
    )
    assert (ran.code, ran.statuses) == (0, {"succeeded": 3}), ran.stderr
    assert " --secret auth.client_secret=fd:3 " in ran.summary["undo"]


def test_secrets_come_from_a_directory_and_one_that_everybody_can_read_is_refused(an_operator: MakeOperator) -> None:
    operator = an_operator(tls=True, reports=3)
    folder = operator.home / "secrets"
    folder.mkdir()
    for name, value in operator.environment().items():
        if name.startswith("AZURE_"):
            (folder / name.lower()).write_text(f"{value}\n", encoding="utf-8")
            (folder / name.lower()).chmod(0o400 if "secret" in name.lower() else 0o444)
    bare = dict.fromkeys(("AZURE_CLIENT_SECRET", "AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_AUTHORITY_HOST"), "")
    source = operator.source(operator.sandbox.report_ids)
    ran = operator.run("pause", source, "--secrets-dir", "secrets", env=bare)
    assert (ran.code, ran.statuses) == (0, {"succeeded": 3}), ran.stderr
    if sys.platform == "win32":
        return
    (folder / "azure_client_secret").chmod(0o444)
    refused = operator.run("pause", source, env=bare | {"BULKPAUSE_SECRETS_DIR": "secrets"})
    assert refused.code == 78
    assert "azure_client_secret can be read by everybody (mode 0444): chmod 600 " in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
