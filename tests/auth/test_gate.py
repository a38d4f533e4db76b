"""When refusals end a run: fresh tokens refused for several reports in a row, never one odd report."""

from __future__ import annotations

import asyncio

import pytest

from bulkpause.auth import TokenGate
from bulkpause.models import Attempt, Halt, HaltReason, Reply, ReportId, Verdict
from tests.auth.fakes import Desk
from tests.virtual_time import run_virtually

ACCEPTED = [Verdict.CONFIRMED, Verdict.NOT_FOUND, Verdict.FORBIDDEN, Verdict.REJECTED, Verdict.CONTRADICTED]
NEUTRAL = [Verdict.THROTTLED, Verdict.FAULT, Verdict.UNREADABLE, Verdict.UNANSWERED]


@pytest.fixture
def gate() -> TokenGate:
    return TokenGate(Desk().tokens)


def see(gate: TokenGate, story: str, *, message: str | None = None) -> Halt | None:
    """Feed `report:verdict` words; the last observation's answer."""
    halt = None
    for word in story.split():
        report, _, verdict = word.partition(":")
        reply = Reply(Verdict(verdict or "unauthorised"), http_status=401, message=message)
        halt = gate.observe(ReportId(report), Attempt(1, "r", "c", sent=1, elapsed_ms=1.0, reply=reply))
    return halt


@pytest.mark.parametrize(
    ("story", "halts"),
    [
        ("a a b b c c", True),
        ("a b c a b c", True),
        ("a b c d e f g h", False),
        ("a a a a a a a a", False),
        ("a a b b c", False),
        ("a a b b x:confirmed c c", False),
        ("a a b b x:confirmed c c d d e e", True),
        ("a x:confirmed a b b c c", False),
    ],
)
def test_three_reports_refused_again_since_the_last_acceptance_halt_the_run(
    gate: TokenGate, story: str, *, halts: bool
) -> None:
    assert (see(gate, story) is not None) is halts


@pytest.mark.parametrize("verdict", Verdict)
def test_only_a_word_from_the_api_proves_that_the_token_was_taken(gate: TokenGate, verdict: Verdict) -> None:
    halt = see(gate, f"a a b b c x:{verdict} c")
    assert (halt is None) is (verdict in ACCEPTED)
    assert verdict in {*ACCEPTED, *NEUTRAL, Verdict.UNAUTHORISED}


@pytest.mark.parametrize(
    ("story", "tokens", "halts"),
    [
        ("a b c", 3, True),
        ("a b c d e f g h", 1, False),  # all flew with the one token that was stale
        ("a b c", 2, False),
        ("a a b b", 4, False),
        (f"x:{Verdict.FORBIDDEN} a b c", 3, False),
    ],
)
def test_before_anything_was_accepted_three_reports_refused_with_a_token_each_halt_the_run(
    gate: TokenGate, story: str, tokens: int, *, halts: bool
) -> None:
    for number in range(tokens):
        gate.tokens.reject(f"token-{number}")
    assert (see(gate, story) is not None) is halts


def test_the_halt_repeats_the_servers_words_and_says_what_to_check(gate: TokenGate) -> None:
    halt = see(gate, "a a b b c c", message="900421 MFA required")
    assert halt is not None
    assert halt.reason is HaltReason.NOT_AUTHORISED
    assert "refuses fresh tokens too (900421 MFA required); check the tenant" in halt.message


def test_a_halt_without_words_from_the_server_still_reads_well(gate: TokenGate) -> None:
    halt = see(gate, "a a b b c c")
    assert halt is not None
    assert "refuses fresh tokens too; check" in halt.message


@pytest.mark.parametrize(
    ("story", "halts"),
    [
        ("a a", True),
        ("a a b:unanswered", True),
        ("a a b:fault", True),
        ("a a b:confirmed", False),
        ("b:not_found a a", False),
        ("b:unanswered", False),
        ("", False),
    ],
)
def test_a_run_that_ends_with_refusals_and_no_acceptance_was_not_authorised(
    gate: TokenGate, story: str, *, halts: bool
) -> None:
    see(gate, story)
    assert (gate.final() is not None) is halts


def test_the_gate_opens_with_a_token_and_closes_when_it_is_refused() -> None:
    async def pass_twice() -> None:
        desk = Desk()
        gate = TokenGate(desk.tokens)
        assert not gate.is_open()
        await gate.admit()
        assert gate.is_open()
        desk.tokens.reject("token-1")
        assert not gate.is_open()
        await gate.admit()
        assert gate.is_open()

    run_virtually(pass_twice())


def landed(gate: TokenGate, report_id: str, verdict: Verdict) -> None:
    """One attempt that had departed comes back."""
    gate.observe(ReportId(report_id), Attempt(1, "r", "c", sent=1, elapsed_ms=1.0, reply=Reply(verdict)))


@pytest.mark.parametrize(
    ("first", "is_open"),
    [(Verdict.UNAUTHORISED, False), *((verdict, True) for verdict in (*ACCEPTED, *NEUTRAL))],
)
def test_after_a_refusal_at_the_start_one_attempt_at_a_time_tries_a_token(first: Verdict, *, is_open: bool) -> None:
    async def main() -> None:
        gate = TokenGate(Desk().tokens)
        await gate.admit()
        for _ in range(3):
            gate.depart()
        landed(gate, "a", first)
        assert gate.is_open() is is_open
        landed(gate, "b", Verdict.UNANSWERED)
        landed(gate, "c", Verdict.UNANSWERED)
        assert gate.is_open()

    run_virtually(main())


def test_who_waits_for_the_answer_goes_on_with_it_and_a_token_that_is_taken_is_for_all() -> None:
    async def main() -> None:
        gate = TokenGate(Desk().tokens)
        await gate.admit()
        gate.depart()
        gate.depart()
        landed(gate, "a", Verdict.UNAUTHORISED)
        waiting = asyncio.ensure_future(gate.admit())
        await asyncio.sleep(1.0)
        assert not waiting.done()
        landed(gate, "b", Verdict.CONFIRMED)
        await waiting
        gate.depart()
        landed(gate, "c", Verdict.UNAUTHORISED)
        gate.depart()
        assert gate.is_open()

    run_virtually(main())
