"""Microsoft Entra as far as MSAL needs it: tenant discovery, the token endpoint, and which tokens are good."""

from __future__ import annotations

import base64
import hashlib
import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Final
from uuid import UUID

import orjson

from bulkpause.sandbox.oauth import Grant, TokenError, base64url
from bulkpause.sandbox.people import GRANTS, People, Person

_ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
CHALLENGE: Final = '{"access_token":{"nbf":{"essential":true,"value":"1700000000"}}}'
"""What a token must have been asked for with, where a fault says so."""

FEDERATED_ISSUER: Final = "https://issuer.sandbox.invalid"
FEDERATED_SUBJECT: Final = "system:serviceaccount:default:bulkpause"
FEDERATED_AUDIENCE: Final = "api://AzureADTokenExchange"
"""The one workload that the app trusts, so that its assertion stands in for a secret."""

_RESOURCE: Final = "https://api.partnercenter.microsoft.com"


@dataclass(frozen=True, slots=True)
class Bearer:
    """What an Authorization header proved: whose token, and why it is refused, if it is."""

    fingerprint: str | None
    refusal: str | None


INVALID_CLIENT: Final = TokenError(
    "invalid_client",
    7000215,
    HTTPStatus.UNAUTHORIZED,
    "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, "
    "not the client secret ID, for a secret added to app '{client_id}'.",
)
_UNKNOWN_APP: Final = TokenError(
    "unauthorized_client",
    700016,
    HTTPStatus.BAD_REQUEST,
    "Application with identifier '{given}' was not found in the directory '{tenant_id}'.",
)
_BAD_ASSERTION: Final = TokenError(
    "invalid_client", 700027, HTTPStatus.UNAUTHORIZED, "The client assertion is not accepted: {given}."
)
_OUTDATED: Final = TokenError(
    "invalid_client", 700024, HTTPStatus.UNAUTHORIZED, "Client assertion is not within its valid time range."
)
_FOREIGN_CLAIM: Final = {
    claim: TokenError(
        "invalid_client",
        code,
        HTTPStatus.UNAUTHORIZED,
        f"No matching federated identity record found for presented assertion {word} '{{given}}'.",
    )
    for claim, code, word in (("iss", 700211, "issuer"), ("aud", 700212, "audience"), ("sub", 700213, "subject"))
}
_BAD_SCOPE: Final = TokenError(
    "invalid_scope",
    1002012,
    HTTPStatus.BAD_REQUEST,
    "The provided value for scope {given} is not valid. Client credential flows must have a scope value "
    "with /.default suffixed to the resource identifier (application ID URI).",
)
_BAD_GRANT: Final = TokenError(
    "unsupported_grant_type", 70003, HTTPStatus.BAD_REQUEST, "The app requested an unsupported grant type '{given}'."
)
_NO_TENANT: Final = TokenError(
    "invalid_tenant", 90002, HTTPStatus.BAD_REQUEST, "Tenant '{given}' not found. Check to make sure you have the "
    "correct tenant ID and are signing into the correct cloud."
)  # fmt: skip


