"""What a reply means: every HTTP code, envelope, casing and mangled body, and that nothing but the truth confirms."""

from __future__ import annotations

import gzip

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from multidict import CIMultiDict

from bulkpause.models import MESSAGE_LIMIT, Operation, Reply, Verdict
from bulkpause.replies import judge
from bulkpause.replies.envelope import BODY_LIMIT
from bulkpause.replies.puts import NO_MFA
from tests.envelopes import CASINGS, HTML, JSON, NOW, OTHER, PAYLOADS, REPORT, VALUES, Casing, envelope, pascal, report

VERDICTS = {
    400: Verdict.REJECTED,
    401: Verdict.UNAUTHORISED,
    403: Verdict.FORBIDDEN,
    404: Verdict.NOT_FOUND,
    405: Verdict.REJECTED,
    408: Verdict.FAULT,
    409: Verdict.REJECTED,
    411: Verdict.REJECTED,
    412: Verdict.REJECTED,
    417: Verdict.REJECTED,
    429: Verdict.THROTTLED,
    500: Verdict.FAULT,
    501: Verdict.REJECTED,
    502: Verdict.FAULT,
    503: Verdict.FAULT,
    504: Verdict.FAULT,
    505: Verdict.REJECTED,
    511: Verdict.REJECTED,
    599: Verdict.REJECTED,
    999: Verdict.REJECTED,
}


def judged(
    body: bytes | None, http_status: int = 200, *, operation: Operation = Operation.PAUSE, **headers: str
) -> Reply:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return judge(operation, REPORT, http_status=http_status, headers=CIMultiDict(names), body=body, now=NOW)


@pytest.mark.parametrize("casing", CASINGS)
@pytest.mark.parametrize("operation", Operation)
@pytest.mark.parametrize("status_code", [200, "200", " 200 ", None, ..., 201])
def test_a_confirmation_is_understood_in_every_spelling_of_its_keys(
    casing: Casing, operation: Operation, status_code: object
) -> None:
    body = envelope(report(reportStatus=operation.wanted), casing=casing, statusCode=status_code, message="Done")
    said = 201 if status_code == 201 else 200
    assert judged(body, operation=operation) == Reply(Verdict.CONFIRMED, 200, said, operation.wanted, "Done")


@pytest.mark.parametrize("named", [REPORT.upper(), f"  {REPORT} ", f"{{{REPORT.upper()}}}", f" {{{REPORT}}}\t"])
@pytest.mark.parametrize("state", ["Paused", "paused", " PAUSED "])
def test_ids_and_states_are_compared_without_case_padding_and_braces(named: str, state: str) -> None:
    reply = judged(envelope(report(reportId=named, reportStatus=state)))
    assert (reply.verdict, reply.report_status) == (Verdict.CONFIRMED, state.strip())


@pytest.mark.parametrize("state", [None, ...])
def test_a_confirmation_may_leave_the_state_out(state: object) -> None:
    assert judged(envelope(report(reportStatus=state))) == Reply(Verdict.CONFIRMED, 200, 200)


def test_the_report_may_stand_among_others_or_outside_a_list() -> None:
    others = report(reportId=OTHER, reportStatus="Active")
    assert judged(envelope(others, report())).verdict is Verdict.CONFIRMED
    assert judged(envelope(value=report())).verdict is Verdict.CONFIRMED
    assert judged(envelope(value=["text", None, report()])).verdict is Verdict.CONFIRMED


GOOD = envelope(report(), message="Rapport mis en pause à côté")


@pytest.mark.parametrize(
    "body",
    [
        GOOD,
        b"\xef\xbb\xbf" + GOOD,
        GOOD.decode().encode("utf-16"),
        b"\xfe\xff" + GOOD.decode().encode("utf-16-be"),
        gzip.compress(GOOD, mtime=0),
        gzip.compress(b"\xef\xbb\xbf" + GOOD, mtime=0),
        gzip.compress(GOOD.decode().encode("utf-16"), mtime=0),
        b"\r\n  " + GOOD + b"\n",
    ],
)
@pytest.mark.parametrize("content_type", [JSON, "text/html", "text/plain; charset=utf-16", "nonsense"])
def test_how_a_body_is_packed_and_what_it_calls_itself_changes_nothing(body: bytes, content_type: str) -> None:
    reply = judged(body, Content_Type=content_type)
    assert reply == Reply(Verdict.CONFIRMED, 200, 200, "Paused", "Rapport mis en pause à côté")


