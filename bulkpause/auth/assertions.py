"""What another issuer says of this workload, to stand in for a secret: from a file, a command, GitHub or an identity.

https://learn.microsoft.com/en-us/entra/workload-id/workload-identity-federation. It is fetched anew for every token: it
lives for minutes, and whoever issues it rotates it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit

from bulkpause.auth.ready import one_token, output_of, text_of
from bulkpause.auth.tokens import Acquire
from bulkpause.errors import AuthError, ConfigError
from bulkpause.trust import Trust

Learn = Callable[[str], None]
"""Hears of each secret before it is used."""


def assertion_from_file(file: Path, *, learn: Learn) -> Callable[[], str]:
    """The assertion in a file that somebody rotates, as Kubernetes does. It raises AuthError."""

    def fetch() -> str:
        key = f"auth.assertion_file {file}"
        return _heard(one_token(text_of(file, key=key), key=key), learn)

    return fetch


def assertion_from_command(
    argv: Sequence[str], *, timeout_s: float, learn: Learn, env: Mapping[str, str] | None = None
) -> Callable[[], str]:
    """The assertion that a command prints, alone, on stdout. It raises AuthError.

    `env` is all that the command sees of the environment; None for all of it.
    """

    def fetch() -> str:
        key = f"auth.assertion_command {argv[0]}"
        return _heard(one_token(output_of(argv, key=key, timeout_s=timeout_s, env=env), key=key), learn)

    return fetch


def assertion_from_github(
    url: str, request_token: str, *, audience: str, trust: Trust, proxy: str | None, timeout_s: float, learn: Learn
) -> Callable[[], str]:
    """The assertion that GitHub Actions gives to the job it runs. It raises AuthError, this ConfigError.

    https://docs.github.com/en/actions/reference/security/oidc
    """
    try:
        parts = urlsplit(url.strip())
        is_good = parts.scheme == "https" and bool(parts.hostname) and parts.username is None and parts.port != 0
    except ValueError:  # brackets that are no address, or a port that is none
        parts, is_good = urlsplit(""), False
    if not is_good:
        raise ConfigError("ACTIONS_ID_TOKEN_REQUEST_URL is no https URL: nothing else gets the token of the job.")
    learn(request_token)
    asked = [(name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True) if name != "audience"]
    wanted = parts._replace(query=urlencode([*asked, ("audience", audience)]), fragment="").geturl()

    def fetch() -> str:
        from bulkpause.auth.refusals import judge_issuer_answer  # noqa: PLC0415 - with what is slow to import
        from bulkpause.auth.transport import Transport  # noqa: PLC0415 - imports requests

        road = Transport(trust=trust, proxy=proxy, timeout_s=timeout_s, judge=judge_issuer_answer)
        headers = {"Authorization": f"Bearer {request_token}", "Accept": "application/json"}
        try:
            value = json.loads(road.get(wanted, headers=headers).text).get("value")
        finally:
            road.close()
        if not isinstance(value, str):
            raise AuthError(f"{parts.hostname} answered the request for an assertion without one")
        return _heard(one_token(value, key=f"the assertion of {parts.hostname}"), learn)

    return fetch


def assertion_from_identity(identity: Acquire, *, learn: Learn) -> Callable[[], str]:
    """The token of a managed identity that the app trusts. It raises AuthError."""
    return lambda: _heard(identity().value, learn)


def _heard(assertion: str, learn: Learn) -> str:
    learn(assertion)
    return assertion
