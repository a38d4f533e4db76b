"""The Insights endpoints: what they answer, what they do, and what faults make of them."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Any

import orjson
import pytest

from bulkpause.sandbox import Casing, Journal, JournalEntry, Latency, parse_rate_limit
from bulkpause.sandbox.api import BASE_PATH
from bulkpause.sandbox.exchange import Answer, Ending, Request
from tests.sandbox.tenant import ORIGIN, START, Tenant, body

Build = Callable[..., Tenant]
NOBODY = "00000000-0000-4000-8000-000000000000"


def state(tenant: Tenant, report_id: str) -> str:
    states: dict[str, str] = orjson.loads(tenant.send("GET", "/_sandbox/state").body)
    return states[report_id]


def test_a_pause_really_pauses_and_a_resume_undoes_it(tenant: Build) -> None:
    far_side = tenant()
    report_id = far_side.ids[0]
    for operation, status, modified in (
        ("pause", "Paused", "2026-11-22T03:00:00Z"),
        ("resume", "Active", "2026-11-22T03:00:01Z"),
    ):
        answer = far_side.put(report_id, operation)
        item = body(answer)["value"][0]
        assert (answer.status, answer.operation, answer.report_id, answer.effect, answer.changed) == (
            200, operation, report_id, True, True,
        )  # fmt: skip
        assert (item["reportId"], item["reportStatus"], item["modifiedTime"]) == (
            report_id, status, modified,
        )  # fmt: skip
        assert state(far_side, report_id) == status
        assert body(far_side.get(reportId=report_id))["value"][0]["reportStatus"] == status


def test_a_second_pause_is_answered_alike_and_changes_nothing(tenant: Build) -> None:
    far_side = tenant()
    first, second = far_side.put(far_side.ids[0]), far_side.put(far_side.ids[0].upper())
    assert first.body == second.body
    assert (second.effect, second.changed) == (True, False)


@pytest.mark.parametrize(
    ("operation", "report_id", "status", "message"),
    [
        ("pause", NOBODY, 404, "No item found with given filters."),
        ("resume", NOBODY, 404, "No item found with given filters."),
        ("pause", "7", 400, "The value '7' is not valid."),
        ("pause", "%2e%2e", 400, "The value '%2e%2e' is not valid."),
        ("pause", "", 400, "The value '' is not valid."),
        ("pause", f"{NOBODY}/x", 404, "Resource not found"),
        ("delete", NOBODY, 404, "Resource not found"),
    ],
)
def test_what_names_no_report_is_refused(
    tenant: Build, operation: str, report_id: str, status: int, message: str
) -> None:
    answer = tenant().put(report_id, operation)
    assert (answer.status, body(answer)["statusCode"], body(answer)["message"]) == (status, status, message)
    assert not answer.effect


def test_an_inactive_report_is_a_bad_request(tenant: Build) -> None:
    far_side = tenant(inactive_percent=100)
    assert far_side.put(far_side.ids[0]).status == 400


def test_adopted_reports_answer_to_any_id(tenant: Build) -> None:
    far_side = tenant(adopt=True, reports=0)
    assert far_side.put(NOBODY).status == 200
    assert state(far_side, NOBODY) == "Paused"


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
@pytest.mark.parametrize("path", ["/", "/x", f"{BASE_PATH}/ScheduledReport/pause/{NOBODY}", "/_sandbox/nothing", "*"])
def test_what_the_service_does_not_have_is_not_found(tenant: Build, method: str, path: str) -> None:
    assert tenant().send(method, path).status == 404


def test_a_put_without_content_length_is_refused(tenant: Build) -> None:
    far_side = tenant()
    path = f"{BASE_PATH}/ScheduledReport/pause/{far_side.ids[0]}"
    assert far_side.send("PUT", path, headers={"Authorization": f"Bearer {far_side.token}"}).status == 411


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer nonsense"}])
def test_nothing_is_done_without_a_good_token(tenant: Build, headers: dict[str, str]) -> None:
    far_side = tenant()
    path = f"{BASE_PATH}/ScheduledReport/pause/{far_side.ids[0]}"
    answer = far_side.send("PUT", path, headers={"Content-Length": "0", **headers})
    assert (answer.status, answer.effect, body(answer)) == (401, False, {"statusCode": 401, "message": "Unauthorized"})
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert state(far_side, far_side.ids[0]) == "Active"


def test_revocation_by_the_control_endpoint_ends_the_token(tenant: Build) -> None:
    far_side = tenant()
    assert far_side.send("POST", "/_sandbox/revoke").status == 204
    assert far_side.put(far_side.ids[0]).status == 401


def test_request_and_correlation_ids_come_back(tenant: Build) -> None:
    far_side = tenant("500*1")
    for _ in range(2):
        answer = far_side.put(far_side.ids[0], **{"MS-RequestId": "r1", "MS-CorrelationId": "c1"})
        assert (answer.headers["MS-RequestId"], answer.headers["MS-CorrelationId"]) == ("r1", "c1")


def test_the_list_holds_every_report(tenant: Build) -> None:
    far_side = tenant()
    payload = body(far_side.get())
    assert [item["reportId"] for item in payload["value"]] == far_side.ids
    assert (payload["totalCount"], payload["nextLink"], payload["dataRedacted"]) == (20, None, False)


def test_the_list_can_be_filtered(tenant: Build) -> None:
    far_side = tenant()
    chosen = far_side.reports.select()[3]
    both = body(far_side.get(reportId=f"{far_side.ids[3]};{far_side.ids[5].upper()}"))["value"]
    assert [item["reportId"] for item in both] == [far_side.ids[3], far_side.ids[5]]
    assert body(far_side.get(reportName=chosen.name, queryId=chosen.query_id))["totalCount"] == 1


@pytest.mark.parametrize(
    ("query", "status"),
    [({"reportId": NOBODY}, 404), ({"reportName": "none"}, 404), ({"reportId": "7"}, 400), ({"skip": "x"}, 400)],
)
def test_a_list_without_a_match_is_404_and_with_a_wrong_filter_400(
    tenant: Build, query: dict[str, str], status: int
) -> None:
    assert tenant().get(**query).status == status


def test_next_links_lead_through_all_pages_and_keep_the_filter(tenant: Build) -> None:
    far_side = tenant(page_size=3)
    link: str | None = f"{ORIGIN}{BASE_PATH}/ScheduledReport?queryId={far_side.reports.select()[0].query_id}"
    found: list[str] = []
    while link:
        headers = {"Authorization": f"Bearer {far_side.token}"}
        payload = body(far_side.send("GET", link.removeprefix(ORIGIN), headers=headers))
        assert len(payload["value"]) <= 3
        found += [item["reportId"] for item in payload["value"]]
        link = payload["nextLink"]
    assert found == far_side.ids[:10]


def test_next_links_may_be_relative(tenant: Build) -> None:
    link = body(tenant(page_size=3, next_link="relative").get())["nextLink"]
    assert link == f"{BASE_PATH}/ScheduledReport?skip=3"


@pytest.mark.parametrize("casing", list(Casing))
@pytest.mark.parametrize(
    ("fault", "link"),
    [
        ("next-foreign", f"https://elsewhere.invalid{BASE_PATH}/ScheduledReport"),
        ("next-foreign:http://localhost:1/x", "http://localhost:1/x"),
        ("next-loop", f"{BASE_PATH}/ScheduledReport"),
    ],
)
def test_next_links_can_go_astray(tenant: Build, fault: str, link: str, casing: Casing) -> None:
    payload = orjson.loads(tenant(f"{fault}@list", casing=casing).get().body)
    assert {key.lower(): value for key, value in payload.items()}["nextlink"] == link


def test_three_people_share_the_reports(tenant: Build) -> None:
    users = [item["user"] for item in body(tenant().get())["value"]]
    assert len(set(users)) == 3
    assert users[:3] == users[3:6]


def test_a_colleague_changes_a_report_without_a_trace_in_the_journal(tenant: Build) -> None:
    far_side = tenant("500", rate_limit=parse_rate_limit("1/s"))
    path = f"/_sandbox/pause/{far_side.ids[0].upper()}"
    answer = far_side.send("POST", path)
    assert (answer.status, answer.journaled) == (204, False)
    item = body(far_side.get(reportId=far_side.ids[0]))["value"][0]
    assert (item["reportStatus"], item["modifiedTime"]) == ("Paused", "2026-11-22T03:00:00Z")
    assert far_side.send("POST", path).status == 204
    assert far_side.send("POST", path.replace("pause", "resume")).status == 204
    assert state(far_side, far_side.ids[0]) == "Active"


@pytest.mark.parametrize("path", [f"pause/{NOBODY}", "resume/7", f"delete/{NOBODY}", "pause"])
def test_a_colleague_can_change_only_what_there_is(tenant: Build, path: str) -> None:
    assert tenant().send("POST", f"/_sandbox/{path}").status == 404
    far_side = tenant(inactive_percent=100)
    assert far_side.send("POST", f"/_sandbox/pause/{far_side.ids[0]}").status == 404


def test_a_late_list_shows_what_was(tenant: Build) -> None:
    far_side = tenant(read_lag_s=2.0)
    seen = []
    for operation in ("pause", "resume", None, None, None):
        if operation is not None:
            assert far_side.put(far_side.ids[0], operation).status == 200
        far_side.now_s += 1.0
        seen.append(body(far_side.get(reportId=far_side.ids[0]))["value"][0]["reportStatus"])
    assert seen == ["Active", "Paused", "Active", "Active", "Active"]
    assert state(far_side, far_side.ids[0]) == "Active"


@pytest.mark.parametrize(
    ("casing", "value", "status_code", "report_id", "code"),
    [
        (Casing.CAMEL, "value", "statusCode", "reportId", "recurrenceCount"),
        (Casing.PASCAL, "Value", "StatusCode", "ReportId", "RecurrenceCount"),
        (Casing.MIXED, "Value", "StatusCode", "reportId", " RecurrenceCount"),
    ],
)
def test_the_envelope_comes_in_every_published_casing(
    tenant: Build, casing: Casing, value: str, status_code: str, report_id: str, code: str
) -> None:
    far_side = tenant(casing=casing)
    payload = body(far_side.put(far_side.ids[0]))
    assert payload[status_code] == 200
    assert payload[value][0][report_id] == far_side.ids[0]
    assert code in payload[value][0]


def test_the_limit_answers_in_the_gateways_words(tenant: Build) -> None:
    far_side = tenant(rate_limit=parse_rate_limit("2/min:headers"))
    answers = [far_side.put(far_side.ids[0]) for _ in range(2)]
    far_side.now_s = 2.6
    refused = far_side.put(far_side.ids[1])
    assert [answer.headers["X-RateLimit-Remaining"] for answer in answers] == ["1", "0"]
    assert (refused.status, refused.effect, refused.headers["Retry-After"]) == (429, False, "58")
    assert body(refused) == {"statusCode": 429, "message": "Rate limit is exceeded. Try again in 58 seconds."}
    far_side.now_s = 60.0
    assert far_side.put(far_side.ids[1]).status == 200


def test_a_limit_without_headers_keeps_them_back(tenant: Build) -> None:
    far_side = tenant(rate_limit=parse_rate_limit("2/s:token-bucket"))
    assert not [name for name in far_side.put(far_side.ids[0]).headers if name.startswith("X-RateLimit")]


@pytest.mark.parametrize(
    ("form", "header", "words"),
    [
        ("ceil", "1", "in 1 seconds."),
        ("decimal", "0.35", "in 0.35 seconds."),
        ("date", "Sun, 22 Nov 2026 03:00:01 GMT", "in a moment."),
        ("none", None, "in a moment."),
    ],
)
def test_a_refusal_names_its_wait_as_told(tenant: Build, form: str, header: str | None, words: str) -> None:
    far_side = tenant(rate_limit=parse_rate_limit(f"1/s:retry-after={form}"))
    far_side.put(far_side.ids[0])
    far_side.now_s = 0.65
    refused = far_side.put(far_side.ids[0])
    assert refused.headers.get("Retry-After") == header
    assert body(refused)["message"] == f"Rate limit is exceeded. Try again {words}"


def test_a_refusal_comes_in_the_envelope_if_told(tenant: Build) -> None:
    far_side = tenant(rate_limit=parse_rate_limit("1/s:body=envelope"))
    refused = [far_side.put(far_side.ids[0]) for _ in range(2)][1]
    assert (body(refused)["statusCode"], body(refused)["value"]) == (429, [])


def test_a_window_of_wall_time_ends_with_the_minute(tenant: Build) -> None:
    far_side = tenant(rate_limit=parse_rate_limit("1/min:epoch=wall"))
    far_side.now_s = 45.0
    assert [far_side.put(far_side.ids[0]).headers.get("Retry-After") for _ in range(2)] == [None, "15"]


def test_the_headers_name_the_limit_that_holds_now(tenant: Build) -> None:
    far_side = tenant(rate_limit=parse_rate_limit("9/s:headers:drop=4@10..20"))
    limits = []
    for far_side.now_s in (0.0, 10.0, 20.0):
        limits.append(far_side.put(far_side.ids[0]).headers["X-RateLimit-Limit"])
    assert limits == ["9", "4", "9"]


def test_latency_holds_replies_back_and_slow_adds_to_it(tenant: Build) -> None:
    far_side = tenant("slow:2*1", latency=Latency(0.5, 0.5))
    assert [far_side.put(far_side.ids[0]).delay_s for _ in range(2)] == [2.5, 0.5]


# What each fault tells the client, and whether the report was paused.
@pytest.mark.parametrize(
    ("fault", "status", "outcome", "paused"),
    [
        ("500", 500, 500, False),
        ("403", 403, 403, False),
        ("599", 599, 599, False),
        ("drop", 200, "dropped", False),
        ("reset", 200, "reset", False),
        ("hang", 200, "hung", False),
        ("lost", 200, "lost", True),
        ("torn", 200, "torn", True),
        ("close", 200, 200, True),
        ("slow:1", 200, 200, True),
        ("html", 200, 200, False),
        ("empty", 200, 200, True),
        ("cut", 200, 200, True),
        ("huge", 200, 200, True),
        ("gzip", 200, 200, True),
        ("bom", 200, 200, True),
        ("wrong-type", 200, 200, True),
        ("text-code", 200, 200, True),
        ("lie-active", 200, 200, False),
        ("lie-done", 200, 200, False),
        ("lie-other", 200, 200, False),
        ("lie-status", 200, 200, False),
    ],
)
def test_a_fault_decides_what_is_said_and_what_is_done(
    tenant: Build, fault: str, status: int, outcome: int | str, *, paused: bool
) -> None:
    far_side = tenant(f"{fault}*1")
    answer = far_side.put(far_side.ids[0])
    assert (answer.status, answer.outcome, answer.fault) == (status, outcome, f"{fault}*1")
    assert (answer.effect, answer.changed) == (paused, paused)
    assert state(far_side, far_side.ids[0]) == ("Paused" if paused else "Active")
    assert far_side.put(far_side.ids[0]).fault is None


def spoilt(tenant: Build, fault: str, **settings: Any) -> tuple[Answer, Tenant]:
    far_side = tenant(fault, **settings)
    return far_side.put(far_side.ids[0]), far_side


@pytest.mark.parametrize("casing", list(Casing))
def test_lies_are_well_formed(tenant: Build, casing: Casing) -> None:
    def told(fault: str) -> dict[str, Any]:
        lowered: dict[str, Any] = orjson.loads(spoilt(tenant, fault, casing=casing)[0].body.lower())
        return lowered

    ids = tenant().ids
    active, other, code = told("lie-active"), told("lie-other"), told("lie-status:404")
    assert (active["value"][0]["reportid"], active["value"][0]["reportstatus"]) == (ids[0], "active")
    assert other["value"][0]["reportid"] not in ids
    assert other["value"][0]["reportstatus"] == "paused"
    assert (code["value"], code["statuscode"], code["message"]) == ([], 404, "no item found with given filters.")


def test_a_lie_can_look_like_any_confirmation(tenant: Build) -> None:
    lied, _ = spoilt(tenant, "lie-done")
    true, _ = spoilt(tenant, "500@resume")
    told, meant = body(lied)["value"][0], body(true)["value"][0]
    assert told == {**meant, "modifiedTime": None}


def test_a_lie_about_a_resume_says_still_paused(tenant: Build) -> None:
    far_side = tenant("lie-active@resume")
    assert body(far_side.put(far_side.ids[0], "resume"))["value"][0]["reportStatus"] == "Paused"


def test_no_lie_is_told_about_a_report_that_does_not_exist(tenant: Build) -> None:
    assert tenant("lie-active").put(NOBODY).status == 404


def test_bodies_are_spoilt_as_named(tenant: Build) -> None:
    clean = spoilt(tenant, "500@resume")[0].body
    by_fault = {
        name: spoilt(tenant, name)[0] for name in ("gzip", "bom", "cut", "empty", "huge", "wrong-type", "text-code")
    }
    assert gzip.decompress(by_fault["gzip"].body) == clean
    assert by_fault["gzip"].headers["Content-Encoding"] == "gzip"
    assert by_fault["bom"].body == b"\xef\xbb\xbf" + clean
    assert clean.startswith(by_fault["cut"].body)
    with pytest.raises(orjson.JSONDecodeError):
        orjson.loads(by_fault["cut"].body)
    assert by_fault["empty"].body == b""
    assert len(by_fault["huge"].body) > 1_048_576
    assert body(by_fault["huge"])["statusCode"] == 200
    assert by_fault["wrong-type"].headers["Content-Type"] == "text/plain"
    assert body(by_fault["text-code"])["statusCode"] == "200"


@pytest.mark.parametrize(
    ("fault", "payload"),
    [
        ("502/gateway", {"statusCode": 502, "message": "Bad Gateway"}),
        (
            "500/partner",
            {
                "code": 5001,
                "description": "Internal error encountered while processing the report.",
                "data": [],
                "source": "PartnerFD",
            },
        ),
        (
            "503/api",
            {
                "error": {
                    "code": "ServiceUnavailable",
                    "message": "Service unavailable",
                    "target": None,
                    "innerError": None,
                }
            },
        ),
        (
            "404/envelope",
            {
                "value": [],
                "nextLink": None,
                "totalCount": 0,
                "message": "No item found with given filters.",
                "statusCode": 404,
                "dataRedacted": False,
            },
        ),
        ("460/gateway", {"statusCode": 460, "message": "Status 460"}),
    ],
)
def test_an_error_comes_in_every_documented_shape(tenant: Build, fault: str, payload: dict[str, Any]) -> None:
    assert body(spoilt(tenant, fault)[0]) == payload


def test_an_error_may_be_a_web_page_or_nothing(tenant: Build) -> None:
    page, nothing = spoilt(tenant, "504/html")[0], spoilt(tenant, "500/empty")[0]
    assert page.headers["Content-Type"].startswith("text/html")
    assert b"<title>504 Gateway Timeout</title>" in page.body
    assert nothing.body == b""


@pytest.mark.parametrize(
    ("fault", "headers"),
    [
        ("429", {"Retry-After": "1"}),
        ("429:2", {"Retry-After": "2"}),
        ("503:2.5", {"Retry-After": "2.5"}),
        ("429:ms=1500", {"retry-after-ms": "1500"}),
        ("429:x-ms=1500", {"x-ms-retry-after-ms": "1500"}),
        ("429:raw=soon", {"Retry-After": "soon"}),
        ("429:none", {}),
        ("503", {}),
        ("307", {"Location": f"https://elsewhere.invalid{BASE_PATH}/ScheduledReport/pause/@"}),
        ("308:https://other.example/x", {"Location": "https://other.example/x"}),
    ],
)
def test_retry_after_and_location_come_in_the_form_asked_for(
    tenant: Build, fault: str, headers: dict[str, str]
) -> None:
    answer, far_side = spoilt(tenant, fault)
    expected = {name: value.replace("@", far_side.ids[0]) for name, value in headers.items()}
    assert {name: value for name, value in answer.headers.items() if name != "Content-Type"} == expected


def test_a_dated_retry_after_never_ends_early(tenant: Build) -> None:
    far_side = tenant("429:date=3")
    far_side.now_s = 0.4
    promised = parsedate_to_datetime(far_side.put(far_side.ids[0]).headers["Retry-After"])
    assert (promised - START).total_seconds() == 4


def test_the_text_of_a_429_names_the_wait(tenant: Build) -> None:
    assert body(spoilt(tenant, "429:57")[0])["message"] == "Rate limit is exceeded. Try again in 57 seconds."


def test_a_revoking_fault_refuses_this_token_for_good(tenant: Build) -> None:
    far_side = tenant("revoke@n=2")
    assert [far_side.put(report_id).status for report_id in far_side.ids[:4]] == [200, 401, 401, 401]
    far_side.token = body(far_side.ask_token())["access_token"]
    assert far_side.put(far_side.ids[0]).status == 200


def test_puts_are_numbered_whatever_becomes_of_them_and_lists_apart(tenant: Build) -> None:
    far_side = tenant("500@n=4", "503@list,n=1")
    far_side.put("7")
    assert far_side.get().status == 503
    far_side.put(NOBODY)
    far_side.put(far_side.ids[0], Authorization="none")
    assert far_side.put(far_side.ids[0]).status == 500


def test_a_time_window_is_counted_from_the_first_put(tenant: Build) -> None:
    far_side = tenant("500@t=1..2")
    far_side.now_s = 100.0
    statuses = []
    for far_side.now_s in (100.0, 101.0, 101.9, 102.0):
        statuses.append(far_side.put(far_side.ids[0]).status)
    assert statuses == [200, 500, 500, 200]


@pytest.mark.parametrize(
    ("method", "target", "operation", "report_id"),
    [
        ("PUT", f"{BASE_PATH}/ScheduledReport/pause/{NOBODY}?x=1", "pause", NOBODY),
        ("GET", "/x/v2.0/.well-known/openid-configuration", "discovery", None),
        ("GET", "/", None, None),
    ],
)
def test_a_request_on_a_doomed_connection_is_named_and_not_carried_out(
    tenant: Build, method: str, target: str, operation: str | None, report_id: str | None
) -> None:
    far_side = tenant(adopt=True)
    answer = far_side.api.lose(Request(method=method, target=target, headers={}, now_s=0.0, at=START))
    assert (answer.ending, answer.operation, answer.report_id, answer.effect) == (
        Ending.DROP, operation, report_id, False,
    )  # fmt: skip


def test_the_journal_is_served_as_json_lines_and_control_requests_are_not_in_it(tenant: Build) -> None:
    far_side = tenant()
    with far_side.journal as journal:
        journal.record(entry(1))
    answer = far_side.send("GET", "/_sandbox/journal")
    assert [orjson.loads(line)["seq"] for line in answer.body.splitlines()] == [1]
    assert not answer.journaled


def entry(seq: int, operation: str | None = "pause") -> JournalEntry:
    return JournalEntry(
        seq=seq,
        at="2026-11-22T03:00:00.000000+00:00",
        at_s=1.0,
        method="PUT",
        path="/",
        operation=operation,
        report_id=None,
        request_id=None,
        correlation_id=None,
        status="lost",
        effect=True,
        changed=True,
        fault=None,
        delay_ms=0.0,
        token=None,
        connection=1,
    )


def test_a_journal_file_holds_each_line_at_once_and_keeps_what_was_there(tmp_path: Any) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_bytes(b'{"seq":0}\n')
    with Journal(path) as journal:
        journal.record(entry(journal.next_seq))
        assert len(path.read_bytes().splitlines()) == 2
        journal.record(entry(journal.next_seq, operation="token"))
    assert path.read_bytes() == b'{"seq":0}\n' + journal.to_json_lines()
    assert [line.seq for line in journal.entries] == [1, 2]
    assert [line.seq for line in journal.puts] == [1]


@pytest.mark.parametrize(("fault", "status"), [("echo", 500), ("echo:400", 400), ("echo:503=s1g~n", 503)])
def test_an_echo_repeats_token_and_link_and_does_nothing(tenant: Build, fault: str, status: int) -> None:
    far_side = tenant(f"{fault}*1", f"{fault}*1@list", reports=1)
    for answer in (far_side.put(far_side.ids[0]), far_side.get()):
        assert (answer.status, answer.effect) == (status, False)
        message = body(answer)["message"]
        assert f"Authorization: Bearer {far_side.token};" in message
        assert message.endswith(f"once more: {far_side.token}")
        assert f"&sig={fault.partition('=')[2]}&" in message
        assert answer.headers["X-Echo"] == f"Bearer {far_side.token}"
    assert far_side.put(far_side.ids[0]).status == 200


def test_an_echo_of_the_sign_in_repeats_the_form(tenant: Build) -> None:
    far_side = tenant("echo:400*1@token")
    answer = far_side.ask_token(client_secret="planted")
    assert (answer.status, body(answer)["error"]) == (400, "invalid_client")
    assert "client_secret=planted" in body(answer)["error_description"]


def test_a_token_of_others_is_taken_once_it_is_adopted(tenant: Build) -> None:
    far_side = tenant(reports=1)
    far_side.token = "opaque"
    assert far_side.put(far_side.ids[0]).status == 401
    far_side.tokens.adopt("opaque", now_s=START.timestamp())
    assert far_side.put(far_side.ids[0]).status == 200
    assert far_side.tokens.all[-1] == "opaque"
