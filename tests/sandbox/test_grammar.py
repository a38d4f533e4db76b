"""The grammar of `--fault`."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkpause.sandbox import FAULT_HELP, parse_fault
from bulkpause.sandbox.faults import PUTS, Kind, Shape, Step, Target, Where

ID = "12645e1b-1178-4117-b36b-d8db2ede27a5"
OTHER = "db4a9861-3d48-4b2b-b6fb-0a3e7e95c165"


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("500", (Step(kind=Kind.STATUS, status=500),)),
        ("500*2", (Step(kind=Kind.STATUS, status=500, times=2),)),
        ("429:2.5", (Step(kind=Kind.STATUS, status=429, detail="2.5"),)),
        ("429:date=3*1", (Step(kind=Kind.STATUS, status=429, detail="date=3", times=1),)),
        ("503/html:none", (Step(kind=Kind.STATUS, status=503, shape=Shape.HTML, detail="none"),)),
        ("307:http://127.0.0.1:9/x", (Step(kind=Kind.STATUS, status=307, detail="http://127.0.0.1:9/x"),)),
        ("lie-status:404", (Step(kind=Kind.LIE_STATUS, detail="404"),)),
        ("slow:0.5", (Step(kind=Kind.SLOW, detail="0.5"),)),
        ("claims", (Step(kind=Kind.CLAIMS),)),
        ("claims:403*1", (Step(kind=Kind.CLAIMS, detail="403", times=1),)),
        (
            "500*2+429:1+drop",
            (
                Step(kind=Kind.STATUS, status=500, times=2),
                Step(kind=Kind.STATUS, status=429, detail="1"),
                Step(kind=Kind.DROP),
            ),
        ),
    ],
)
def test_steps_are_read_in_order(text: str, steps: tuple[Step, ...]) -> None:
    assert parse_fault(text).steps == steps


@pytest.mark.parametrize("detail", ["200", "600", "x", "400=", "400=a b"])
def test_an_echo_takes_a_status_of_failure_and_a_signature(detail: str) -> None:
    assert parse_fault("echo:400=a%2B").steps[0].detail == "400=a%2B"
    with pytest.raises(ValueError, match="is no status from 400 to 599"):
        parse_fault(f"echo:{detail}")


FOR_LISTS = (Kind.NEXT_FOREIGN, Kind.NEXT_LOOP)


@pytest.mark.parametrize("kind", FOR_LISTS)
def test_a_link_goes_astray_in_lists_only(kind: Kind) -> None:
    assert parse_fault(f"{kind}*1@list").steps == (Step(kind=kind, times=1),)
    with pytest.raises(ValueError, match=f"{kind} goes with list only"):
        parse_fault(str(kind))


def test_a_foreign_link_may_be_told_where_to_lead() -> None:
    assert parse_fault("next-foreign:http://localhost:1/x@list").steps[0].detail == "http://localhost:1/x"


@pytest.mark.parametrize("kind", sorted(set(Kind) - {Kind.STATUS, Kind.SLOW, Kind.INVALID_CLIENT, *FOR_LISTS}))
def test_every_kind_can_be_written_by_its_word(kind: Kind) -> None:
    assert parse_fault(f"{kind}*1").steps == (Step(kind=kind, times=1),)


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("", Where(targets=PUTS)),
        ("@5%", Where(report_percent=5.0)),
        ("@~2.5%", Where(request_percent=2.5)),
        (f"@id={ID.upper()}|{OTHER}", Where(report_ids=frozenset({ID, OTHER}))),  # type: ignore[arg-type]
        ("@n=30", Where(first=30, last=30)),
        ("@n=30..40", Where(first=30, last=40)),
        ("@every=10", Where(every=10)),
        ("@t=2..5", Where(from_s=2.0, until_s=5.0)),
        ("@t=2", Where(from_s=2.0)),
        ("@resume", Where(targets=frozenset({Target.RESUME}))),
        ("@list, token", Where(targets=frozenset({Target.LIST, Target.TOKEN}))),
        ("@5%,pause,t=0..1", Where(targets=frozenset({Target.PAUSE}), report_percent=5.0, from_s=0.0, until_s=1.0)),
    ],
)
def test_conditions_are_read_and_kept_together(text: str, where: Where) -> None:
    assert parse_fault(f"500{text}").where == where


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("", "is not KIND"),
        ("500*0", "is not KIND"),
        ("200", "300 to 599"),
        ("999", "300 to 599"),
        ("explode", "not a kind of fault: .*drop"),
        ("status", "belongs to an HTTP status"),
        ("drop/html", "belongs to an HTTP status"),
        ("500/xml", "not a shape of error body: envelope"),
        ("429:soon", "no Retry-After: 2, 2.5, date=3"),
        ("drop:2", "takes no detail"),
        ("slow", "needs seconds"),
        *[(f"slow:{odd}", "is not a number such as 2 or 0.5") for odd in ("much", "nan", "inf", "-1", "1e9", "٣")],
        ("lie-status:x", "is not a number"),
        ("429:date=9999999999", "no Retry-After"),
        ("500@101%", "between 0% and 100%"),
        ("500@x%", "is not a number"),
        ("500@t=nan..", "is not a number"),
        ("500@t=", "is not a number"),
        ("500@id=7", "'7' is not a UUID"),
        ("500@n=0", "'0' is not 1 or more"),
        ("500@n=x", "'x' is not 1 or more"),
        ("500@n=9..3", "n=9..3 runs backwards"),
        ("500@t=5..2", "t=5..2 runs backwards"),
        ("500@every=0", "'0' is not 1 or more"),
        ("500@tuesday", "is not a condition"),
        ("lie-active@list", "lie-active goes with pause, resume only"),
        ("revoke@token", "revoke goes with list, pause, resume only"),
        ("invalid-client", "invalid-client goes with token only"),
    ],
)
def test_what_is_not_understood_is_named(text: str, hint: str) -> None:
    with pytest.raises(ValueError, match=hint) as caught:
        parse_fault(text)
    assert str(caught.value).startswith(f"fault {text!r}: ")


@given(st.text(alphabet="0579abdehilnoprstvy-*+@%:/.=,| ~", max_size=30))
def test_any_text_is_a_rule_or_a_value_error(text: str) -> None:
    try:
        fault = parse_fault(text)
    except ValueError as error:
        assert repr(text) in str(error)  # noqa: PT017 - either way is fine
    else:
        assert fault.text == text
        assert fault.steps


def test_the_help_names_every_kind_shape_and_target() -> None:
    words = {*Kind, *Shape, *Target} - {Kind.STATUS}
    assert [word for word in words if word not in FAULT_HELP] == []
