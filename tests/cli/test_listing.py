"""`bulkpause list`: what it shows, what it leaves out, and that it never takes a part for the whole."""

from __future__ import annotations

import csv
import io
from collections import Counter

import pytest

from bulkpause.cli.listing import _counts
from bulkpause.models import Operation
from bulkpause.reports import Listing
from bulkpause.sandbox import Casing
from tests.cli.calling import Cli, Keyboard, Said, Serve

PEOPLE = ("insights@sandbox.example", "ana.reyes@sandbox.example", "li.wei@sandbox.example")


def rows(said: Said) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(said.out)))


def ids(said: Said) -> list[str]:
    return [row["report_id"] for row in rows(said)]


def test_everything_is_listed_in_its_order_and_counted_by_state(cli: Cli, serve: Serve) -> None:
    sandbox = serve(reports=40, paused_percent=30, inactive_percent=20)
    said = cli("list", "--format", "csv")
    assert (said.code, ids(said)) == (0, list(sandbox.report_ids))
    counts = Counter(sandbox.report_statuses.values())
    told = f"{counts['Active']} active, {counts['Inactive']} inactive, {counts['Paused']} paused"
    assert said.err == f"40 reports: {told}.\n"
    assert {row["report_id"]: row["report_status"] for row in rows(said)} == sandbox.report_statuses


@pytest.mark.parametrize("casing", list(Casing))
@pytest.mark.parametrize("next_link", ["absolute", "relative"])
def test_every_page_is_followed(cli: Cli, serve: Serve, casing: Casing, next_link: str) -> None:
    sandbox = serve(reports=10, page_size=3, casing=casing, next_link=next_link)
    said = cli("list", "--format", "csv")
    assert ids(said) == list(sandbox.report_ids)
    assert [entry.operation for entry in sandbox.journal.entries] == ["list"] * 4


def test_a_table_is_for_people(cli: Cli, serve: Serve) -> None:
    sandbox = serve(reports=2, paused_percent=100)
    assert cli("list").out.splitlines() == [
        "Name                        Status  Report id",
        f"Azure usage Nordics daily   Paused  {sandbox.report_ids[0]}",
        f"Seat growth Benelux weekly  Paused  {sandbox.report_ids[1]}",
    ]


