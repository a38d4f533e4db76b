"""What the sandbox's tests share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from bulkpause.sandbox import SandboxSettings, parse_fault
from tests.sandbox.tenant import Tenant


@pytest.fixture
def tenant() -> Callable[..., Tenant]:
    """Build a tenant from fault texts and settings."""

    def build(*faults: str, **settings: Any) -> Tenant:
        return Tenant(SandboxSettings(faults=tuple(map(parse_fault, faults)), **{"reports": 20, **settings}))

    return build
