"""What is checked after each test that had connections."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def nothing_is_left_open() -> Iterator[None]:
    """An unclosed socket or transport warns when it is collected, and a warning fails the test."""
    yield
    gc.collect()
