"""The one place where secrets are struck out of text, whatever the text is for: logs, ledger, summary, errors, JSON."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, MutableMapping
from typing import Any, Final
from urllib.parse import quote, quote_plus

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
