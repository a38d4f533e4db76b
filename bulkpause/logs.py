"""Structured log lines on stderr, with every secret struck out before it is written."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping, MutableMapping
from typing import Any, Final, Protocol
from urllib.parse import quote, quote_plus

LEVELS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40}

_SHAPES: Final = re.compile(
    r"(?P<head>\bBearer\s+|\bBasic\s+(?=\S*[\d=])"
    r"|(?:client_secret|assertion|access_token|refresh_token|id_token|password|api[_-]?key|AccountKey|\bsig)"
    r"[\"']?\s*[=:]\s*[\"']?)[^\s&\"',;<>}]+"
    r"|(?P<scheme>\b\w+://)[^\s/?#\"']*@"  # user and password of a URL
    r"|\beyJ[\w-]{8,}(?:\.[\w-]*)*",  # a JWT, even one that was cut
    re.IGNORECASE,
)
_NAMES: Final = re.compile(
    r"secret|password|passwd|passphrase|assertion|authorization|cookie|credential|private[_-]?key|api[_-]?key|^sig(nature)?$"
    r"|token(?!s$|_?(?:expir|renew|refresh|timeout|lifetime|type|count|file|command|endpoint|source))",
    re.IGNORECASE,
)

MASK: Final = "****"


class Log(Protocol):
    """What a part may say. `event` is dotted snake_case, the rest are fields."""

    def debug(self, event: str, **fields: Any) -> None:
        """What only a maintainer wants to see."""

    def info(self, event: str, **fields: Any) -> None:
        """A step of the run."""

    def warning(self, event: str, **fields: Any) -> None:
        """Something an operator should know."""


def printable(text: str) -> str:
    r"""`text` with everything escaped that does not print: line breaks, colours, what turns the writing direction."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


SHORTEST: Final = 4
"""Shorter secrets are not looked for: they would be struck out of every other word, and are none."""


class Redactor:
    """Strikes secrets out of text: known values wherever they stand, and what has the shape of one."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        given = {secret for secret in secrets if len(secret) >= SHORTEST}
        spelt = {form(secret) for secret in given for form in (str, quote, quote_plus, lambda text: quote(text, ""))}
        self._known = sorted(spelt, key=len, reverse=True)

    def text(self, text: str) -> str:
        """`text` without secrets."""
        for secret in self._known:
            text = text.replace(secret, MASK)
        return _SHAPES.sub(_masked, text)

    def value(self, value: Any, *, name: str = "") -> Any:
        """`value` without secrets, whatever it is made of; `name` is the field it stands under."""
        match value:
            case None | bool():
                return value
            case _ if _NAMES.search(name):
                return MASK
            case int() | float():
                return value
            case Mapping():
                return {self.text(str(key)): self.value(item, name=str(key)) for key, item in value.items()}
            case list() | tuple() | set() | frozenset():
                return [self.value(item, name=name) for item in value]
            case _:
                return printable(self.text(str(value)))

    def __call__(self, _logger: object, _method: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
        """As a structlog processor."""
        return {key: self.value(item, name=key) for key, item in event.items()}


def _masked(found: re.Match[str]) -> str:
    if found["scheme"]:
        return f"{found['scheme']}{MASK}@"
    return (found["head"] or "") + MASK


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
