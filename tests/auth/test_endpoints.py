"""Entra's endpoints by their template: the same as Entra's own answer, and nothing for any other request."""

from __future__ import annotations

import json

import pytest

from bulkpause.auth.endpoints import openid_configuration
from bulkpause.sandbox.tokens import Tokens

COMMON = "https://login.microsoftonline.com/common"


def test_they_are_what_discovery_would_have_said() -> None:
    tokens = Tokens(seed=1, lifetime_s=60)
    said = tokens.discovery(tokens.tenant_id, origin="https://localhost:8443", now_s=0).payload
    known = openid_configuration(f"https://localhost:8443/{tokens.tenant_id}/v2.0/.well-known/openid-configuration")
    assert known is not None
    assert known.items() <= json.loads(json.dumps(said)).items()


@pytest.mark.parametrize(
    "url",
    [
        f"{COMMON}/oauth2/v2.0/token",
        f"{COMMON}/v2.0/.well-known/openid-configuration/more",
        f"{COMMON}/v2.0/.well-known/openid-configuration?p=b2c",
        "http://login.microsoftonline.com/common/v2.0/.well-known/openid-configuration",
        "https://login.microsoftonline.com/v2.0/.well-known/openid-configuration",
        "https://adfs.example/adfs/.well-known/openid-configuration",
        "https://contoso.b2clogin.com/contoso/b2c_1_policy/v2.0/.well-known/openid-configuration",
    ],
)
def test_any_other_request_is_left_alone(url: str) -> None:
    assert openid_configuration(url) is None
