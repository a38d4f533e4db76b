"""How many files the process may have open, which bounds the connections of a run."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Final

from bulkpause.errors import ConfigError
from bulkpause.settings import Settings

RESERVED: Final = 16
"""What a run has open besides its connections, at most: streams, files, the event loop, sign-in, modules on import."""

RESERVED_IN_SANDBOX: Final = 24
"""The same with the emulated service in the process, which then has the other end of each connection as well."""


def fit_to_open_files(settings: Settings, *, is_sandbox: bool, say: Callable[[str], None]) -> Settings:
    """`settings` with as much concurrency as this process may have connections, its limit raised where it can be.

    Says so if that is less than was asked for; raises ConfigError if not even one is possible.
    """
    reserved, each = (RESERVED_IN_SANDBOX, 2) if is_sandbox else (RESERVED, 1)
    concurrency = settings.run.concurrency
    allowed = allow_open_files(reserved + each * concurrency)
    fitting = connections_within(allowed, reserved=reserved, each=each)
    if fitting is None or fitting >= concurrency:
        return settings
    if fitting < 1:
        raise ConfigError(
            f"a run needs {reserved + each} open files at least, and this process may have {allowed}. Raise the limit "
            "(ulimit -n, or LimitNOFILE of a service) and run it again. Nothing was sent."
        )
    say(
        f"bulkpause: at most {fitting} in flight instead of {concurrency}: this process may have only {allowed} open "
        "files. Raise the limit (ulimit -n, or LimitNOFILE of a service), or lower --concurrency."
    )
    return replace(settings, run=replace(settings.run, concurrency=fitting))


def connections_within(allowed: int | None, *, reserved: int, each: int) -> int | None:
    """The connections that `allowed` open files leave room for, at `each` files apiece; None is no limit."""
    return None if allowed is None else max(0, allowed - reserved) // each


if sys.platform == "win32":

    def allow_open_files(wanted: int) -> int | None:  # noqa: ARG001 - as below
        """None: Windows limits no sockets this way."""
        return None

else:
    import resource

    def allow_open_files(wanted: int) -> int | None:
        """Raise the soft limit to `wanted` as far as the hard one lets; what is allowed then, None for no limit."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft != resource.RLIM_INFINITY and soft < wanted:
            target = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
            with suppress(OSError, ValueError):  # macOS has a further limit that it does not tell
                resource.setrlimit(resource.RLIMIT_NOFILE, (target, hard))
            soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        return None if soft == resource.RLIM_INFINITY else soft
