"""The grammar of `--fault`. Pure."""

from __future__ import annotations

import re
from typing import Final

from bulkpause.models import ReportId
from bulkpause.sandbox.faults import PUTS, Fault, Kind, Shape, Step, Target, Where
from bulkpause.sandbox.reports import parse_report_id
from bulkpause.sandbox.terms import AMOUNT, choose, number, positive

FAULT_HELP: Final = """\
STEP[+STEP...][@WHERE[,WHERE...]]   the first rule that applies to a request decides its fate

STEP    KIND[/SHAPE][:DETAIL][*TIMES]: met by the first TIMES requests of a report, then the next STEP has its turn;
        without *TIMES it lasts. 500*2@5% is: the first two PUTs of 5 % of the reports answer 500.
KIND    300..599    that status. DETAIL of 3xx is the Location (another host unless given), of the others Retry-After:
                    2, 2.5, date=3 (HTTP date in 3 s), ms=1500 (retry-after-ms), x-ms=1500 (x-ms-retry-after-ms),
                    raw=TEXT, none. 429 alone means 429:1. SHAPE: envelope, gateway, partner, api, entra, html, empty
        drop        connection closed without a reply         reset        the same with a TCP RST
        lost        carried out, then no reply                hang         no reply until the client leaves
        close       replies, and the next request on the same connection is dropped
        slow:S      replies S seconds late                    revoke       all tokens revoked, 401
        lie-active  200, nothing done, the state is the old   lie-other    200 about another report
        lie-status:CODE  HTTP 200 around StatusCode CODE (500), nothing done
        echo:STATUS=SIG   STATUS (500) whose message repeats the request's secrets, and a link with sig=SIG
        lie-done    200 that confirms what was asked, nothing done
        html        200 with a web page, nothing done         empty, cut   carried out, 200 with no or half a body
        torn        carried out, connection closed amid the body
        huge        carried out, 200 with more than 1 MB      gzip, bom, wrong-type, text-code   correct, in odd clothes
        next-foreign, next-loop   for the list: a nextLink to another host (DETAIL is its URL), or back to the same page
        invalid-client   for the token endpoint: a refused secret
        mfa         401 with Partner Center's code 900421
        claims      401 (DETAIL: 403) with a claims challenge, until a token comes that was asked for with those claims
WHERE   5%          of the reports, chosen by seed        ~5%          of the requests, chosen by seed
        id=UUID|UUID...                                   n=30, n=30..40, every=10   by number of the PUT
        t=2..5      seconds since the first PUT           pause, resume, list, token, discovery,
                                                              devicecode, authorize   (default: any PUT)
"""


def parse_fault(text: str) -> Fault:
    """A rule as `FAULT_HELP` describes it; ValueError says which part is not understood."""
    before, _, after = text.partition("@")
    try:
        steps, where = tuple(_parse_step(step) for step in before.split("+")), _parse_where(after)
        for step in steps:
            _check_target(step.kind, where.targets)
    except ValueError as error:
        raise ValueError(f"fault {text!r}: {error}") from None
    return Fault(text=text, steps=steps, where=where)


_STEP: Final = re.compile(
    r"(?P<kind>[a-z0-9-]+)(/(?P<shape>[a-z]+))?(:(?P<detail>[^*]+))?(\*(?P<times>[1-9]\d*))?", re.ASCII
)
_ONLY_FOR: Final = {
    Kind.LIE_ACTIVE: PUTS,
    Kind.LIE_DONE: PUTS,
    Kind.LIE_OTHER: PUTS,
    Kind.LIE_STATUS: PUTS,
    Kind.REVOKE: PUTS | {Target.LIST},
    Kind.TEXT_CODE: PUTS | {Target.LIST},
    Kind.NEXT_FOREIGN: frozenset({Target.LIST}),
    Kind.NEXT_LOOP: frozenset({Target.LIST}),
    Kind.INVALID_CLIENT: frozenset({Target.TOKEN}),
    Kind.MFA: PUTS | {Target.LIST},
    Kind.CLAIMS: PUTS | {Target.LIST},
}
_NUMBER_DETAILS: Final = frozenset({Kind.SLOW, Kind.LIE_STATUS})
_RETRY_AFTER: Final = re.compile(rf"((date|ms|x-ms)=)?{AMOUNT}|raw=.+|none", re.ASCII)


