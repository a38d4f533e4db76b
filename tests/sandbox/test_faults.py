"""Which request meets which fault."""

from __future__ import annotations

from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkpause.models import ReportId
from bulkpause.sandbox import parse_fault
from bulkpause.sandbox.faults import Arrival, FaultPlan, Target, percentile
from bulkpause.sandbox.reports import seeded_ids

IDS = list(seeded_ids(1000, seed=1))


def plan(*texts: str, seed: int = 0) -> FaultPlan:
    return FaultPlan([parse_fault(text) for text in texts], seed=seed)


def arrival(
    report_id: ReportId | None = IDS[0], *, number: int = 1, at_s: float = 0.0, target: Target = Target.PAUSE
) -> Arrival:
    return Arrival(target=target, report_id=report_id, number=number, since_first_put_s=at_s)


def fate(plan: FaultPlan, arrival: Arrival) -> str:
    met = plan.next(arrival)
    return "well" if met is None else str(met[1].status if met[1].kind == "status" else met[1].kind.value)


@pytest.mark.parametrize(
    ("rules", "fates"),
    [
        (["500*2"], ["500", "500", "well", "well"]),
        (["500"], ["500", "500", "500", "500"]),
        (["500*1+429*1+drop*1"], ["500", "429", "drop", "well"]),
        (["500*1", "503*1"], ["500", "503", "well", "well"]),
        (["500*1@resume", "lost*1"], ["lost", "well", "well", "well"]),
        ([], ["well", "well", "well", "well"]),
    ],
)
def test_steps_come_in_order_and_the_first_rule_wins(rules: list[str], fates: list[str]) -> None:
    rules_at_work = plan(*rules)
    assert [fate(rules_at_work, arrival(number=n)) for n in range(1, 5)] == fates


def test_each_report_counts_its_own_times() -> None:
    rules = plan("500*1")
    assert [fate(rules, arrival(report_id)) for report_id in (IDS[0], IDS[1], IDS[0], IDS[1])] == [
        "500", "500", "well", "well",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("rule", "hit"),
    [
        ("500@n=3", [3]),
        ("500@n=2..4", [2, 3, 4]),
        ("500@every=4", [4, 8]),
        ("500@every=2,n=3..6", [4, 6]),
        ("500@t=2..4", [3, 4]),
        ("500@t=6", [7, 8]),
    ],
)
def test_requests_are_chosen_by_number_and_by_time(rule: str, hit: list[int]) -> None:
    rules = plan(rule)
    fates = {n: fate(rules, arrival(IDS[n], number=n, at_s=n - 1.0)) for n in range(1, 9)}
    assert [n for n, met in fates.items() if met == "500"] == hit


def test_a_report_is_chosen_by_its_id() -> None:
    rules = plan(f"404@id={IDS[3]}|{IDS[5]}")
    assert [n for n in range(8) if fate(rules, arrival(IDS[n])) == "404"] == [3, 5]


@pytest.mark.parametrize("target", list(Target))
def test_without_a_target_a_rule_is_about_puts(target: Target) -> None:
    expected = "500" if target in {Target.PAUSE, Target.RESUME} else "well"
    assert fate(plan("500"), arrival(None, target=target)) == expected


def test_a_target_without_report_counts_as_one() -> None:
    rules = plan("503*1@token")
    assert [fate(rules, arrival(None, target=Target.TOKEN)) for _ in range(2)] == ["503", "well"]


@pytest.mark.parametrize("percent", [0, 1, 20, 100])
def test_a_share_of_the_reports_is_chosen_and_stays_chosen(percent: int) -> None:
    rules = plan(f"500@{percent}%")
    first = {report_id for report_id in IDS if fate(rules, arrival(report_id)) == "500"}
    again = {report_id for report_id in reversed(IDS) if fate(rules, arrival(report_id)) == "500"}
    assert first == again
    assert len(first) == pytest.approx(10 * percent, abs=40)


def test_a_share_of_the_requests_is_chosen_anew_at_each_attempt() -> None:
    rules = plan("500@~20%")
    rounds = [{i for i in IDS if fate(rules, arrival(i)) == "500"} for _ in range(3)]
    assert all(len(hit) == pytest.approx(200, abs=40) for hit in rounds)
    assert rounds[0] != rounds[1] != rounds[2]


def test_another_seed_chooses_other_reports() -> None:
    chosen = [{i for i in IDS if fate(plan("500@10%", seed=seed), arrival(i)) == "500"} for seed in (1, 2)]
    assert chosen[0] != chosen[1]


def test_two_rules_of_the_same_share_choose_apart() -> None:
    rules = plan("500@20%", "503@20%")
    fates = [fate(rules, arrival(report_id)) for report_id in IDS]
    assert fates.count("503") == pytest.approx(0.8 * 200, abs=40)


@given(st.permutations([i % 10 for i in range(40)]), st.integers(0, 3))
def test_what_a_report_meets_does_not_depend_on_the_others(order: list[int], seed: int) -> None:
    rules, alone = plan("500*2@50%", "429@~30%", seed=seed), plan("500*2@50%", "429@~30%", seed=seed)
    mixed: dict[int, list[str]] = defaultdict(list)
    for i in order:
        mixed[i].append(fate(rules, arrival(IDS[i])))
    assert all([fate(alone, arrival(IDS[i])) for _ in fates] == fates for i, fates in mixed.items())


@given(st.text())
def test_a_percentile_is_stable_and_below_a_hundred(text: str) -> None:
    assert 0 <= percentile(text) < 100
    assert percentile(text) == percentile(text)
