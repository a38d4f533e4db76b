"""A tenant without sockets: the Api, driven by hand on a clock that only moves when told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import orjson

from bulkpause.sandbox import Journal, SandboxSettings
from bulkpause.sandbox.api import BASE_PATH, Api
from bulkpause.sandbox.exchange import Answer, Request
from bulkpause.sandbox.reports import Reports, seeded_reports
from bulkpause.sandbox.tokens import Tokens

ORIGIN = "https://localhost:1"
START = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
SCOPE = "https://api.partnercenter.microsoft.com/.default"


@dataclass
class Tenant:
    """Sends requests to an Api and reads its answers."""

    settings: SandboxSettings
    now_s: float = 0.0
    journal: Journal = field(default_factory=Journal)

    def __post_init__(self) -> None:
        s = self.settings
        self.reports = Reports(
            seeded_reports(
                s.reports, seed=s.seed, paused_percent=s.paused_percent, inactive_percent=s.inactive_percent
            ),
            adopt=s.adopt,
            lag_s=s.read_lag_s,
        )
        self.tokens = Tokens(seed=s.seed, lifetime_s=s.token_lifetime_s, person=s.person)
        self.api = Api(s, reports=self.reports, tokens=self.tokens, journal=self.journal, origin=ORIGIN)
        self.ids = [report.report_id for report in self.reports]
        self.token = self.tokens.issue(now_s=START.timestamp())

    def send(self, method: str, target: str, *, headers: Mapping[str, str] | None = None, body: bytes = b"") -> Answer:
        """The answer to any request, now."""
        at = START + timedelta(seconds=self.now_s)
        return self.api.answer(
            Request(method=method, target=target, headers=headers or {}, body=body, now_s=self.now_s, at=at)
        )

    def put(self, report_id: str, operation: str = "pause", **headers: str) -> Answer:
        """The answer to a pause or resume with a good token."""
        given = {"Authorization": f"Bearer {self.token}", "Content-Length": "0"}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        return self.send("PUT", f"{BASE_PATH}/ScheduledReport/{operation}/{report_id}", headers=given)

    def get(self, **query: str) -> Answer:
        """The answer to a list with a good token."""
        target = f"{BASE_PATH}/ScheduledReport" + (f"?{urlencode(query)}" if query else "")
        return self.send("GET", target, headers={"Authorization": f"Bearer {self.token}"})

    def ask_token(self, **form: str) -> Answer:
        """The answer to a token request, right but for the fields given."""
        fields = {
            "client_id": self.tokens.client_id,
            "client_secret": self.tokens.client_secret,
            "grant_type": "client_credentials",
            "scope": SCOPE,
        } | form
        path = f"/{fields.pop('tenant', self.tokens.tenant_id)}/oauth2/v2.0/token"
        return self.send("POST", path, body=urlencode(fields).encode())


def body(answer: Answer) -> dict[str, Any]:
    """The JSON of an answer."""
    decoded: dict[str, Any] = orjson.loads(answer.body)
    return decoded
