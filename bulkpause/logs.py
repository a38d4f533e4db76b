"""Structured log lines on stderr, with every secret struck out before it is written."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping, MutableMapping
from typing import Any, Final, Protocol

LEVELS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40}

_SHAPES: Final = re.compile(
    r"(?P<keep>\bBearer\s+|\w+://[^/\s:@]*:|[?&]sig=|client_secret=|client_assertion=|refresh_token=|access_token=)"
    r"[^\s&\"'@]+"
    r"|\beyJ[\w-]+\.[\w-]+\.[\w-]*",  # a JWT
    re.IGNORECASE,
)
_NAMES: Final = re.compile(r"secret|token(?!_)|password|passphrase|assertion|authorization|cookie", re.IGNORECASE)

MASK: Final = "****"


class Log(Protocol):
    """What a part may say. `event` is dotted snake_case, the rest are fields."""

    def debug(self, event: str, **fields: Any) -> None:
        """What only a maintainer wants to see."""

    def info(self, event: str, **fields: Any) -> None:
        """A step of the run."""

    def warning(self, event: str, **fields: Any) -> None:
        """Something an operator should know."""

    def error(self, event: str, **fields: Any) -> None:
        """Something that ends the run."""


class Redactor:
    """Strikes secrets out of text: known values wherever they stand, and what has the shape of one."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._known = sorted({secret for secret in secrets if secret}, key=len, reverse=True)

    def text(self, text: str) -> str:
        """`text` without secrets."""
        for secret in self._known:
            text = text.replace(secret, MASK)
        return _SHAPES.sub(lambda found: (found["keep"] or "") + MASK, text)

    def value(self, value: Any, *, name: str = "") -> Any:
        """`value` without secrets, whatever it is made of; `name` is the field it stands under."""
        match value:
            case None | bool() | int() | float():
                return value
            case _ if _NAMES.search(name):
                return MASK
            case str():
                return self.text(value)
            case Mapping():
                return {str(key): self.value(item, name=str(key)) for key, item in value.items()}
            case list() | tuple() | set() | frozenset():
                return [self.value(item, name=name) for item in value]
            case _:
                return self.text(str(value))

    def __call__(self, _logger: object, _method: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
        """As a structlog processor."""
        return {key: self.value(item, name=key) for key, item in event.items()}


class LazyLog:
    """A Log over structlog, which is imported at the first line that is to be shown: it costs 60 ms at start-up."""

    def __init__(self, *, level: str, form: str, redactor: Redactor) -> None:
        self._threshold = LEVELS[level]
        self._form = form
        self._redactor = redactor
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

    def error(self, event: str, **fields: Any) -> None:
        """See Log."""
        self._write("error", event, fields)

    def prepare(self) -> None:
        """Import structlog now; from a thread, so that the first line does not hold up the event loop."""
        if self._log is None:
            self._log = _structlog(form=self._form, redactor=self._redactor)

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
    shared: list[Any] = [structlog.processors.add_log_level, stamp, redactor]
    if form == "json":
        render: Any = structlog.processors.JSONRenderer(sort_keys=False)
    else:
        render = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=0)
    return structlog.wrap_logger(
        structlog.PrintLogger(_Stderr()),  # type: ignore[arg-type]  # it needs no more of a file than this
        processors=[*shared, render],
        cache_logger_on_first_use=True,
    )