class Tokens:
    """One tenant with one registered app, and every token handed out. Times are Unix seconds."""

    def __init__(self, *, seed: int, lifetime_s: float, person: Person | None = None) -> None:
        self._rng = random.Random(f"tokens:{seed}")  # noqa: S311 - throw-away secrets on loopback, the same every run
        self.lifetime_s = lifetime_s
        self._expiry_s: dict[str, float] = {}
        self.tenant_id = self._uuid()
        self.client_id = self._uuid()
        self._meeting: set[str] = set()
        self.assertions: list[str] = []
        """Every client assertion presented, good or bad."""
        self.client_secret = f"sandbox~{self._rng.getrandbits(160):040x}"
        rng = random.Random(f"people:{seed}")  # noqa: S311 - the same
        self.people = People(person or Person(), self, rng)

    def issue(self, *, now_s: float, lifetime_s: float | None = None, upn: str | None = None) -> str:
        """A new access token, about as long as Entra's: the app's own, or with `upn` that of the app and a person."""
        expiry_s = now_s + (self.lifetime_s if lifetime_s is None else lifetime_s)
        rights: dict[str, object] = {"roles": ["ExecutiveReportViewer"]}
        if upn is not None:
            rights = {"upn": upn, "scp": "user_impersonation", "amr": ["pwd", "mfa"]}
        claims = {
            "aud": _RESOURCE,
            "iss": f"https://sts.windows.net/{self.tenant_id}/",
            "iat": int(now_s),
            "exp": int(expiry_s),
            "appid": self.client_id,
            "tid": self.tenant_id,
            "uti": f"{self._rng.getrandbits(128):032x}",
            **rights,
            "xms_filler": "x" * 360,
        }
        signature = self._rng.randbytes(256)
        token = ".".join(map(base64url, (b'{"typ":"JWT","alg":"RS256"}', orjson.dumps(claims), signature)))
        self._expiry_s[token] = expiry_s
        return token

    def adopt(self, token: str, *, now_s: float) -> None:
        """Take a token of others for one of ours."""
        self._expiry_s[token] = now_s + self.lifetime_s

    @property
    def all(self) -> tuple[str, ...]:
        """Every token handed out or adopted."""
        return tuple(self._expiry_s)

    def revoke_all(self) -> None:
        """Refuse every token handed out so far."""
        self._expiry_s = dict.fromkeys(self._expiry_s, 0.0)

    def check(self, authorization: str | None, *, now_s: float) -> Bearer:
        """Judge an Authorization header."""
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            return Bearer(None, "missing")
        expiry_s = self._expiry_s.get(token)
        if expiry_s is None:
            return Bearer(fingerprint(token), "unknown")
        if now_s >= expiry_s:
            return Bearer(fingerprint(token), "expired" if expiry_s else "revoked")
        return Bearer(fingerprint(token), None)

    def grant(self, tenant: str, form: Mapping[str, str], *, token_url: str, now_s: float) -> Grant:
        """Answer a token request: of the app, with the secret or with a signed assertion, or on behalf of a person."""
        client_id, kind = form.get("client_id", ""), form.get("grant_type", "")
        if tenant.lower() != self.tenant_id:
            return self.refuse(_NO_TENANT, now_s=now_s, given=tenant)
        if kind != "client_credentials" and kind not in GRANTS:
            return self.refuse(_BAD_GRANT, now_s=now_s, given=kind)
        if client_id.lower() != self.client_id:
            return self.refuse(_UNKNOWN_APP, now_s=now_s, given=client_id)
        is_proven = "client_secret" in form or "client_assertion" in form
        if is_proven or kind not in GRANTS:
            refusal = self._refuse_proof(form, token_url=token_url, now_s=now_s)
            if refusal is not None:
                return refusal
        if kind in GRANTS:
            base = token_url.removesuffix("/oauth2/v2.0/token")
            granted = self.people.grant(form, is_proven=is_proven, base=base, now_s=now_s)
            if _holds(form.get("claims", ""), CHALLENGE):
                self._meeting.add(str(granted.payload.get("access_token")))
            return granted
        if not form.get("scope", "").endswith("/.default"):
            return self.refuse(_BAD_SCOPE, now_s=now_s, given=form.get("scope", ""))
        token = self.issue(now_s=now_s)
        if _holds(form.get("claims", ""), CHALLENGE):
            self._meeting.add(token)
        payload = {
            "token_type": "Bearer",
            "expires_in": int(self.lifetime_s),
            "ext_expires_in": int(self.lifetime_s),
            "access_token": token,
        }
        return Grant(HTTPStatus.OK, payload)

    def _refuse_proof(self, form: Mapping[str, str], *, token_url: str, now_s: float) -> Grant | None:
        """The refusal of an app that does not prove who it is, by its secret or an assertion."""
        if form.get("client_assertion_type") == _ASSERTION_TYPE:
            return self._judge_assertion(form.get("client_assertion", ""), token_url=token_url, now_s=now_s)
        if form.get("client_secret") != self.client_secret:
            return self.refuse(INVALID_CLIENT, now_s=now_s)
        return None

    def meets_challenge(self, authorization: str | None) -> bool:
        """Whether the token was asked for with the claims of the challenge."""
        return (authorization or "").partition(" ")[2] in self._meeting

    def issue_assertion(self, *, now_s: float, lifetime_s: float = 600.0, **claims: object) -> str:
        """What the issuer that the app trusts says of the workload it trusts; `claims` are said otherwise."""
        told = {"iss": FEDERATED_ISSUER, "sub": FEDERATED_SUBJECT, "aud": FEDERATED_AUDIENCE} | claims
        told |= {"iat": int(now_s), "exp": now_s + lifetime_s, "jti": f"{self._rng.getrandbits(128):032x}"}
        return ".".join(map(base64url, (b'{"alg":"RS256"}', orjson.dumps(told), self._rng.randbytes(256))))

    def _judge_assertion(self, assertion: str, *, token_url: str, now_s: float) -> Grant | None:
        """Why an assertion is refused, None if it is not: the app's own by its certificate, or another issuer's."""
        self.assertions.append(assertion)
        told = _claims(assertion)
        if told is None or told.get("iss") == self.client_id:
            flaw = assertion_flaw(assertion, client_id=self.client_id, audience=token_url, now_s=now_s)
            return None if flaw is None else self.refuse(_BAD_ASSERTION, now_s=now_s, given=flaw)
        wanted = {"iss": FEDERATED_ISSUER, "aud": FEDERATED_AUDIENCE, "sub": FEDERATED_SUBJECT}
        for claim, value in wanted.items():
            if told.get(claim) != value:
                return self.refuse(_FOREIGN_CLAIM[claim], now_s=now_s, given=str(told.get(claim)))
        expiry_s = told.get("exp")
        if not (isinstance(expiry_s, int | float) and expiry_s > now_s):
            return self.refuse(_OUTDATED, now_s=now_s)
        return None

    def refuse(self, error: TokenError, *, now_s: float, given: str = "") -> Grant:
        """An error as Entra words it, trace id and all."""
        at = datetime.fromtimestamp(now_s, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
        text = error.text.format(given=given, client_id=self.client_id, tenant_id=self.tenant_id)
        trace_id, correlation_id = self._uuid(), self._uuid()
        payload = {
            "error": error.error,
            "error_description": f"AADSTS{error.code}: {text} Trace ID: {trace_id} "
            f"Correlation ID: {correlation_id} Timestamp: {at}",
            "error_codes": [error.code],
            "timestamp": at,
            "trace_id": trace_id,
            "correlation_id": correlation_id,
            "error_uri": f"https://login.microsoftonline.com/error?code={error.code}",
        }
        return Grant(error.status, payload)

    def discovery(self, tenant: str, *, origin: str, now_s: float) -> Grant:
        """The OpenID configuration of the tenant, as served by `origin`."""
        if tenant.lower() != self.tenant_id:
            return self.refuse(_NO_TENANT, now_s=now_s, given=tenant)
        base = f"{origin}/{self.tenant_id}"
        payload = {
            "issuer": f"{base}/v2.0",
            "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
            "token_endpoint": f"{base}/oauth2/v2.0/token",
            "device_authorization_endpoint": f"{base}/oauth2/v2.0/devicecode",
            "jwks_uri": f"{base}/discovery/v2.0/keys",
            "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt"],
            "tenant_region_scope": "EU",
        }
        return Grant(HTTPStatus.OK, payload)

    def _uuid(self) -> str:
        return str(UUID(int=self._rng.getrandbits(128), version=4))


