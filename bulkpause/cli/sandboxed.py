"""`--sandbox`: a verb that meets an emulated Partner Center instead of the real one."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bulkpause.models import ReportId
    from bulkpause.runs.past import PastRun
    from bulkpause.settings import Settings


def in_sandbox(settings: Settings, scope: ExitStack, *, remembering: PastRun | None = None) -> Settings:
    """Start the emulated service on a thread of its own, with what a run has done to it before; point all at it."""
    from bulkpause.sandbox import SandboxSettings, serve_in_thread  # noqa: PLC0415 - keep --help quick
    from bulkpause.settings import Auth, Secret  # noqa: PLC0415

    demo = SandboxSettings.demo()
    if remembering is not None:
        demo = replace(demo, changed=_changed_by(remembering))
    sandbox = scope.enter_context(serve_in_thread(demo))
    authority = sandbox.authority.removesuffix(f"/{sandbox.tenant_id}")
    return replace(
        settings,
        api=replace(settings.api, base_url=sandbox.base_url, ca_file=sandbox.ca_file, proxy=None),
        auth=Auth(
            flow="client_secret",
            tenant_id=sandbox.tenant_id,
            client_id=sandbox.client_id,
            client_secret=Secret(sandbox.client_secret),
            authority=authority,
        ),
    )


def _changed_by(past: PastRun) -> dict[ReportId, tuple[str, str | None]]:
    """The reports that the run is known to have changed, as it left them: report_status and modified time."""
    from bulkpause.models import Status  # noqa: PLC0415
    from bulkpause.runs.past import outcomes_of  # noqa: PLC0415

    return {
        outcome.report_id: (past.run.operation.wanted, outcome.modified_time)
        for outcome in outcomes_of(past)
        if outcome.report_id is not None and outcome.status is Status.SUCCEEDED
    }
