"""The person at Microsoft Entra: who agrees or declines, by browser or device code, and the refresh tokens given."""

from __future__ import annotations

import hashlib
import html
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import urlencode, urlsplit

import orjson

from bulkpause.sandbox.oauth import Grant, TokenError, base64url

if TYPE_CHECKING:
    from bulkpause.sandbox.tokens import Tokens

DEVICE_CODE: Final = "urn:ietf:params:oauth:grant-type:device_code"
GRANTS: Final = frozenset({"refresh_token", "authorization_code", DEVICE_CODE})
_CODE_LIFE_S: Final = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Who signs in at the sandbox, and how that goes."""

    upn: str = "operator@contoso.example"
    answer: Literal["agrees", "declines", "waits"] = "agrees"
    """`waits`: says nothing to a device code until `People.has_agreed`."""
    pending_polls: int = 0
    """How often a device code is asked for in vain before the answer."""
    slow_downs: int = 0
    """How many of these polls are told to come less often."""
    poll_interval_s: int = 0
    device_code_life_s: float = 900.0
    refresh_token_life_s: float = 90 * 86_400.0
    revokes_used: bool = False
    """Whether a refresh token is no good any more once it was used; Entra is more patient."""


@dataclass(slots=True)
class _Refresh:
    upn: str
    is_confidential: bool
    expires_s: float
    is_revoked: bool = False


@dataclass(slots=True)
class _Code:
    """An authorization code, and what it was asked with."""

    challenge: str
    redirect_uri: str
    nonce: str | None
    expires_s: float


@dataclass(slots=True)
class _Device:
    expires_s: float
    polls: int = 0
    is_done: bool = False


def _invalid_grant(code: int, text: str, *, error: str = "invalid_grant") -> TokenError:
    return TokenError(error, code, HTTPStatus.BAD_REQUEST, text)


PENDING: Final = _invalid_grant(70016, "The user has not yet signed in.", error="authorization_pending")
SLOW_DOWN: Final = _invalid_grant(70020, "Polling too often.", error="slow_down")
DECLINED: Final = _invalid_grant(70017, "The end user denied the sign-in.", error="authorization_declined")
CODE_EXPIRED: Final = _invalid_grant(70020, "The device code has expired.", error="expired_token")
BAD_CODE: Final = _invalid_grant(70000, "The provided authorization code is not valid or was used already.")
BAD_VERIFIER: Final = _invalid_grant(501481, "The Code_Verifier does not match the code_challenge supplied.")
USED: Final = _invalid_grant(70000, "The provided refresh token has been revoked.")
FORGOTTEN: Final = _invalid_grant(700082, "The refresh token has expired due to inactivity. It was issued long ago.")
NO_PROOF: Final = TokenError(
    "invalid_client",
    7000218,
    HTTPStatus.UNAUTHORIZED,
    "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.",
)
PROOF_FOR_PUBLIC: Final = TokenError(
    "invalid_client",
    700025,
    HTTPStatus.UNAUTHORIZED,
    "Client is public so neither 'client_assertion' nor 'client_secret' should be presented.",
)
REFUSALS: Final[Mapping[int, TokenError]] = {
    50076: _invalid_grant(50076, "Due to a configuration change, you must use multi-factor authentication."),
    50078: _invalid_grant(50078, "Presented multi-factor authentication has expired due to policies."),
    50173: _invalid_grant(50173, "The provided grant has expired due to it being revoked; the password was changed."),
    70008: _invalid_grant(70008, "The provided authorization code or refresh token has expired."),
    700082: FORGOTTEN,
}
"""How a good refresh token can be refused all the same."""


@dataclass(slots=True)
class People:
    """The person, and every code and refresh token handed out. Times are Unix seconds."""

    person: Person
    tokens: Tokens
    rng: random.Random
    refusal: int | None = None
    """The AADSTS code that every refresh token meets for now."""
    used: list[str] = field(default_factory=list)
    """Every refresh token that was exchanged, in order."""
    claims: list[str | None] = field(default_factory=list)
    """What each exchange of a refresh token asked the access token to prove."""
    has_agreed: bool = False
    _refresh: dict[str, _Refresh] = field(default_factory=dict)
    _codes: dict[str, _Code] = field(default_factory=dict)
    _devices: dict[str, _Device] = field(default_factory=dict)

    def issue_refresh(self, *, now_s: float, is_confidential: bool) -> str:
        """A refresh token for the person, of about the length of Entra's."""
        token = f"1.AXX{base64url(self.rng.randbytes(900))}"
        life_s = self.person.refresh_token_life_s
        self._refresh[token] = _Refresh(self.person.upn, is_confidential, now_s + life_s)
        return token

    def revoke_refresh(self) -> None:
        """Refuse every refresh token handed out so far, as after a change of password."""
        for refresh in self._refresh.values():
            refresh.is_revoked = True

    def authorize(self, query: Mapping[str, str], *, now_s: float) -> tuple[int, bytes, Mapping[str, str]]:
        """What a browser gets that follows the sign-in's address: status, body and headers."""
        redirect_uri, state = query.get("redirect_uri", ""), query.get("state", "")
        flaw = _authorize_flaw(query, client_id=self.tokens.client_id)
        if flaw is not None:
            return HTTPStatus.BAD_REQUEST, f"<!DOCTYPE html><p>{html.escape(flaw)}".encode(), _HTML
        if self.person.answer == "agrees":
            code = f"1.{base64url(self.rng.randbytes(300))}"
            self._codes[code] = _Code(query["code_challenge"], redirect_uri, query.get("nonce"), now_s + _CODE_LIFE_S)
            answer = {"code": code, "state": state, "session_state": "s"}
        else:
            answer = {"error": "access_denied", "error_description": "AADSTS65004: User declined.", "state": state}
        if query.get("response_mode") == "form_post":
            fields = "".join(
                f'<input type="hidden" name="{html.escape(name)}" value="{html.escape(value)}">'
                for name, value in answer.items()
            )
            page = (
                f'<!DOCTYPE html><form method="POST" action="{html.escape(redirect_uri)}">{fields}'
                "<noscript><button>Continue</button></noscript></form><script>document.forms[0].submit()</script>"
            )
            return HTTPStatus.OK, page.encode(), _HTML
        return HTTPStatus.FOUND, b"", {"Location": f"{redirect_uri}?{urlencode(answer)}"}

    def device_code(self, *, origin: str, now_s: float) -> Grant:
        """A device code, and where its user code is to be typed."""
        device_code = base64url(self.rng.randbytes(120))
        user_code = "".join(self.rng.choices("ABCDEFGHJKLMNPQRSTUVWXYZ23456789", k=9))
        self._devices[device_code] = _Device(now_s + self.person.device_code_life_s)
        uri = f"{origin}/devicelogin"
        payload = {
            "user_code": user_code,
            "device_code": device_code,
            "verification_uri": uri,
            "expires_in": int(self.person.device_code_life_s),
            "interval": self.person.poll_interval_s,
            "message": f"To sign in, use a web browser to open the page {uri} and enter the code {user_code}.",
        }
        return Grant(HTTPStatus.OK, payload)

    def grant(self, form: Mapping[str, str], *, is_proven: bool, base: str, now_s: float) -> Grant:
        """Answer a token request for the person; `is_proven`: the app has shown its secret, the right one."""
        match form.get("grant_type"):
            case "refresh_token":
                return self._renew(form, is_proven=is_proven, base=base, now_s=now_s)
            case "authorization_code":
                return self._redeem(form, is_proven=is_proven, base=base, now_s=now_s)
            case _:
                return self._poll(form, base=base, now_s=now_s)

    def _renew(self, form: Mapping[str, str], *, is_proven: bool, base: str, now_s: float) -> Grant:
        given = form.get("refresh_token", "")
        known = self._refresh.get(given)
        if known is None or known.is_revoked:
            return self.tokens.refuse(USED, now_s=now_s)
        if known.is_confidential != is_proven:
            return self.tokens.refuse(NO_PROOF if known.is_confidential else PROOF_FOR_PUBLIC, now_s=now_s)
        if now_s >= known.expires_s:
            return self.tokens.refuse(FORGOTTEN, now_s=now_s)
        if self.refusal is not None:
            return self.tokens.refuse(REFUSALS[self.refusal], now_s=now_s)
        self.used.append(given)
        self.claims.append(form.get("claims"))
        known.is_revoked = self.person.revokes_used
        return self._granted(base=base, is_confidential=is_proven, nonce=None, now_s=now_s)

    def _redeem(self, form: Mapping[str, str], *, is_proven: bool, base: str, now_s: float) -> Grant:
        code = self._codes.pop(form.get("code", ""), None)
        if code is None or now_s >= code.expires_s or form.get("redirect_uri") != code.redirect_uri:
            return self.tokens.refuse(BAD_CODE, now_s=now_s)
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        if base64url(digest) != code.challenge:
            return self.tokens.refuse(BAD_VERIFIER, now_s=now_s)
        return self._granted(base=base, is_confidential=is_proven, nonce=code.nonce, now_s=now_s)

    def _poll(self, form: Mapping[str, str], *, base: str, now_s: float) -> Grant:
        device = self._devices.get(form.get("device_code", ""))
        if device is None or device.is_done:
            return self.tokens.refuse(BAD_CODE, now_s=now_s)
        device.polls += 1
        if now_s >= device.expires_s:
            return self.tokens.refuse(CODE_EXPIRED, now_s=now_s)
        if device.polls <= self.person.slow_downs:
            return self.tokens.refuse(SLOW_DOWN, now_s=now_s)
        waits = self.person.answer == "waits" and not self.has_agreed
        if waits or device.polls <= self.person.pending_polls:
            return self.tokens.refuse(PENDING, now_s=now_s)
        device.is_done = True
        if self.person.answer == "declines":
            return self.tokens.refuse(DECLINED, now_s=now_s)
        return self._granted(base=base, is_confidential=False, nonce=None, now_s=now_s)

    def _granted(self, *, base: str, is_confidential: bool, nonce: str | None, now_s: float) -> Grant:
        life_s = int(self.tokens.lifetime_s)
        id_claims = {
            "aud": self.tokens.client_id,
            "iss": f"{base}/v2.0",
            "iat": int(now_s),
            "exp": int(now_s) + 3600,
            "preferred_username": self.person.upn,
            "tid": self.tokens.tenant_id,
            "sub": "person",
            **({} if nonce is None else {"nonce": nonce}),
        }
        id_token = ".".join((base64url(b'{"typ":"JWT","alg":"RS256"}'), base64url(orjson.dumps(id_claims)), "c2ln"))
        payload = {
            "token_type": "Bearer",
            "scope": "https://api.partnercenter.microsoft.com/user_impersonation",
            "expires_in": life_s,
            "ext_expires_in": life_s,
            "access_token": self.tokens.issue(now_s=now_s, upn=self.person.upn),
            "refresh_token": self.issue_refresh(now_s=now_s, is_confidential=is_confidential),
            "id_token": id_token,
        }
        return Grant(HTTPStatus.OK, payload)


_HTML: Final = {"Content-Type": "text/html; charset=utf-8"}


def _authorize_flaw(query: Mapping[str, str], *, client_id: str) -> str | None:
    """What Entra would show as an error instead of asking for a password."""
    target = urlsplit(query.get("redirect_uri", ""))
    if query.get("client_id") != client_id:
        return f"AADSTS700016: Application with identifier '{query.get('client_id')}' was not found in the directory."
    if target.scheme != "http" or target.hostname != "localhost":
        return f"AADSTS50011: The redirect URI '{target.geturl()}' does not match those configured for the app."
    if query.get("response_type") != "code" or query.get("code_challenge_method") != "S256":
        return "AADSTS9002325: Proof Key for Code Exchange is required for cross-origin authorization code redemption."
    if "offline_access" not in query.get("scope", "").split():
        return "AADSTS70011: The provided value for the input parameter 'scope' is not valid."
    return None