def fingerprint(token: str) -> str:
    """A name for a token that gives nothing of it away."""
    return hashlib.blake2b(token.encode(), digest_size=6).hexdigest()


def assertion_flaw(assertion: str, *, client_id: str, audience: str, now_s: float) -> str | None:
    """What is wrong with a client assertion, None if nothing is. No key is registered to verify the signature with."""
    header_text, _, rest = assertion.partition(".")
    claims_text, _, signature = rest.partition(".")
    try:
        header, claims = orjson.loads(_unbase64url(header_text)), orjson.loads(_unbase64url(claims_text))
    except ValueError:  # of base64, of UTF-8 and of JSON alike
        return "it is not a signed JWT"
    if not (isinstance(header, dict) and isinstance(claims, dict) and signature):
        return "it is not a signed JWT"
    if header.get("alg") not in {"RS256", "PS256"}:
        return f"algorithm {header.get('alg')}"
    if claims.get("iss") != client_id or claims.get("sub") != client_id:
        return "issuer and subject must be the client id"
    if claims.get("aud") != audience:
        return f"audience {claims.get('aud')}"
    if not (isinstance(expiry_s := claims.get("exp"), int | float) and expiry_s > now_s):
        return "it has expired"
    return None


def _holds(claims: str, wanted: str) -> bool:
    """Whether a claims request holds all that `wanted` asks of the access token, whatever else it asks."""
    try:
        asked = orjson.loads(claims)["access_token"].items()
    except (ValueError, LookupError, TypeError, AttributeError):
        return False
    return all(item in asked for item in orjson.loads(wanted)["access_token"].items())


def _claims(jwt: str) -> Mapping[str, object] | None:
    """What a JWT says; None if it is none."""
    try:
        told = orjson.loads(_unbase64url(jwt.split(".")[1]))
    except (ValueError, IndexError):
        return None
    return told if isinstance(told, dict) else None


def _unbase64url(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
