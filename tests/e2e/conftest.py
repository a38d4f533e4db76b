"""A sandbox and an operator for each test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from bulkpause.sandbox import SandboxSettings, parse_fault, parse_latency, parse_rate_limit, serve_in_thread
from tests.e2e.driving import Operator

MakeOperator = Callable[..., Operator]


@pytest.fixture
def an_operator(tmp_path: Path) -> Iterator[MakeOperator]:
    """Make an operator of a sandbox of one's own: faults, latency and rate limit as on the command line."""
    with ExitStack() as exits:

        def make(
            *faults: str,
            reports: int = 20,
            latency: str = "0",
            rate_limit: str | None = None,
            tls: bool = False,
            **more: Any,
        ) -> Operator:
            settings = SandboxSettings(
                reports=reports,
                faults=tuple(map(parse_fault, faults)),
                latency=parse_latency(latency),
                rate_limit=None if rate_limit is None else parse_rate_limit(rate_limit),
                tls=tls,
                **more,
            )
            return Operator(tmp_path, exits.enter_context(serve_in_thread(settings)))

        yield make