def test_a_terminal_gets_colours_and_a_table_that_fits(cli: Cli, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    serve(reports=3)
    screens = Keyboard(), Keyboard()
    for screen, env in zip(screens, ({}, {"NO_COLOR": "1"}), strict=True):
        monkeypatch.setattr("sys.stdout", screen)
        cli("list", env={"COLUMNS": "70", **env})
    coloured, plain = (screen.getvalue() for screen in screens)
    assert "\x1b[32mActive\x1b[0m" in coloured
    assert "\x1b" not in plain
    assert max(map(len, plain.splitlines())) == 70


@pytest.mark.parametrize(
    ("options", "states"),
    [
        (["--report-status", "PAUSED"], {"Paused"}),
        (["--report-status", "paused, Inactive"], {"Paused", "Inactive"}),
        (["--report-status", "paused", "--report-status", "active"], {"Paused", "Active"}),
    ],
)
def test_states_are_chosen_in_any_case_and_several_at_once(
    cli: Cli, serve: Serve, options: list[str], states: set[str]
) -> None:
    sandbox = serve(reports=40, paused_percent=30, inactive_percent=20)
    said = cli("list", "--format", "csv", *options)
    assert ids(said) == [one for one, state in sandbox.report_statuses.items() if state in states]
    assert said.err.startswith(f"{len(ids(said))} of 40 reports: ")


@pytest.mark.parametrize(
    ("option", "value", "why"),
    [
        ("--report-status", "active,pausd", "'pausd' is none of active, paused, inactive"),
        ("--report-status", "", "'' is none of active, paused, inactive"),
        ("--query-id", "7", "not a UUID"),
        ("--format", "xml", "table"),
    ],
)
def test_a_filter_that_means_nothing_is_refused(cli: Cli, option: str, value: str, why: str) -> None:
    said = cli("list", option, value)
    assert (said.code, said.out) == (2, "")
    assert why in said.err


def test_names_are_chosen_by_a_pattern_in_any_case(cli: Cli, serve: Serve) -> None:
    serve(reports=30)
    said = cli("list", "--format", "csv", "--name", "AZURE*DAILY")
    names = [row["name"] for row in rows(said)]
    assert names
    assert all(name.startswith("Azure") and name.endswith("daily") for name in names)
    assert len(names) == sum("Azure" in line and "daily" in line for line in cli("list").out.splitlines())


def test_a_query_is_chosen_by_the_service(cli: Cli, serve: Serve) -> None:
    sandbox = serve(reports=30)
    query = "5eed0000-0000-4000-8000-000000000001"
    said = cli("list", "--format", "csv", "--query-id", query.upper())
    assert ids(said) == list(sandbox.report_ids[10:20])
    assert sandbox.journal.entries[0].path.endswith(f"?queryId={query}")
    assert said.err == "10 reports: 10 active.\n"


@pytest.mark.parametrize("person", PEOPLE)
def test_mine_are_those_of_whom_the_token_names(cli: Cli, serve: Serve, person: str) -> None:
    sandbox = serve(reports=10)
    said = cli("list", "--mine", "--format", "csv", env={"BULKPAUSE_TOKEN": sandbox.issue_token(upn=person.upper())})
    assert {row["user"] for row in rows(said)} == {person}
    assert ids(said) == list(sandbox.report_ids[PEOPLE.index(person) :: 3])


def test_where_nothing_is_mine_it_is_said_who_i_am(cli: Cli, serve: Serve) -> None:
    sandbox = serve()
    said = cli("list", "--mine")
    assert (said.code, said.out) == (0, "")
    assert said.err == f"None of 8 reports passes the filter (--mine is {sandbox.client_id}).\n"


def test_mine_needs_a_token_that_names_somebody(cli: Cli, serve: Serve) -> None:
    sandbox = serve()
    said = cli("list", "--mine", env={"BULKPAUSE_TOKEN": "opaque"})
    assert (said.code, said.out) == (2, "")
    assert said.err == "bulkpause: --mine cannot tell who you are: the token names nobody. List without it.\n"
    assert sandbox.journal.entries == ()


@pytest.mark.parametrize(
    ("form", "out"),
    [("table", ""), ("csv", "report_id,report_status,name,query_id,user,modified_time\n"), ("jsonl", "")],
)
def test_an_empty_list_is_a_success_and_said_on_stderr(cli: Cli, serve: Serve, form: str, out: str) -> None:
    serve(reports=0)
    said = cli("list", "--format", form)
    assert (said.code, said.out) == (0, out)
    assert said.err == "No reports: the tenant has none that this identity can see.\n"


def test_a_query_without_reports_is_named(cli: Cli, serve: Serve) -> None:
    serve()
    query = "00000000-0000-4000-8000-000000000000"
    said = cli("list", "--query-id", query)
    assert (said.code, said.err) == (
        0,
        f"No reports: the tenant has none of query {query} that this identity can see.\n",
    )


def test_the_list_is_as_late_as_the_service(cli: Cli, serve: Serve) -> None:
    sandbox = serve(reports=1, read_lag_s=600.0)
    sandbox.change(sandbox.report_ids[0], Operation.PAUSE)
    assert rows(cli("list", "--format", "csv"))[0]["report_status"] == "Active"


@pytest.mark.parametrize(
    ("fault", "code", "why"),
    [
        ("403", 77, "HTTP 403: User does not have permission to access this report."),
        (
            "429:301",
            75,
            (
                "Try again in 301 seconds; the service asks for a wait of 301 s, longer than retry.retry_after_cap_s "
                "(300 s). Try again later, or allow a longer wait. Nothing is listed"
            ),
        ),
        ("429:none", 75, "after 3 tries: HTTP 429: Rate limit is exceeded"),
        ("500", 69, "after 3 tries: HTTP 500: Internal error"),
        ("400", 69, "HTTP 400: Invalid report parameters"),
        ("404/html", 69, "is api.base_url right?"),
        ("302", 69, "redirect to https://elsewhere.invalid"),
        ("html", 69, "no list of reports: <!DOCTYPE html>"),
        ("cut", 69, "no list of reports"),
        ("drop", 69, "no answer: connection closed before the reply"),
        ("next-loop", 69, "runs in a circle"),
        ("next-foreign", 69, "https://elsewhere.invalid"),
    ],
)
def test_a_list_that_cannot_be_read_to_its_end_is_not_printed(
    cli: Cli, serve: Serve, fault: str, code: int, why: str
) -> None:
    where = "list" if fault == "next-loop" else "list,n=2..99"
    serve(f"{fault}@{where}", reports=8, page_size=3)
    said = cli("list", "--format", "csv")
    assert (said.code, said.out) == (code, "")
    assert why in said.err
    assert said.err.startswith("bulkpause: ")
    assert ". Nothing is listed" in said.err
    assert ".." not in said.err
    assert ".;" not in said.err
    assert said.err.count("\n") == 1


def test_a_token_that_is_refused_is_not_tried_again_and_again(cli: Cli, serve: Serve) -> None:
    sandbox = serve("401@list")
    said = cli("list")
    assert (said.code, said.out) == (77, "")
    assert "the service refused the token from BULKPAUSE_TOKEN" in said.err
    assert len(sandbox.journal.entries) == 1


@pytest.mark.parametrize("fault", ["500*2", "429:0*1", "drop*2", "reset*1", "html*1", "cut*2", "torn*1"])
def test_what_heals_is_waited_for(cli: Cli, serve: Serve, fault: str) -> None:
    sandbox = serve(f"{fault}@list", reports=8, page_size=3)
    said = cli("list", "--format", "csv")
    assert (said.code, ids(said)) == (0, list(sandbox.report_ids))


@pytest.mark.parametrize("fault", ["gzip", "bom", "wrong-type", "text-code", "huge", "slow:0.01"])
def test_odd_clothes_do_not_matter(cli: Cli, serve: Serve, fault: str) -> None:
    sandbox = serve(f"{fault}@list", reports=8)
    assert ids(cli("list", "--format", "csv")) == list(sandbox.report_ids)


def test_a_service_out_of_reach_is_69(cli: Cli) -> None:
    env = {"BULKPAUSE_API__BASE_URL": "http://localhost:9", "BULKPAUSE_TOKEN": "t"}
    said = cli("list", env=env)
    assert (said.code, said.out) == (69, "")
    assert "cannot connect to localhost:9" in said.err
    assert "Check the network, proxy and api.base_url." in said.err


def test_items_that_name_no_report_are_told_of() -> None:
    listing = Listing([], None, requests=1, unreadable=1200)
    assert _counts([], listing, {"query_id": None}, frozenset()).splitlines()[1:] == [
        "1,200 of the items listed name no report id, and are left out."
    ]


def test_the_sandbox_has_a_list_of_its_own(cli: Cli) -> None:
    assert len(ids(cli("list", "--sandbox", "--format", "csv"))) == 59
    said = cli("list", "--sandbox", "--base-url", "http://localhost:9")
    assert (said.code, said.out) == (2, "")
