"""PURE: what a failed sign-in means and how to say it in one line, free of secrets.

https://learn.microsoft.com/en-us/entra/identity-platform/reference-error-codes
"""

from __future__ import annotations

import json
import re
import socket
import ssl
from collections.abc import Iterator, Mapping
from http import HTTPStatus

from bulkpause.errors import AuthError, NoWayError, TokenUnavailableError
from bulkpause.proxying import refused_tunnel
from bulkpause.trust import refused_certificate, trouble

_PERSON = "a person has to sign in again: type `bulkpause login`"
_MFA = "a person has to sign in again, with MFA: type `bulkpause login`"
_POLICY = "a Conditional Access policy refuses this: an administrator finds it in Entra's sign-in log"
_FEDERATED = (
    "issuer, audience and subject of the assertion must be those of the app's federated credential, letter by letter"
)

HINTS: Mapping[int, str] = {
    50034: "this account is not in the tenant: check auth.tenant_id and who signs in",
    50053: "the account is locked: wait, or ask an administrator",
    50055: "the password has run out: set a new one, then type `bulkpause login`",
    50057: "the account is disabled: ask an administrator",
    50076: _MFA,
    50078: _MFA,
    50079: _MFA,
    50105: "an administrator has to assign the person to the app",
    50126: "user name or password are wrong",
    50158: _MFA,
    50173: _PERSON,
    53000: _POLICY,
    53003: _POLICY,
    65001: "an administrator has to consent to the app's permissions",
    65004: "the person has declined what the app asks for: sign in again and accept, or ask an administrator",
    70008: _PERSON,
    70021: _FEDERATED,
    70043: _PERSON,
    90002: "check auth.tenant_id, and api.cloud",
    500011: "check auth.scope and api.cloud, and that the API is known in this tenant",
    530003: _POLICY,
    700016: "check auth.client_id and auth.tenant_id",
    700024: "check whatever renews the assertion, and this machine's clock",
    700025: "the app is a public client: unset auth.client_secret and auth.certificate_file",
    700027: "register this certificate with the app, or use the one that is",
    700082: _PERSON,
    700211: _FEDERATED,
    700212: _FEDERATED,
    700213: _FEDERATED,
    7000215: "use the secret's value, not its id",
    7000218: "this app wants its secret: set AZURE_CLIENT_SECRET, or allow public client flows in its registration",
    7000222: "the secret has run out: create a new one",
    7000229: "an administrator has to add the app to this tenant",
}
"""What to do about the codes that need a human (api.md section 7)."""

DEVICE_CODE_ANSWERS = frozenset(
    {"authorization_pending", "slow_down", "authorization_declined", "access_denied", "expired_token"}
)
"""How Entra answers while a person signs in by device code (RFC 8628 section 3.5): told to who asked, not a failure."""

_LATER = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.GONE, HTTPStatus.TOO_MANY_REQUESTS})
"""Codes that ask for patience; a metadata service says 410 while it is updated."""

TRANSIENT_ERRORS = frozenset({"temporarily_unavailable", "server_error"})
TRANSIENT_CODES = frozenset({90033, 90055})
MESSAGE_LIMIT = 300


class NoIdentityError(TokenUnavailableError):
    """No metadata service answers where one should be: it is down, or this is no machine that has one."""


def judge_answer(host: str, status: int, headers: Mapping[str, str], body: str) -> AuthError | None:
    """What is wrong with an answer of `host` to MSAL; None for what MSAL is to read, a JSON object with a 2xx."""
    payload = _json_object(body)
    if status < HTTPStatus.MULTIPLE_CHOICES:
        if payload is not None:
            return None
        return TokenUnavailableError(f"{host} answered {status} with something other than JSON (a proxy's page?)")
    if status < HTTPStatus.BAD_REQUEST:
        return AuthError(f"{host} answered {status}, a redirect: sign-in follows none (a proxy's sign-in page?)")
    if status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
        return AuthError("the proxy refuses its user or password (407)")
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.TOO_MANY_REQUESTS:
        said = f": {_words(payload)}" if payload else ""
        return TokenUnavailableError(f"{host} answered {status}{said}", retry_after_s=_seconds(headers))
    if payload is not None and payload.get("error") in DEVICE_CODE_ANSWERS:
        return None
    if payload is None or "error" not in payload:
        return TokenUnavailableError(f"{host} answered {status}, and not in Entra's words (a proxy's page?)")
    return judge_error(payload, retry_after_s=_seconds(headers))


def judge_issuer_answer(host: str, status: int, headers: Mapping[str, str], body: str) -> AuthError | None:
    """What is wrong with an answer of `host` to a request for an assertion; None for a JSON object with a 2xx."""
    payload = _json_object(body)
    if status < HTTPStatus.MULTIPLE_CHOICES and payload is not None:
        return None
    said = f": {_words(payload)}" if payload else ""
    text = f"{host} answered the request for an assertion with {status}{said}"
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.INTERNAL_SERVER_ERROR and status not in _LATER:
        return AuthError(text)
    return TokenUnavailableError(text, retry_after_s=_seconds(headers))


