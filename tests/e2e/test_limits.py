"""Limits of the process: what a run does with fewer open files than it has workers."""

from __future__ import annotations

import pytest

from tests.e2e.conftest import MakeOperator
from tests.e2e.driving import NO_COVERAGE

pytestmark = pytest.mark.end_to_end


@pytest.mark.parametrize(("files", "workers"), [(24, 8), (17, 1)])
def test_with_fewer_open_files_than_workers_fewer_work_and_that_is_said(
    an_operator: MakeOperator, files: int, workers: int
) -> None:
    reports = 40 * workers  # over a second: the log is imported in the midst of it
    operator = an_operator("404*1@n=3", reports=reports, latency="30ms", tls=True)
    ran = operator.run(
        "pause",
        operator.source(operator.sandbox.report_ids),
        "--concurrency",
        "100",
        script=f'ulimit -n {files}; exec "$@"',
        env=NO_COVERAGE,
    )
    assert (ran.code, ran.statuses) == (1, {"succeeded": reports - 1, "not_found": 1})
    assert f"at most {workers} in flight instead of 100: this process may have only {files} open files." in ran.stderr
    assert len(ran.puts) == reports
    assert len({put.connection for put in ran.puts}) <= workers
    assert ran.summary["retries"] == 0
    assert ran.summary["failed_csv"] is not None


def test_a_soft_limit_of_open_files_is_raised_without_a_word(an_operator: MakeOperator) -> None:
    operator = an_operator(reports=300, latency="300ms")
    ran = operator.run(
        "pause",
        operator.source(operator.sandbox.report_ids),
        "--concurrency",
        "100",
        script='ulimit -S -n 24; exec "$@"',
        env=NO_COVERAGE,
    )
    assert (ran.code, ran.stderr, ran.statuses) == (0, "", {"succeeded": 300})
    assert len({put.connection for put in ran.puts}) > 24


def test_without_room_for_a_single_connection_nothing_is_begun(an_operator: MakeOperator) -> None:
    operator = an_operator()
    ran = operator.run(
        "pause",
        operator.source(operator.sandbox.report_ids),
        script='ulimit -n 16; exec "$@"',
        env=NO_COVERAGE,
    )
    assert (ran.code, ran.directory, ran.puts) == (78, None, ())
    assert "a run needs 17 open files at least, and this process may have 16." in ran.stderr