def test_a_stray_latin_1_byte_in_another_field_does_not_spoil_the_reply() -> None:
    body = envelope(report(reportName="caf?")).replace(b"caf?", b"caf\xe9")
    assert judged(body).verdict is Verdict.CONFIRMED


@pytest.mark.parametrize(
    ("body", "excerpt"),
    [
        (b"", "empty"),
        (None, f"larger than {BODY_LIMIT:,} bytes"),
        (HTML, "<!DOCTYPE html> <html><body> Please sign in </body></html>"),
        (gzip.compress(HTML, mtime=0), "<!DOCTYPE html> <html><body> Please sign in </body></html>"),
        (b'{"value":[{"reportId":"0b9c', '{"value":[{"reportId":"0b9c'),
        (gzip.compress(GOOD, mtime=0)[:-30], None),
        (b"\x1f\x8bnot gzip", "\N{REPLACEMENT CHARACTER}not gzip"),
        (b"null", "null"),
        (b"[1]", "[1]"),
        (b'"paused"', '"paused"'),
        (b"  ", ""),
        (b'{"statusCode": NaN}', '{"statusCode": NaN}'),
        (b"[" * 5000, None),
        (gzip.compress(b'{"message":"' + b"x" * 3_000_000 + b'"}', mtime=0), None),
        (b"PAUSED \x1b[2Jwith \x00terminal \xe2\x80\xaetricks", "PAUSED [2Jwith terminal tricks"),
    ],
)
def test_a_success_that_cannot_be_read_is_unreadable_with_an_excerpt(body: bytes | None, excerpt: str | None) -> None:
    reply = judged(body)
    assert (reply.verdict, reply.http_status, reply.status_code) == (Verdict.UNREADABLE, 200, 200)
    assert reply.message is not None
    assert reply.message.startswith("unreadable reply: ")
    assert len(reply.message) <= len("unreadable reply: ") + 200
    if excerpt is not None:
        assert reply.message.removeprefix("unreadable reply: ") == excerpt


@pytest.mark.parametrize("http_status", [201, 202, 204, 206])
def test_other_success_codes_are_held_to_the_same_proof(http_status: int) -> None:
    assert judged(b"", http_status).verdict is Verdict.UNREADABLE
    assert judged(GOOD, http_status).verdict is Verdict.CONFIRMED


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (envelope(report(reportId=OTHER)), "does not name this report"),
        (envelope(), "does not name this report"),
        (envelope(value=None), "does not name this report"),
        (envelope(value=...), "does not name this report"),
        (envelope(value=REPORT), "does not name this report"),
        (envelope(report(reportId=None)), "does not name this report"),
        (envelope(report(reportId=[REPORT])), "does not name this report"),
        (orjson.dumps({}), "does not name this report: {}"),
        (envelope(report(reportStatus="Active")), "says the report is Active, not Paused"),
        (envelope(report(reportStatus="Inactive"), casing=pascal), "says the report is Inactive, not Paused"),
        (envelope(report(reportStatus="")), "says the report is str, not Paused"),
        (envelope(report(reportStatus=2)), "says the report is int, not Paused"),
        (envelope(report(reportStatus=["Paused"])), "says the report is list, not Paused"),
        (envelope(report(), statusCode=300), "HTTP 200 with StatusCode 300"),
        (envelope(report(), statusCode=100), "HTTP 200 with StatusCode 100"),
        *[
            (envelope(report(), statusCode=code), "HTTP 200 with StatusCode unreadable")
            for code in [0, -200, 20, 1000, True, 200.0, "OK", "", "9" * 5000, "2e2", [200], {"code": 200}]
        ],
    ],
)
def test_a_success_that_speaks_of_something_else_is_contradicted(body: bytes, words: str) -> None:
    reply = judged(body)
    assert reply.verdict is Verdict.CONTRADICTED
    assert words in (reply.message or "")


def test_a_resumed_report_that_is_still_paused_is_contradicted() -> None:
    reply = judged(envelope(report()), operation=Operation.RESUME)
    assert reply == Reply(Verdict.CONTRADICTED, 200, 200, "Paused", "the reply says the report is Paused, not Active")


def test_deeply_nested_answers_are_no_confirmation() -> None:
    deep = b"[" * 900 + b"]" * 900
    inside = b'{"value":[{"reportId":"%s","reportStatus":%s}],"statusCode":%s}'
    assert judged(inside % (REPORT.encode(), deep, b"200")).verdict is Verdict.CONTRADICTED
    assert judged(inside % (REPORT.encode(), b'"Paused"', deep)).verdict is Verdict.CONTRADICTED


