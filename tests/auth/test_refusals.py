"""Every way a sign-in fails, said in one line: what Entra answers, what stands between, and the wire itself."""

from __future__ import annotations

import json
import socket
import ssl

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st
from urllib3.connection import HTTPSConnection
from urllib3.exceptions import MaxRetryError, NewConnectionError, ProxyError, ReadTimeoutError

from bulkpause.auth.refusals import HINTS, judge_answer, judge_error, judge_wire
from bulkpause.errors import TokenUnavailableError

HOST = "login.example"
DESCRIPTION = (
    "AADSTS7000215: Invalid client secret provided. Ensure it is the value, not the ID.\r\n"
    "Trace ID: 11aa\r\nCorrelation ID: 22bb\r\nTimestamp: 2026-01-01 00:00:00Z"
)
REFUSAL = {
    "error": "invalid_client",
    "error_description": DESCRIPTION,
    "error_codes": [7000215],
    "trace_id": "11aa",
    "correlation_id": "22bb",
}


def test_entras_refusal_reads_as_one_line_with_remedy_code_and_trace_id() -> None:
    assert str(judge_error(REFUSAL)) == (
        "sign-in refused: use the secret's value, not its id. AADSTS7000215: Invalid client secret provided. "
        "Ensure it is the value, not the ID. (trace id 11aa)"
    )


NEED_A_HUMAN = [
    50034, 50057, 50076, 50078, 50079, 50126, 50158, 50173, 53003, 65001, 65004, 70008, 90002, 500011, 530003, 700016,
    700024, 700027, 700082, 700211, 700212, 700213, 7000215, 7000218, 7000222,
]  # fmt: skip


@pytest.mark.parametrize("code", NEED_A_HUMAN)
def test_a_code_that_needs_a_human_carries_its_remedy(code: int) -> None:
    for payload in ({"error": "x", "error_codes": [code]}, {"error": "x", "error_description": f"AADSTS{code}: no."}):
        failure = judge_error(payload)
        assert HINTS[code] in str(failure)
        assert not isinstance(failure, TokenUnavailableError)


@pytest.mark.parametrize("code", [50076, 50078, 50079, 50158, 50173, 70008, 70043, 700082])
def test_what_only_a_person_can_mend_names_the_command(code: int) -> None:
    assert HINTS[code].endswith("type `bulkpause login`")


@pytest.mark.parametrize(
    ("payload", "text"),
    [
        ({"error": "weird"}, "sign-in refused. weird"),
        ({"error": None}, "sign-in refused. no reason given"),
        ({"error": "x", "error_codes": "no list"}, "sign-in refused. x"),
        ({"error": "x", "error_codes": ["text", 1]}, "sign-in refused. x"),
        ({"error": "x", "error_description": "y" * 400}, f"sign-in refused. {'y' * 300}..."),
    ],
)
def test_an_unknown_refusal_is_told_as_far_as_it_goes(payload: dict[str, object], text: str) -> None:
    assert str(judge_error(payload)) == text


@pytest.mark.parametrize("payload", [{"error": "temporarily_unavailable"}, {"error": "x", "error_codes": [90033]}])
def test_a_refusal_that_entra_calls_temporary_may_heal(payload: dict[str, object]) -> None:
    assert isinstance(judge_error(payload), TokenUnavailableError)


@pytest.mark.parametrize(
    ("status", "body", "text", "may_heal"),
    [
        (200, "", "login.example answered 200 with something other than JSON (a proxy's page?)", True),
        (200, "<html>", "login.example answered 200 with something other than JSON (a proxy's page?)", True),
        (200, "[1]", "login.example answered 200 with something other than JSON (a proxy's page?)", True),
        (302, "", "login.example answered 302, a redirect: sign-in follows none (a proxy's sign-in page?)", False),
        (407, "", "the proxy refuses its user or password (407)", False),
        (401, json.dumps(REFUSAL), "sign-in refused: use the secret's value", False),
        (403, "<html>", "login.example answered 403, and not in Entra's words (a proxy's page?)", True),
        (404, "{}", "login.example answered 404, and not in Entra's words (a proxy's page?)", True),
        (429, "", "login.example answered 429", True),
        (503, "<html>", "login.example answered 503", True),
        (503, json.dumps(REFUSAL), "login.example answered 503: AADSTS7000215: Invalid client", True),
    ],
)
def test_an_answer_msal_cannot_use_is_named(status: int, body: str, text: str, *, may_heal: bool) -> None:
    failure = judge_answer(HOST, status, {}, body)
    assert str(failure).startswith(text)
    assert isinstance(failure, TokenUnavailableError) is may_heal


def test_an_answer_msal_can_use_is_left_alone() -> None:
    assert judge_answer(HOST, 200, {}, '{"access_token": "x"}') is None


@pytest.mark.parametrize(("header", "asked_s"), [("17", 17.0), ("", None), ("soon", None), ("-1", None)])
def test_retry_after_is_passed_on(header: str, asked_s: float | None) -> None:
    failure = judge_answer(HOST, 429, {"Retry-After": header}, "{}")
    assert isinstance(failure, TokenUnavailableError)
    assert failure.retry_after_s == asked_s


@given(status=st.integers(200, 599), body=st.text() | st.recursive(st.none(), st.lists).map(json.dumps))
def test_no_answer_is_too_odd_for_one_line(status: int, body: str) -> None:
    failure = judge_answer(HOST, status, {}, body)
    assert failure is None or "\n" not in str(failure)


def certificate_error(code: int, words: str) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_code, error.verify_message = code, words
    return error


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


CONNECTION = HTTPSConnection("p", 4407)


@pytest.mark.parametrize(
    ("cause", "text", "may_heal"),
    [
        (certificate_error(10, "certificate has expired"), "of login.example is refused: it has expired", False),
        (certificate_error(20, "unable to get local issuer"), "is refused: it comes from an unknown authority", False),
        (certificate_error(7, "signature failure"), "out of reach: no TLS with it: broken off", True),
        (ssl.SSLError(1, "record layer failure"), "out of reach: no TLS with it: broken off", True),
        (caused(NewConnectionError(CONNECTION, "x"), socket.gaierror(-2, "x")), "its name cannot be resolved", True),
        (ConnectionRefusedError(111, "Connection refused"), "out of reach: Connection refused", True),
        (ReadTimeoutError(None, "/", "read timed out"), "no answer within 30 s", True),  # type: ignore[arg-type]
        (TimeoutError(), "no answer within 30 s", True),
        (NewConnectionError(CONNECTION, "odd"), "out of reach: NewConnectionError", True),
        (ProxyError("x", OSError("Tunnel connection failed: 407 Denied")), "the proxy p:4407 refuses its user", False),
        (ProxyError("x", OSError("Tunnel connection failed: 401 Who")), "the proxy p:4407 refuses its user", False),
        (
            ProxyError("x", OSError("Tunnel connection failed: 403 No")),
            "p:4407 does not allow login.example (40",
            False,
        ),
        (ProxyError("x", OSError("Tunnel connection failed: 502 Bad")), "says: Tunnel connection failed: 502", True),
    ],
)
def test_a_failure_on_the_wire_is_named_by_its_cause(cause: Exception, text: str, *, may_heal: bool) -> None:
    wrapped = requests.ConnectionError(MaxRetryError(None, "/?secret=s3cret", cause))  # type: ignore[arg-type]
    failure = judge_wire(HOST, wrapped, timeout_s=30, proxy="p:4407")
    assert text in str(failure)
    assert "s3cret" not in str(failure)
    assert isinstance(failure, TokenUnavailableError) is may_heal
