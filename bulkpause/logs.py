"""Structured log lines on stderr, with every secret struck out before it is written."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, Final, Protocol

from bulkpause.redaction import Redactor

LEVELS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40}


class Log(Protocol):
    """What a part may say. `event` is dotted snake_case, the rest are fields."""

    def debug(self, event: str, **fields: Any) -> None:
        """What only a maintainer wants to see."""

    def info(self, event: str, **fields: Any) -> None:
        """A step of the run."""

    def warning(self, event: str, **fields: Any) -> None:
        """Something an operator should know."""


class LazyLog:
    """A Log over structlog, which is imported at the first line that is to be shown: it costs 60 ms at start-up."""

    def __init__(self, *, level: str, form: str, redactor: Redactor) -> None:
        self._threshold = LEVELS[level]
        self._form = form
        self.redactor = redactor
        self._log: Any = None

    def debug(self, event: str, **fields: Any) -> None:
        """See Log."""
        self._write("debug", event, fields)

    def info(self, event: str, **fields: Any) -> None:
        """See Log."""
        self._write("info", event, fields)

    def warning(self, event: str, **fields: Any) -> None:
        """See Log."""
        self._write("warning", event, fields)

    def prepare(self) -> None:
        """Import structlog now; from a thread, so that the first line does not hold up the event loop."""
        if self._log is None:
            self._log = _structlog(form=self._form, redactor=self.redactor)

    def _write(self, level: str, event: str, fields: Mapping[str, Any]) -> None:
        if LEVELS[level] >= self._threshold:
            self.prepare()
            getattr(self._log, level)(event, **fields)


class _Stderr:
    """The stderr of the moment of writing: a progress bar replaces it while it runs."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()


def _structlog(*, form: str, redactor: Redactor) -> Any:
    import structlog  # noqa: PLC0415 - lazily, see LazyLog

    stamp = structlog.processors.TimeStamper(fmt="iso", utc=True)
    if form == "json":
        render: Any = structlog.processors.JSONRenderer(sort_keys=False)
    else:
        render = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=0)

    def last(_logger: object, _method: str, line: Any) -> str:
        return redactor.text(line)  # the renderer adds text of its own, such as tracebacks

    return structlog.wrap_logger(
        structlog.PrintLogger(_Stderr()),  # type: ignore[arg-type]  # it needs no more of a file than this
        processors=[
            structlog.processors.add_log_level,
            stamp,
            redactor,
            render,
            last,
        ],
        cache_logger_on_first_use=True,
    )
