"""Guards: what they are called, what they count, and when they have had enough."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkpause.guards import ENOUGH, Guard, Guards, Side, parse_guard
from bulkpause.models import Outcome, Status

ENDINGS = {
    "+": (Status.SUCCEEDED, 200),
    "=": (Status.UNCHANGED, 200),
    "d": (Status.DENIED, 403),
    "n": (Status.NOT_FOUND, 404),
    "r": (Status.REJECTED, 400),
    "x": (Status.EXHAUSTED, 500),
    "u": (Status.UNKNOWN, None),
}


def ended(kind: str) -> Outcome:
    """An outcome of one letter: + good, d denied, n not found, r rejected, x exhausted, u unknown."""
    status, code = ENDINGS[kind]
    return Outcome(status, row=1, status_code=code, tries=1, sent=1)


def halts_at(guards: str, story: Iterable[str]) -> tuple[int, str] | None:
    """After how many outcomes of the story the guards have had enough, and their words."""
    watching = Guards([parse_guard(text) for text in guards.split(", ")])
    for number, kind in enumerate(story, 1):
        if (words := watching.add(ended(kind))) is not None:
            return number, words
    return None


@pytest.mark.parametrize(
    ("text", "guard"),
    [
        ("failed>5", Guard(what="failed", most=5)),
        ("failed>0", Guard(what="failed", most=0)),
        ("failed>2%", Guard(what="failed", most=2, is_percent=True)),
        ("FAILED > 0.5 %", Guard(what="failed", most=0.5, is_percent=True)),
        ("failed>10% of last 200", Guard(what="failed", most=10, is_percent=True, side=Side.LAST, span=200)),
        ("failed>10%of the last 200", Guard(what="failed", most=10, is_percent=True, side=Side.LAST, span=200)),
        ("denied>4 of first 5", Guard(what="denied", most=4, side=Side.FIRST, span=5)),
        ("consecutive>20", Guard(what="consecutive", most=20)),
        (" not_found > 7 ", Guard(what="not_found", most=7)),
        ("unknown>0", Guard(what="unknown", most=0)),
        ("none>3", Guard(what="none", most=3)),
        ("403>3", Guard(what="403", most=3)),
        ("900421>3", Guard(what="900421", most=3)),
    ],
)
def test_a_guard_is_read_as_it_is_typed(text: str, guard: Guard) -> None:
    assert parse_guard(text) == guard


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("failed", "there is no > in it"),
        ("failed<5", "there is no > in it"),
        ("none", "there is no > in it"),
        ("", "there is no > in it"),
        ("fialed>5", "'fialed' is no status code and none of failed, consecutive, not_found, denied, rejected,"),
        ("succeeded>5", "'succeeded' is no status code and none of"),
        ("skipped>5", "'skipped' is no status code and none of"),
        ("40>5", "'40' is no status code"),
        ("\u0664\u0660\u0663>5", "is no status code"),
        (">5", "'' is no status code"),
        ("failed>", "'' is no number or percentage"),
        ("failed>=5", "'=5' is no number or percentage"),
        ("failed>-5", "'-5' is no number or percentage"),
        ("failed>five", "'five' is no number or percentage"),
        ("failed>2.5", "2.5 is no whole number"),
        ("failed>100%", "there is never more than 100%"),
        ("failed>10% of 200", "'of 200' is neither 'of last N' nor 'of first N'"),
        ("failed>10% in 5 min", "'in 5 min' is neither"),
        ("failed>10% of last 0", "0 is not between 1 and 100000"),
        ("failed>10% of last 100001", "100001 is not between 1 and 100000"),
        ("failed>5 of last 5", "there are never more than 5 of 5"),
        ("consecutive>20%", "consecutive takes a number alone"),
        ("consecutive>2 of last 5", "consecutive takes a number alone"),
    ],
)
def test_what_is_no_guard_is_refused_with_the_part_that_is_not_understood_and_the_forms(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=r"; write failed>5, failed>2%, .*403>3$") as caught:
        parse_guard(text)
    assert str(caught.value).startswith(f"{text!r}: ")
    assert why in str(caught.value)


guards = st.builds(
    Guard,
    what=st.sampled_from(["failed", "denied", "unknown", "none", "403"]),
    most=st.integers(0, 99).map(float),
    is_percent=st.booleans(),
    side=st.sampled_from(Side),
    span=st.integers(100, 1000),
)


@given(guards)
def test_a_guard_is_written_as_it_is_read(guard: Guard) -> None:
    assert parse_guard(str(guard)) == guard


@pytest.mark.parametrize(
    ("guard", "story", "at", "words"),
    [
        ("failed>2", "d+n++=xd", 7, "3 failed, more than the 2 that the guard 'failed>2' allows"),
        ("failed>0", "++u", 3, "1 failed, more than the 0 that the guard 'failed>0' allows"),
        ("unknown>0", "dnxu", 4, "1 ended unknown, more than the 0 that the guard 'unknown>0' allows"),
        ("403>1", "dnd", 3, "2 ended with 403, more than the 1 that the guard '403>1' allows"),
        ("none>0", "dnxu", 4, "1 ended without an answer, more than the 0 that the guard 'none>0' allows"),
        ("consecutive>2", "dd+dnx", 6, "3 in a row failed, more than the 2 that the guard 'consecutive>2' allows"),
        ("denied>2 of first 3", "ddd", 3, "3 of the first 3 ended denied, more than the 2 that"),
        ("failed>50% of last 4", "++d+dd", 6, "3 of the last 4 failed, more than the 50% that"),
        ("failed>2 of last 4", "ddd", 3, "3 of the last 3 failed, more than the 2 that"),
    ],
)
def test_a_guard_halts_with_the_first_outcome_that_is_too_much_and_says_so(
    guard: str, story: str, at: int, words: str
) -> None:
    found = halts_at(guard, story)
    assert found is not None
    assert found[0] == at
    assert found[1].startswith(words)


@pytest.mark.parametrize(
    ("guard", "story"),
    [
        ("failed>3", "dnx" + "+=" * 50),
        ("unknown>0", "dnxr"),
        ("consecutive>2", "dd+" * 50),
        ("denied>2 of first 3", "dd+" + "d" * 50),
        ("denied>2 of first 3", "nnn" + "d" * 50),
        ("failed>2 of last 4", "dd++" * 50),
        ("failed>50% of last 4", "dd++" * 50),
    ],
)
def test_a_guard_lets_pass_what_it_allows(guard: str, story: str) -> None:
    assert halts_at(guard, story) is None


def test_a_percentage_of_all_is_not_judged_before_enough_have_ended() -> None:
    found = halts_at("failed>2%", "d" * 100)
    assert found == (ENOUGH, "20 of 20 failed, more than the 2% that the guard 'failed>2%' allows")


def test_a_percentage_of_all_is_of_what_has_ended_so_far() -> None:
    assert halts_at("failed>2%", ["d"] + ["+"] * 100 + ["d"] * 3) == (
        104 - 1,
        "3 of 103 failed, more than the 2% that the guard 'failed>2%' allows",
    )


def test_the_guards_watch_together_and_the_first_given_speaks() -> None:
    found = halts_at("404>5, failed>1, consecutive>1", "dd")
    assert found is not None
    assert "'failed>1'" in found[1]


@pytest.mark.parametrize(
    "outcome",
    [
        Outcome(Status.UNCHANGED, row=1),
        Outcome(Status.SKIPPED, row=1),
        Outcome(Status.INVALID, row=1),
        Outcome(Status.SKIPPED, row=1, tries=1),
    ],
)
def test_what_ended_without_a_request_counts_neither_way(outcome: Outcome) -> None:
    watching = Guards([parse_guard("consecutive>1"), parse_guard("failed>50%")])
    told = [watching.add(ended("d")), watching.add(outcome), watching.add(ended("d"))]
    assert [words is not None for words in told] == [False, False, True]


@given(st.text(alphabet="+dnxu", max_size=60), st.integers(1, 10), st.integers(0, 9))
def test_of_the_last_is_what_a_slow_count_says(story: str, span: int, most: int) -> None:
    most = min(most, span - 1)
    slow = next(
        (end for end in range(1, len(story) + 1) if sum(kind != "+" for kind in story[:end][-span:]) > most), None
    )
    found = halts_at(f"failed>{most} of last {span}", story)
    assert (found and found[0]) == slow


def test_what_failed_before_and_fails_again_counts_only_among_the_last_so_many() -> None:
    denied = Outcome(Status.DENIED, 1, status_code=403, tries=1)
    guards = Guards([parse_guard("failed>1"), parse_guard("denied>3 of first 4"), parse_guard("denied>9 of last 10")])
    said = [guards.add(denied, is_news=False) for _ in range(10)]
    assert said[:9] == [None] * 9
    assert said[9] == "10 of the last 10 ended denied, more than the 9 that the guard 'denied>9 of last 10' allows"