@pytest.mark.parametrize("casing", CASINGS)
@pytest.mark.parametrize(("code", "verdict"), VERDICTS.items())
def test_a_failure_is_one_wherever_it_is_said(casing: Casing, code: int, verdict: Verdict) -> None:
    expected = Reply(verdict, code, code, message="No")
    said = envelope(report(), casing=casing, statusCode=code, message="No")
    assert judged(said, code) == expected
    assert judged(envelope(casing=casing, statusCode=str(code), message="No"), code) == expected
    assert judged(said) == Reply(verdict, 200, code, message="No")


@pytest.mark.parametrize(("code", "verdict"), VERDICTS.items())
def test_a_success_in_the_envelope_does_not_whiten_a_failed_exchange(code: int, verdict: Verdict) -> None:
    reply = judged(GOOD, code)
    assert (reply.verdict, reply.status_code) == (verdict, code)


@pytest.mark.parametrize(
    ("http_status", "code", "verdict", "status_code"),
    [
        (400, 404, Verdict.NOT_FOUND, 404),
        (400, 500, Verdict.FAULT, 500),
        (400, 403, Verdict.FORBIDDEN, 403),
        (500, 400, Verdict.FAULT, 400),
        (503, 404, Verdict.FAULT, 404),
        (401, 403, Verdict.UNAUTHORISED, 403),
        (500, 429, Verdict.THROTTLED, 429),
        (429, 500, Verdict.THROTTLED, 429),
        (400, 900421, Verdict.REJECTED, 400),
    ],
)
def test_where_the_two_codes_differ_the_one_with_a_meaning_of_its_own_decides(
    http_status: int, code: int, verdict: Verdict, status_code: int
) -> None:
    reply = judged(envelope(statusCode=code, message="No"), http_status)
    assert reply == Reply(verdict, http_status, status_code, message="No")


LIMIT_EXCEEDED = "Rate limit is exceeded. Try again in 57 seconds."


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (envelope(statusCode=429, message=LIMIT_EXCEEDED), LIMIT_EXCEEDED),
        (orjson.dumps({"statusCode": 429, "message": LIMIT_EXCEEDED}), LIMIT_EXCEEDED),
        (orjson.dumps({"code": 4291, "description": "Slow down", "data": [], "source": "FD"}), "4291: Slow down"),
        (
            orjson.dumps({"error": {"code": "Throttled", "message": "Slow down", "target": None}}),
            "Throttled: Slow down",
        ),
        (orjson.dumps({"error": {"code": "Slow", "message": "Slow down"}}), "Slow down"),
        (orjson.dumps({"Error": {"Code": None, "Message": "Slow down"}}), "Slow down"),
        (orjson.dumps({"error": "busy", "error_description": "AADSTS90033: busy"}), "AADSTS90033: busy"),
        (orjson.dumps({"error": "busy"}), "busy"),
        (orjson.dumps({"type": "about:blank", "title": "Too Many Requests"}), "Too Many Requests"),
        (orjson.dumps({"message": {"lang": "en"}, "description": ""}), '{"message":{"lang":"en"},"description":""}'),
        (orjson.dumps({"message": " Two\nlines\x1b[31m "}), "Two lines [31m"),
        (b"<html>\n<h1>429</h1></html>", "<html> <h1>429</h1></html>"),
        (gzip.compress(b"<h1>429</h1>", mtime=0), "<h1>429</h1>"),
        (b"slow down \xff", "slow down \N{REPLACEMENT CHARACTER}"),
        (b"", None),
        (None, "larger than 1,000,000 bytes"),
    ],
)
def test_the_servers_words_are_found_in_every_error_shape(body: bytes | None, message: str | None) -> None:
    reply = judged(body, 429, Retry_After="57")
    assert reply == Reply(Verdict.THROTTLED, 429, 429, message=message, retry_after_s=57.0)


def test_the_code_that_asks_for_a_second_factor_reaches_the_reader() -> None:
    reply = judged(orjson.dumps({"code": 900421, "description": "MFA required"}), 401)
    assert reply == Reply(Verdict.UNAUTHORISED, 401, 401, message="900421: MFA required", halt=NO_MFA)


