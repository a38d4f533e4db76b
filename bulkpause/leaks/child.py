"""`python -m bulkpause.leaks.child MODE ARGUMENTS`: the real command line with something broken in it on purpose.

The fault sits where each request takes its token, so that the error's text and frames hold it, and all other secrets.
"""

from __future__ import annotations

import asyncio
import logging
import os
import runpy
import sys
import threading
import warnings
from collections.abc import Callable
from typing import Final, NoReturn

from bulkpause.auth import Tokens
from bulkpause.redaction import Redactor

PLANTED: Final = "LEAK_TEST_SECRETS"
"""The variable that says which variables hold secrets, with commas between."""


class _Noisy:
    """Closing it fails, and says too much."""

    def __init__(self, secrets: str) -> None:
        self._secrets = secrets

    def __del__(self) -> None:
        raise RuntimeError(self._secrets)


def _crash(secrets: str) -> None:
    raise RuntimeError(f"planted crash with {secrets}")


def _abort(_secrets: str) -> NoReturn:
    os.abort()


def _mess(secrets: str) -> None:
    """Everything that Python prints by itself."""
    thread = threading.Thread(target=_crash, args=[secrets], name="planted-thread")
    thread.start()
    thread.join()
    noisy = _Noisy(secrets)
    del noisy
    warnings.warn(f"planted warning with {secrets}", stacklevel=1)
    logging.getLogger("planted").error("planted log line with %s", secrets)
    asyncio.get_running_loop().call_exception_handler(
        {"message": f"planted callback with {secrets}", "exception": RuntimeError(secrets)}
    )


_MODES: Final[dict[str, Callable[[str], None] | None]] = {
    "run": None,
    "crash": _crash,
    "mess": _mess,
    "abort": _abort,
}


def _plant(act: Callable[[str], None]) -> None:
    """Let the fault happen wherever a token is taken."""
    take = Tokens.token

    async def token(tokens: Tokens) -> str:
        taken = await take(tokens)
        names = os.environ.get(PLANTED, "").split(",")
        act(" ".join([taken, *(os.environ[name] for name in names if name in os.environ)]))
        return taken

    Tokens.token = token  # type: ignore[method-assign, assignment]  # this process is made to be broken


def _break_redactor() -> None:
    """Nothing is struck out any more: what the search for leaks has to find."""

    def text(_redactor: Redactor, text: str) -> str:
        return text

    Redactor.text = text  # type: ignore[method-assign, assignment]  # the same


def _allow_cores() -> None:
    if sys.platform != "win32":
        import resource  # noqa: PLC0415 - not on Windows

        _, hard = resource.getrlimit(resource.RLIMIT_CORE)
        resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))


def run(mode: str, arguments: list[str]) -> None:
    """Run the command line in a mode, which may end in `+broken`."""
    name, _, more = mode.partition("+")
    _allow_cores()
    if more == "broken":
        _break_redactor()
    if (act := _MODES[name]) is not None:
        _plant(act)
    sys.argv = ["bulkpause", *arguments]
    runpy.run_module("bulkpause", run_name="__main__")


if __name__ == "__main__":
    run(sys.argv[1], sys.argv[2:])
