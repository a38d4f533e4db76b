"""What a page of the list means: every spelling is read, and nothing that failed passes for a list."""

from __future__ import annotations

import gzip
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from bulkpause.models import Page, Reply, Report, ReportId, Verdict
from bulkpause.replies.pages import judge_page
from tests.envelopes import CASINGS, HTML, JSON, NOW, OTHER, PAYLOADS, REPORT, Casing, envelope, report

LISTED = report(
    queryId="6fd7624b-aa9f-42df-a61d-67d42fd00e92",
    user="ann@contoso.example",
    modifiedTime="2026-03-01T10:00:00Z",
)
READ = Report(
    REPORT,
    report_status="Paused",
    name="Über",
    query_id="6fd7624b-aa9f-42df-a61d-67d42fd00e92",
    user="ann@contoso.example",
    modified_time="2026-03-01T10:00:00Z",
)


def judged(body: bytes | None, http_status: int = 200, **headers: str) -> Page:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return judge_page(http_status=http_status, headers=CIMultiDict(names), body=body, now=NOW)


@pytest.mark.parametrize("casing", CASINGS)
@pytest.mark.parametrize("status_code", [200, "200", None, ...])
def test_a_page_is_read_in_every_spelling_of_its_keys(casing: Casing, status_code: object) -> None:
    body = envelope(LISTED, report(reportId=OTHER), casing=casing, statusCode=status_code, nextLink="?skip=2")
    page = judged(body)
    assert page.reply == Reply(Verdict.CONFIRMED, 200, 200)
    assert page.reports == (READ, Report(ReportId(OTHER), "Paused", "Über"))
    assert (page.next_link, page.unreadable) == ("?skip=2", 0)


GOOD = envelope(LISTED)


@pytest.mark.parametrize(
    "body",
    [GOOD, b"\xef\xbb\xbf" + GOOD, GOOD.decode().encode("utf-16"), gzip.compress(GOOD, mtime=0), b"\r\n " + GOOD],
)
@pytest.mark.parametrize("content_type", [JSON, "text/html"])
def test_how_a_page_is_packed_and_what_it_calls_itself_changes_nothing(body: bytes, content_type: str) -> None:
    assert judged(body, Content_Type=content_type).reports == (READ,)


def test_a_compressed_page_may_unfold_far_beyond_the_limit_for_one_report() -> None:
    body = gzip.compress(envelope(report(description="x" * 3_000_000)), mtime=0)
    assert len(judged(body).reports) == 1


@pytest.mark.parametrize("state", ["Active", "Paused", "Inactive"])
@pytest.mark.parametrize("spelt", [str, str.upper, str.lower, " {}\t".format])
def test_the_states_known_are_spelt_as_the_api_does(state: str, spelt: Any) -> None:
    assert judged(envelope(report(reportStatus=spelt(state)))).reports[0].report_status == state


@pytest.mark.parametrize(
    ("state", "read"),
    [
        ("Deleting", "Deleting"),
        (" deLeting ", "deLeting"),
        ("De\r\nleting\x1b", "De leting"),
        ("x" * 500, "x" * 500),
        ("x" * 501, "x" * 499 + "…"),
        (None, None),
        (..., None),
        (7, "7"),
        ([], None),
    ],
)
def test_a_state_not_known_is_kept_in_its_own_plain_words(state: object, read: str | None) -> None:
    assert judged(envelope(report(reportStatus=state))).reports[0].report_status == read


def test_a_user_may_be_a_number() -> None:
    assert judged(envelope(report(user=144115188075855872))).reports[0].user == "144115188075855872"


@pytest.mark.parametrize("named", [REPORT.upper(), f" {REPORT} ", f"{{{REPORT.upper()}}}"])
def test_ids_are_made_canonical(named: str) -> None:
    assert judged(envelope(report(reportId=named))).reports[0].report_id == REPORT


def test_items_without_a_report_id_are_counted() -> None:
    items = [
        "text",
        None,
        7,
        {},
        report(reportId=None),
        report(reportId="x/../y"),
        report(reportId=f"{REPORT};"),
        LISTED,
    ]
    page = judged(envelope(value=items))
    assert (page.reports, page.unreadable) == ((READ,), 7)


def test_a_single_report_may_stand_outside_a_list() -> None:
    assert judged(envelope(value=LISTED)).reports == (READ,)


def test_a_page_may_be_empty() -> None:
    assert judged(envelope()) == Page(Reply(Verdict.CONFIRMED, 200, 200))


@pytest.mark.parametrize("link", [None, ..., "", "  "])
def test_a_page_without_a_link_is_the_last(link: object) -> None:
    assert judged(envelope(nextLink=link)).next_link is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        HTML,
        GOOD[:-1],
        envelope(value=None),
        envelope(value=...),
        envelope(value="text"),
        envelope(LISTED, statusCode="soon"),
        envelope(LISTED, statusCode=302),
        envelope(LISTED, nextLink=7),
    ],
)
def test_a_200_without_a_list_that_can_be_trusted_is_unreadable_and_holds_nothing(body: bytes) -> None:
    page = judged(body)
    assert page.reply.verdict is Verdict.UNREADABLE
    assert page.reply.message
    assert page == Page(page.reply)


@pytest.mark.parametrize(
    ("http_status", "verdict"),
    [
        (400, Verdict.REJECTED),
        (401, Verdict.UNAUTHORISED),
        (403, Verdict.FORBIDDEN),
        (404, Verdict.NOT_FOUND),
        (429, Verdict.THROTTLED),
        (500, Verdict.FAULT),
        (503, Verdict.FAULT),
    ],
)
@pytest.mark.parametrize("under_200", [False, True])
def test_an_error_is_one_by_its_http_code_or_by_its_envelope(
    http_status: int, verdict: Verdict, under_200: bool
) -> None:
    body = envelope(LISTED, statusCode=http_status, message="No item found with given filters.", nextLink="?skip=1")
    page = judged(body, 200 if under_200 else http_status, Retry_After="7")
    assert page.reply[:3] == (verdict, 200 if under_200 else http_status, http_status)
    assert (page.reply.retry_after_s, page.reply.message) == (7.0, "No item found with given filters.")
    assert page == Page(page.reply)


@pytest.mark.parametrize("body", [HTML, b"", b'{"statusCode":404,"message":"Resource not found"}'])
def test_a_404_from_where_there_is_no_api_does_not_mean_that_there_are_no_reports(body: bytes) -> None:
    reply = judged(body, 404).reply
    assert reply.verdict is Verdict.REJECTED
    assert "is api.base_url right?" in str(reply.message)


def test_a_page_over_the_limit_is_refused() -> None:
    assert judged(None) == Page(Reply(Verdict.REJECTED, 200, 200, message="larger than 512 MiB"))


def test_a_redirect_is_refused_and_says_where_it_led() -> None:
    reply = judged(GOOD, 302, location="https://login.example/").reply
    assert reply.verdict is Verdict.REJECTED
    assert reply.message == "redirect to https://login.example/, not followed"


@given(payload=PAYLOADS, http_status=st.sampled_from([200, 204, 302, 404, 500]))
def test_any_json_is_a_page_and_only_a_confirmed_one_holds_reports(payload: Any, http_status: int) -> None:
    page = judged(orjson.dumps(payload), http_status)
    assert not page.reports or page.reply.verdict is Verdict.CONFIRMED
    assert page.next_link is None or page.reply.verdict is Verdict.CONFIRMED
