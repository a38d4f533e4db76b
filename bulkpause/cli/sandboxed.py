"""`--sandbox`: a verb that meets an emulated Partner Center instead of the real one."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bulkpause.settings import Settings


def in_sandbox(settings: Settings, scope: ExitStack) -> Settings:
    """Start the emulated service on a thread of its own, and point everything at it."""
    from bulkpause.sandbox import SandboxSettings, serve_in_thread  # noqa: PLC0415 - keep --help quick
    from bulkpause.settings import Auth, Secret  # noqa: PLC0415

    sandbox = scope.enter_context(serve_in_thread(SandboxSettings.demo()))
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
