"""Whoever asks is told whether a person's sign-in had a second factor."""

from __future__ import annotations

from typing import Any

import pytest

from bulkpause.sandbox import SandboxSettings
from bulkpause.sandbox.api import BASE_PATH
from tests.jwt import jwt
from tests.sandbox.tenant import START, Tenant

PERSON = {"scp": "user_impersonation", "amr": ["pwd", "mfa"]}


@pytest.mark.parametrize(
    ("claims", "asks", "answer"),
    [
        (PERSON, "true", "true"),
        (PERSON, "True", "true"),
        ({**PERSON, "amr": ["pwd"]}, "true", "false"),
        ({"scp": "user_impersonation"}, "true", "false"),
        (PERSON, "no", None),
        ({"roles": ["Reader"]}, "true", None),
        (None, "true", None),
    ],
)
def test_the_answer_goes_by_the_token(claims: dict[str, Any] | None, asks: str, answer: str | None) -> None:
    far_side = Tenant(SandboxSettings(reports=1))
    token = "opaque" if claims is None else jwt(claims)
    far_side.tokens.adopt(token, now_s=START.timestamp())
    headers = {"Authorization": f"Bearer {token}", "ValidateMfa": asks}
    said = far_side.send("GET", f"{BASE_PATH}/ScheduledReport", headers=headers)
    assert (said.status, said.headers.get("isMfaCompliant")) == (200, answer)


def test_a_person_of_the_sandbox_has_a_second_factor() -> None:
    far_side = Tenant(SandboxSettings(reports=1))
    token = far_side.tokens.issue(now_s=START.timestamp(), upn="ann@contoso.example")
    headers = {"Authorization": f"Bearer {token}", "ValidateMfa": "true"}
    assert far_side.send("GET", f"{BASE_PATH}/ScheduledReport", headers=headers).headers["isMfaCompliant"] == "true"