@pytest.mark.parametrize("http_status", [300, 301, 302, 303, 304, 307, 308, 399])
def test_a_redirect_is_refused_and_says_where_it_led(http_status: int) -> None:
    reply = judged(GOOD, http_status, location="https://login.example/\udce9\r\nX: y")
    message = "redirect to https://login.example/ X: y, not followed"
    assert reply == Reply(Verdict.REJECTED, http_status, http_status, message=message)
    assert judged(b"", http_status).message == "redirect to nowhere, not followed"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("You sent Authorization: Bearer s3cret-token, no", "You sent Authorization: Bearer ****, no"),
        ('{"authorization":"bearer s3cret"}', '{"authorization":"****"}'),
        ("token eyJ0eXAi.eyJhdWQi.c2ln is old", "token **** is old"),
        ("see https://blob/x?sv=1&sig=s3cret%3D&se=2", "see https://blob/x?sv=1&sig=****&se=2"),
        ("x" * (MESSAGE_LIMIT - 8) + "Bearer s3cret", "x" * (MESSAGE_LIMIT - 8) + "Bearer …"),
    ],
)
def test_a_token_or_signature_that_the_far_side_echoes_is_struck_out(text: str, shown: str) -> None:
    assert judged(orjson.dumps({"message": text}), 500).message == shown
    assert "s3cret" not in str([judged(text.encode(), code, Location=text) for code in (200, 302, 400)])


def test_a_long_message_is_cut_at_the_limit_with_a_mark() -> None:
    assert judged(orjson.dumps({"message": "x" * 500}), 500).message == "x" * 500
    assert judged(orjson.dumps({"message": "x" * 501}), 500).message == "x" * 499 + "…"
    assert judged(envelope(report(reportStatus="y" * 10_000))).report_status == "y" * 499 + "…"


STATES = st.sampled_from(["Paused", " paused ", "Active", "", None, ..., True, 2, ["Paused"]])
REPORTS = st.builds(
    lambda named, state: report(reportId=named, reportStatus=state),
    st.sampled_from([REPORT, REPORT.upper(), OTHER, None]),
    STATES,
)
ENVELOPES = st.builds(
    lambda items, casing, code: envelope(*items, casing=casing, statusCode=code),
    st.lists(REPORTS, min_size=1, max_size=2),
    st.sampled_from(CASINGS),
    st.sampled_from([200, " 200 ", None, ...]) | VALUES,
)
PACKED = (
    ENVELOPES | ENVELOPES.map(gzip.compress) | st.builds(lambda body, cut: body[:cut], ENVELOPES, st.integers(0, 300))
)
RAW = st.none() | st.binary() | st.binary().map(lambda tail: b"\x1f\x8b\x08" + tail) | PAYLOADS.map(orjson.dumps)
HEADERS = st.dictionaries(st.sampled_from(["Retry-After", "retry-after-ms", "Date", "location"]), st.text())


def names_this_report_in_the_wanted_state(body: bytes) -> bool:
    """Judged apart from the code under test: one object with this id whose state is absent, null or Paused."""
    text = gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body
    value = {key.strip(): item for key, item in orjson.loads(text.lower()).items()}["value"]
    items = value if isinstance(value, list) else [value]
    reports = [{key.strip(): item for key, item in entry.items()} for entry in items if isinstance(entry, dict)]
    states = [one.get("reportstatus") for one in reports if one.get("reportid") == REPORT]
    return any(state is None or (isinstance(state, str) and state.strip() == "paused") for state in states)


@settings(max_examples=400, deadline=None)
@given(body=PACKED | RAW, http_status=st.sampled_from([200, 200, 202]) | st.integers(100, 999), headers=HEADERS)
def test_no_reply_makes_the_judge_raise_and_only_proof_confirms(
    body: bytes | None, http_status: int, headers: dict[str, str]
) -> None:
    reply = judge(Operation.PAUSE, REPORT, http_status=http_status, headers=CIMultiDict(headers), body=body, now=NOW)
    orjson.dumps([reply.message, reply.report_status, reply.status_code, reply.retry_after_s])
    assert reply.http_status == http_status
    assert 100 <= (reply.status_code or 0) <= 999
    assert all(
        len(text) <= MESSAGE_LIMIT and text.isprintable() for text in (reply.message or "", reply.report_status or "")
    )
    if reply.verdict is Verdict.CONFIRMED:
        assert http_status < 300
        assert body is not None
        assert names_this_report_in_the_wanted_state(body)