def _parse_step(text: str) -> Step:
    match = _STEP.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not KIND[/SHAPE][:DETAIL][*TIMES], such as 500*2 or 429:2*1")
    times = int(match["times"]) if match["times"] else None
    word, detail = match["kind"], match["detail"]
    if word.isdecimal():
        return _status_step(int(word), shape=match["shape"], detail=detail, times=times)
    kind = Kind(choose(Kind, word, "a kind of fault"))
    if kind is Kind.STATUS or match["shape"]:
        raise ValueError(f"{text!r}: a shape belongs to an HTTP status, such as 500/gateway")
    if kind is Kind.CLAIMS and detail not in {None, "401", "403"}:
        raise ValueError("claims takes 401 or 403")
    if kind is Kind.ECHO and not re.fullmatch(r"[45]\d\d(=[\w~%+-]+)?", detail or "500", re.ASCII):
        raise ValueError(f"{detail!r} is no status from 400 to 599 with a signature, such as echo:400=abc")
    if detail is not None and kind not in {Kind.NEXT_FOREIGN, Kind.CLAIMS, Kind.ECHO}:
        if kind not in _NUMBER_DETAILS:
            raise ValueError(f"{word} takes no detail")
        number(detail)
    elif kind is Kind.SLOW:
        raise ValueError("slow needs seconds, such as slow:2")
    return Step(kind=kind, detail=detail, times=times)


def _status_step(status: int, *, shape: str | None, detail: str | None, times: int | None) -> Step:
    if not 300 <= status <= 599:  # noqa: PLR2004 - the HTTP classes that are not success
        raise ValueError(f"{status} is not an HTTP status from 300 to 599")
    if status >= 400 and detail is not None and not _RETRY_AFTER.fullmatch(detail):  # noqa: PLR2004
        raise ValueError(f"{detail!r} is no Retry-After: 2, 2.5, date=3, ms=1500, x-ms=1500, raw=TEXT or none")
    chosen = Shape(choose(Shape, shape, "a shape of error body")) if shape else None
    return Step(kind=Kind.STATUS, status=status, shape=chosen, detail=detail, times=times)


def _parse_where(text: str) -> Where:
    targets: set[Target] = set()
    found: dict[str, object] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, value = part.partition("=")
        match name:
            case "id":
                found["report_ids"] = frozenset(map(_report_id, value.split("|")))
            case "n":
                low, dots, high = value.partition("..")
                found |= _span("first", positive(low), "last", positive(high if dots else low), part)
            case "every":
                found["every"] = positive(value)
            case "t":
                low, _, high = value.partition("..")
                found |= _span("from_s", number(low), "until_s", number(high) if high else None, part)
            case _ if part.endswith("%"):
                which = "request_percent" if part.startswith("~") else "report_percent"
                found[which] = _percent(part.removeprefix("~").removesuffix("%"))
            case _:
                targets.add(Target(choose(Target, part, "a condition (5%, ~5%, id=, n=, every=, t=) or a target")))
    return Where(targets=frozenset(targets) or PUTS, **found)  # type: ignore[arg-type]  # names and types as above


def _check_target(kind: Kind, targets: frozenset[Target]) -> None:
    allowed = _ONLY_FOR.get(kind, targets)
    if not targets <= allowed:
        raise ValueError(f"{kind} goes with {', '.join(sorted(allowed))} only")


def _span(low_name: str, low: float, high_name: str, high: float | None, text: str) -> dict[str, object]:
    if high is not None and high < low:
        raise ValueError(f"{text} runs backwards")
    return {low_name: low, high_name: high}


def _report_id(text: str) -> ReportId:
    report_id = parse_report_id(text)
    if report_id is None:
        raise ValueError(f"{text!r} is not a UUID")
    return report_id


def _percent(text: str) -> float:
    percent = number(text)
    if percent > 100:  # noqa: PLR2004 - per cent
        raise ValueError(f"{text}% is not between 0% and 100%")
    return percent