def judge_identity_answer(host: str, status: int, headers: Mapping[str, str], body: str) -> AuthError | None:
    """What is wrong with an answer of the metadata service `host`; None for what MSAL is to read.

    https://learn.microsoft.com/en-us/entra/identity/managed-identities-azure-resources/how-to-use-vm-token
    """
    payload = _json_object(body)
    if status < HTTPStatus.MULTIPLE_CHOICES and payload is not None:
        return None
    if status == HTTPStatus.UNAUTHORIZED and headers.get("WWW-Authenticate", "").lower().startswith("basic realm="):
        return None  # Azure Arc: MSAL has to prove that it may read a file
    if status in _LATER or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        said = f": {_words(payload)}" if payload else ""
        return TokenUnavailableError(f"{host} answered {status}{said}", retry_after_s=_seconds(headers))
    if payload is None:
        return NoIdentityError(f"{host} answered {status}, and not as a managed identity does")
    remedy = "assign an identity to this machine, or check the client id of the one that is meant"
    return AuthError(f"the managed identity is refused: {remedy}. {_words(payload)}")


def judge_error(payload: Mapping[str, object], *, retry_after_s: float | None = None) -> AuthError:
    """Entra's refusal as one line: its code, its words, what to do, the trace id its support asks for."""
    codes = payload.get("error_codes")
    numbers = [code for code in codes if isinstance(code, int)] if isinstance(codes, list) else []
    numbers += [int(code) for code in re.findall(r"AADSTS(\d{4,8})", str(payload.get("error_description")))]
    hint = next((f": {HINTS[code]}" for code in numbers if code in HINTS), "")
    trace_id = str(payload.get("trace_id") or "")
    trace = f" (trace id {trace_id})" if re.fullmatch(r"[0-9A-Za-z-]{1,64}", trace_id) else ""
    text = f"sign-in refused{hint}. {_words(payload)}{trace}"
    if payload.get("error") in TRANSIENT_ERRORS or TRANSIENT_CODES.intersection(numbers):
        return TokenUnavailableError(text, retry_after_s=retry_after_s)
    return AuthError(text)


def judge_wire(host: str, error: BaseException, *, timeout_s: float, proxy: str = "") -> AuthError:
    """A failure of the network on the way to `host`, through the proxy at `proxy` if there is one.

    Only a bad certificate, or a proxy that refuses us or `host`, cannot heal.
    """
    causes = tuple(_causes(error))
    for cause in causes:
        if (flaw := refused_certificate(host, cause, setting="auth.authority")) is not None:
            return NoWayError(flaw)
        tunnel = re.match(r"Tunnel connection failed: (\d{3})", str(cause))
        if tunnel is not None and (halt := refused_tunnel(int(tunnel[1]), proxy=proxy, host=host)) is not None:
            return AuthError(halt.message)
    return TokenUnavailableError(f"{host} is out of reach: {_reason(causes, timeout_s=timeout_s)}")


def _reason(causes: tuple[BaseException, ...], *, timeout_s: float) -> str:
    for cause in reversed(causes):
        match cause:
            case socket.gaierror():
                return "its name cannot be resolved"
            case TimeoutError():
                return f"no answer within {timeout_s:g} s"
            case ssl.SSLError():
                return f"no TLS with it: {trouble(cause)}"
            case OSError(strerror=str(reason)):
                return reason
            case OSError() if str(cause).startswith("Tunnel connection failed"):
                return f"the proxy says: {str(cause)[:100]}"
    if any("Timeout" in type(cause).__name__ for cause in causes):
        return f"no answer within {timeout_s:g} s"
    return type(causes[-1]).__name__


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what it wraps; urllib3 hides causes in `reason` and in arguments, requests in arguments."""
    seen: list[BaseException] = []
    queue = [error]
    while queue:
        cause = queue.pop(0)
        if any(cause is known for known in seen):
            continue
        seen.append(cause)
        yield cause
        inner = (cause.__cause__, cause.__context__, getattr(cause, "reason", None), *cause.args)
        queue += [each for each in inner if isinstance(each, BaseException)]


def _words(payload: Mapping[str, object]) -> str:
    """Entra's own description without its tail of ids, else the OAuth error word."""
    said = (payload.get(name) for name in ("error_description", "error", "message"))
    return one_line(re.split(r"\s*Trace ID:", str(next(filter(None, said), "no reason given")), maxsplit=1)[0])


def one_line(words: str) -> str:
    """The far side's words as one line of printable text, and not too much of it."""
    words = words[: 4 * MESSAGE_LIMIT]
    text = " ".join("".join(character if character.isprintable() else " " for character in words).split())
    return text if len(text) <= MESSAGE_LIMIT else f"{text[:MESSAGE_LIMIT]}..."


def _json_object(body: str) -> Mapping[str, object] | None:
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError):  # the latter of brackets by the thousand
        return None
    return payload if isinstance(payload, dict) else None


def _seconds(headers: Mapping[str, str]) -> float | None:
    """Retry-After in whole seconds; Entra sends no other form."""
    text = headers.get("Retry-After", "")
    return float(text) if re.fullmatch(r"\d{1,6}", text) else None
