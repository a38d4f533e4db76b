"""What the service answers: a request routed to the reports, Entra or a fault. No I/O: the server performs it."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qs, parse_qsl, urlencode

import orjson

from bulkpause.models import Operation, ReportId
from bulkpause.sandbox.bodies import JSON, envelope
from bulkpause.sandbox.exchange import Answer, Ending, Request
from bulkpause.sandbox.faults import Arrival, FaultPlan, Kind, Step, Target
from bulkpause.sandbox.journal import Journal
from bulkpause.sandbox.misbehave import CARRIED_OUT, challenge, failure, lie, spoil, stand_in
from bulkpause.sandbox.oauth import Grant
from bulkpause.sandbox.pace import limiter, spelt
from bulkpause.sandbox.reports import Reports, applied, parse_report_id, to_item
from bulkpause.sandbox.second_factor import compliance
from bulkpause.sandbox.settings import SandboxSettings
from bulkpause.sandbox.tokens import CHALLENGE, INVALID_CLIENT, Tokens

BASE_PATH: Final = "/insights/v1/mpn"
_REPORTS_PATH: Final = f"{BASE_PATH}/ScheduledReport"
_LIES: Final = frozenset({Kind.LIE_ACTIVE, Kind.LIE_DONE, Kind.LIE_OTHER, Kind.LIE_STATUS})
_OPERATIONS: Final = {operation.value: operation for operation in Operation}


class Api:
    """One tenant's service. Owns the counts that faults and limits go by."""

    def __init__(
        self, settings: SandboxSettings, *, reports: Reports, tokens: Tokens, journal: Journal, origin: str
    ) -> None:
        self._settings = settings
        self._reports = reports
        self._tokens = tokens
        self._journal = journal
        self._origin = origin
        self._plan = FaultPlan(settings.faults, seed=settings.seed)
        self._limiter = limiter(settings.rate_limit) if settings.rate_limit else None
        self._rng = random.Random(f"latency:{settings.seed}")  # noqa: S311 - latencies
        self._numbers: Counter[str] = Counter()
        self._first_put_s: float | None = None

    def answer(self, request: Request) -> Answer:
        """Decide on one request; whatever was asked has been done when this returns."""
        path, _, query = request.target.partition("?")
        if path.startswith("/_sandbox/"):
            return replace(self._control(request, path), journaled=False)
        known = _route(request.method, path)
        if known is None:
            return failure(404, casing=self._settings.casing, message="Resource not found")
        target, given = known
        if target is Target.DISCOVERY:
            return self._entra(request, target, lambda: self._discovery(request, given))
        if target is Target.TOKEN:
            return self._entra(request, target, lambda: self._grant(request, given))
        if target is Target.DEVICE_CODE:
            return self._entra(request, target, lambda: self._device_code(request))
        if target is Target.AUTHORIZE:
            return self._authorize(request, query)
        return self._insights(request, target, given, query)

    def lose(self, request: Request) -> Answer:
        """The request of a connection that dies before it is looked at."""
        known = _route(request.method, request.target.partition("?")[0])
        if known is None:
            return Answer(ending=Ending.DROP)
        target, given_id = known
        return Answer(ending=Ending.DROP, operation=target.value, report_id=parse_report_id(given_id))

    def _insights(self, request: Request, target: Target, given_id: str, query: str) -> Answer:
        """Everything below ScheduledReport: the gateway's checks first, then the service."""
        report_id = parse_report_id(given_id)
        arrival = self._arrival(request, target, report_id)
        bearer = self._tokens.check(request.headers.get("Authorization"), now_s=request.at.timestamp())
        known = {"operation": target.value, "report_id": report_id, "token": bearer.fingerprint}
        headers: dict[str, str] = {}
        if bearer.refusal is not None:
            answer = failure(401, casing=self._settings.casing, headers={"WWW-Authenticate": "Bearer"})
        elif (refused := self._throttle(request, headers)) is not None:
            answer = refused
        elif target is not Target.LIST and "Content-Length" not in request.headers:
            answer = failure(411, casing=self._settings.casing)
        elif target is not Target.LIST and report_id is None:
            answer = failure(400, casing=self._settings.casing, message=f"The value '{given_id}' is not valid.")
        else:
            answer = self._serve(request, arrival, query)
        headers |= compliance(request.headers)
        for name in ("MS-RequestId", "MS-CorrelationId"):
            if name in request.headers:
                headers[name] = request.headers[name]
        return replace(
            answer,
            headers={**answer.headers, **headers},
            delay_s=answer.delay_s + self._settings.latency.sample_s(self._rng),
            **known,  # type: ignore[arg-type]  # the names and types of Answer
        )

    def _arrival(self, request: Request, target: Target, report_id: ReportId | None) -> Arrival:
        is_put = target in {Target.PAUSE, Target.RESUME}
        counted = "put" if is_put else target.value
        self._numbers[counted] += 1
        if is_put and self._first_put_s is None:
            self._first_put_s = request.now_s
        since_s = 0.0 if self._first_put_s is None else request.now_s - self._first_put_s
        return Arrival(target=target, report_id=report_id, number=self._numbers[counted], since_first_put_s=since_s)

    def _throttle(self, request: Request, headers: dict[str, str]) -> Answer | None:
        """429 in the words wanted if the limit is used up; adds X-RateLimit headers where they are wanted."""
        rate = self._settings.rate_limit
        if self._limiter is None or rate is None:
            return None
        admission = self._limiter.admit(now_s=request.at.timestamp() if rate.wall else request.now_s)
        if rate.headers:
            headers |= {"X-RateLimit-Limit": str(admission.limit), "X-RateLimit-Remaining": str(admission.remaining)}
        if admission.admitted:
            return None
        wait = spelt(admission.retry_after_s, rate.retry_after, at=request.at)
        return failure(
            429,
            casing=self._settings.casing,
            shape=rate.shape,
            headers={} if wait is None else {"Retry-After": wait},
            retry_after_s=None if wait is None or rate.retry_after == "date" else float(wait),
        )

    def _serve(self, request: Request, arrival: Arrival, query: str) -> Answer:
        if arrival.report_id is None:
            return self._meet(arrival, request, lambda: self._list(query, request))
        report_id, operation = arrival.report_id, _OPERATIONS[arrival.target.value]
        return self._meet(arrival, request, lambda: self._carry_out(operation, report_id, request))

    def _entra(self, request: Request, target: Target, grant: Callable[[], Grant]) -> Answer:
        def healthy() -> Answer:
            granted = grant()
            return Answer(
                status=int(granted.status),
                body=orjson.dumps(granted.payload),
                headers={"Content-Type": JSON},
                effect=granted.status == HTTPStatus.OK,
            )

        answer = self._meet(self._arrival(request, target, None), request, healthy)
        return replace(answer, operation=target.value)

    def _meet(self, arrival: Arrival, request: Request, healthy: Callable[[], Answer]) -> Answer:
        """The healthy answer, or what a fault makes of it."""
        met = self._plan.next(arrival)
        if met is None:
            return healthy()
        fault, step = met
        return replace(self._misbehave(step, arrival, request, healthy), fault=fault.text)

    def _misbehave(self, step: Step, arrival: Arrival, request: Request, healthy: Callable[[], Answer]) -> Answer:
        casing = self._settings.casing
        if step.kind in CARRIED_OUT:
            return spoil(healthy(), step, request)
        if step.kind is Kind.INVALID_CLIENT:
            grant = self._tokens.refuse(INVALID_CLIENT, now_s=request.at.timestamp())
            return Answer(status=int(grant.status), body=orjson.dumps(grant.payload), headers={"Content-Type": JSON})
        if step.kind in _LIES and arrival.report_id is not None:
            report = self._reports.find(arrival.report_id)
            if report is None:
                return healthy()
            return lie(step, report, _OPERATIONS[arrival.target.value], casing=casing)
        if step.kind is Kind.CLAIMS:
            if self._tokens.meets_challenge(request.headers.get("Authorization")):
                return healthy()
            return challenge(step, CHALLENGE, casing=casing)
        if step.kind is Kind.REVOKE:
            self._tokens.revoke_all()
        return stand_in(step, request, target=arrival.target, casing=casing)

    def _carry_out(self, operation: Operation, report_id: ReportId, request: Request) -> Answer:
        """Pause or resume the report, if there is one to pause or resume."""
        casing = self._settings.casing
        before = self._reports.find(report_id)
        if before is None:
            return failure(404, casing=casing)
        after = applied(before, operation, at=request.at)
        if after is None:
            return failure(400, casing=casing, message="The report is inactive and cannot be paused or resumed.")
        if after is not before:
            self._reports.put(after, now_s=request.now_s)
        return Answer(
            body=envelope([to_item(after)], casing=casing, message=f"Report {operation.value}d successfully"),
            headers={"Content-Type": JSON},
            effect=True,
            changed=after is not before,
        )

    def _list(self, query: str, request: Request) -> Answer:
        """GET ScheduledReport with its filters; 404 when nothing passes them (api.md section 2)."""
        casing = self._settings.casing
        fields = {name.lower(): values[-1] for name, values in parse_qs(query).items()}
        skip_text = fields.pop("skip", "0")
        wanted = [parse_report_id(text) for text in fields["reportid"].split(";")] if "reportid" in fields else None
        if (wanted is not None and None in wanted) or not skip_text.isdecimal():
            return failure(400, casing=casing)
        found = self._reports.select(
            report_ids=None if wanted is None else frozenset(filter(None, wanted)),
            name=fields.get("reportname"),
            query_id=fields.get("queryid"),
            now_s=request.now_s,
        )
        if not found:
            return failure(404, casing=casing)
        skip = int(skip_text)
        page = found[skip : skip + self._settings.page_size] if self._settings.page_size else found
        end = skip + len(page)
        next_link = None
        if end < len(found):
            origin = self._origin if self._settings.next_link == "absolute" else ""
            next_link = f"{origin}{_REPORTS_PATH}?{urlencode({**fields, 'skip': end})}"
        return Answer(
            body=envelope(map(to_item, page), casing=casing, next_link=next_link, total=len(found)),
            headers={"Content-Type": JSON},
            effect=True,
        )

    def _discovery(self, request: Request, tenant: str) -> Grant:
        return self._tokens.discovery(tenant, origin=self._origin, now_s=request.at.timestamp())

    def _grant(self, request: Request, tenant: str) -> Grant:
        return self._tokens.grant(
            tenant,
            dict(parse_qsl(request.body.decode("utf-8", "replace"))),
            token_url=f"{self._origin}/{tenant}/oauth2/v2.0/token",
            now_s=request.at.timestamp(),
        )

    def _device_code(self, request: Request) -> Grant:
        return self._tokens.people.device_code(origin=self._origin, now_s=request.at.timestamp())

    def _authorize(self, request: Request, query: str) -> Answer:
        """What a browser is shown where a person signs in."""

        def healthy() -> Answer:
            status, body, headers = self._tokens.people.authorize(dict(parse_qsl(query)), now_s=request.at.timestamp())
            return Answer(status=status, body=body, headers=headers, effect=status < HTTPStatus.BAD_REQUEST)

        answer = self._meet(self._arrival(request, Target.AUTHORIZE, None), request, healthy)
        return replace(answer, operation=Target.AUTHORIZE.value)

    def change(self, report_id: ReportId, operation: Operation, *, now_s: float, at: datetime) -> bool | None:
        """Do to a report what a colleague does; whether that changed it, None if it cannot be done."""
        before = self._reports.find(report_id)
        after = None if before is None else applied(before, operation, at=at)
        if after is None or after is before:
            return None if after is None else False
        self._reports.put(after, now_s=now_s)
        return True

    def _control(self, request: Request, path: str) -> Answer:
        """What tests ask for; never in the journal."""
        match request.method, path.removeprefix("/_sandbox/").split("/"):
            case "GET", ["journal"]:
                return Answer(body=self._journal.to_json_lines(), headers={"Content-Type": "application/x-ndjson"})
            case "GET", ["state"]:
                state = {report.report_id: report.report_status for report in self._reports}
                return Answer(body=orjson.dumps(state), headers={"Content-Type": JSON})
            case "POST", ["revoke"]:
                self._tokens.revoke_all()
                return Answer(status=204)
            case "POST", ["pause" | "resume" as word, given] if (report_id := parse_report_id(given)) is not None:
                done = self.change(report_id, _OPERATIONS[word], now_s=request.now_s, at=request.at)
                return Answer(status=204) if done is not None else failure(404, casing=self._settings.casing)
            case _:
                return failure(404, casing=self._settings.casing, message="Resource not found")


def _route(method: str, path: str) -> tuple[Target, str] | None:
    """What a request is for, with the tenant or report id it names; None for what the service does not have."""
    match method, path.removeprefix(BASE_PATH).split("/"):
        case "PUT", ["", "ScheduledReport", "pause" | "resume" as operation, report_id]:
            return Target(operation), report_id
        case "GET", ["", "ScheduledReport"]:
            return Target.LIST, ""
        case "POST", ["", tenant, "oauth2", "v2.0", "token"]:
            return Target.TOKEN, tenant
        case "POST", ["", tenant, "oauth2", "v2.0", "devicecode"]:
            return Target.DEVICE_CODE, tenant
        case "GET", ["", tenant, "oauth2", "v2.0", "authorize"]:
            return Target.AUTHORIZE, tenant
        case "GET", ["", tenant, "v2.0", ".well-known", "openid-configuration"]:
            return Target.DISCOVERY, tenant
        case _:
            return None
