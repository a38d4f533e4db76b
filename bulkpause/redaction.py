"""The one place where secrets are struck out of text, whatever the text is for: logs, ledger, summary, errors, JSON."""

from __future__ import annotations

import base64
import re
import string
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from typing import Any, Final

MASK: Final = "****"
"""What is printed in place of a secret."""

SHORTEST: Final = 4
"""Shorter secrets are not looked for: they would be struck out of every other word, and are none."""

_WORDS_OF_JSON: Final = frozenset({"true", "false", "null"})
"""No secrets either; without them a line of JSON is none."""

HEAD: Final = 16
"""So many characters of a longer secret betray it: a message may have been cut in its midst."""

CUT: Final = "…"
"""What a message ends in that was too long."""

_TRIGGERS: Final = (
    *("bearer", "basic", "eyj", "authorization", "cookie", "assertion", "password", "passphrase"),
    *("_token", "accesstoken", "refreshtoken", "idtoken", "client_secret", "clientsecret", "device_code"),
    *("api_key", "api-key", "apikey", "accountkey", "sig=", "sig:", "sig%", 'sig"', "sig'", "sig\\", "sig "),
)
"""One of these stands in whatever `_SHAPES` finds. To look for them costs a tenth of its time."""

_SHAPES: Final = re.compile(
    r"(?P<bearer>\bBearer(?:\s+|%20|\+)(?!(?:tokens?|realm|error|auth\w*|scheme|challenge|credentials?|access|header"
    r"|format|type|is|was|has|and|or|of|not|must|required|in|for|with|from)\b))[^\s&\"'\\,;<>}]+"
    r"|(?P<basic>\bBasic(?:\s+|%20|\+))(?P<pair>[\w+/-]{4,}={0,2})"
    r"|(?P<head>(?:authorization|(?:set-)?cookie|client_?secret|assertion|(?:access|refresh|id)_?token|device_code"
    r"|password|passphrase|api[_-]?key|AccountKey|(?:\b|%3F|%26)sig)[\\\"']*\s*(?:[=:]|%3D|%3A)\s*"
    r"(?![\\\"']*(?:(?:env|file|keyring|fd):|\*{4}))"  # where a secret is, is none; what is struck, is
    r"(?:(?:Bearer|Basic|Negotiate|NTLM|Digest|SharedKey)\s+)?)"
    r"(?:(?P<quote>\\*[\"'])(?:Bearer\s+|Basic\s+)?.*?(?P<end>(?P=quote)|$)|[^\s&\"'\\,;<>}]+)"
    r"|\b(?-i:eyJ)[\w-]{4,}(?:\.[\w-]*)*",  # a JWT, even one that was cut
    re.IGNORECASE,
)
_OF_TOKENS: Final = "-._" + string.ascii_letters + string.digits

_USERS: Final = re.compile(r"(?<=://)(?!user:password@)[^\s/?#\"'\\]*@")
"""User and password of a URL, but not where a message says how to spell one."""

_NAMES: Final = re.compile(
    r"secret|password|passwd|passphrase|assertion|authorization|cookie|credential|private[_-]?key|api[_-]?key|^sig(nature)?$"
    r"|token(?!s$|_?(?:expir|renew|refresh|timeout|lifetime|type|count|file|command|endpoint|source))",
    re.IGNORECASE,
)


def printable(text: str) -> str:
    r"""`text` with everything escaped that does not print: line breaks, colours, what turns the writing direction."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def without_shapes(text: str) -> str:
    """`text` without what has the shape of a secret: tokens, signatures of links, what stands behind telling names."""
    if "://" in text and "@" in text:
        text = _USERS.sub(f"{MASK}@", text)
    lower = text.lower()
    for trigger in _TRIGGERS:  # a generator would double the time
        if trigger in lower:
            return _SHAPES.sub(_masked, text)
    return text


class Redactor:
    """Strikes secrets out of text: known values wherever they stand, and what has the shape of one.

    One serves a whole invocation, and `learn`s of secrets as they are met, from any thread.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._lock = threading.Lock()
        self._secrets: set[str] = set()
        self._known: tuple[tuple[str, str], ...] = ()
        """The beginning and the whole of each known secret in each of its spellings, the longest first."""
        self.learn(*secrets)

    def learn(self, *secrets: str) -> None:
        """Strike these out as well from now on, however they are spelt: percent-encoded, in base64, escaped."""
        with self._lock:
            fresh = {secret for secret in secrets if len(secret) >= SHORTEST} - _WORDS_OF_JSON - self._secrets
            if not fresh:
                return
            self._secrets |= fresh
            known = {spelt for secret in fresh for spelt in spellings(secret)} | {whole for _, whole in self._known}
            ordered = sorted(known, key=lambda whole: (-len(whole), whole))
            self._known = tuple((whole[:HEAD], whole) for whole in ordered)  # at once: others may be reading it

    def text(self, text: str) -> str:
        """`text` without secrets."""
        return self._struck(text, without_shapes)

    def known(self, text: str) -> str:
        """`text` without the secrets that have been learnt; for a result, which may look like one and be none."""
        return self._struck(text, str)

    def value(self, value: Any, *, name: str = "") -> Any:
        """`value` without secrets, whatever it is made of; `name` is the field it stands under.

        Names of fields are our own, and stay: who reads the document again goes by them.
        """
        match value:
            case None | bool():
                return value
            case _ if _NAMES.search(name):
                return MASK
            case int() | float():
                return value
            case Mapping():
                return {str(key): self.value(item, name=str(key)) for key, item in value.items()}
            case list() | tuple() | set() | frozenset():
                return [self.value(item, name=name) for item in value]
            case _:
                return printable(self.text(str(value)))

    def __call__(self, _logger: object, _method: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
        """As a structlog processor."""
        return {key: self.value(item, name=key) for key, item in event.items()}

    def _struck(self, text: str, strike_shapes: Callable[[str], str]) -> str:
        met = [whole for head, whole in self._known if head in text]
        for whole in met:
            text = text.replace(whole, MASK)
        text = strike_shapes(text)
        for whole in met:
            if len(whole) > HEAD:
                text = _without_beginning(text, whole)
        return self._without_end(text) if text.endswith(CUT) else text

    def _without_end(self, text: str) -> str:
        """`text`, which was cut, without what may be the beginning of a secret before the cut, however little of it."""
        for head, whole in self._known:
            for length in range(min(HEAD, len(whole)) - 1, SHORTEST - 1, -1):
                if text.endswith(head[:length] + CUT):
                    return f"{text[: -length - len(CUT)]}{MASK}{CUT}"
        return text


def spellings(secret: str) -> Iterator[str]:
    """The ways a secret may be written where somebody echoes, quotes or encodes it."""
    import html  # noqa: PLC0415 - all of this only where there is a secret
    import json  # noqa: PLC0415
    from urllib.parse import quote, quote_plus  # noqa: PLC0415

    for spelt in (quote(secret), quote(secret, ""), quote_plus(secret)):
        yield spelt
        yield re.sub("%..", lambda code: code[0].lower(), spelt)
    yield from (secret, html.escape(secret), html.escape(secret, quote=False), repr(secret)[1:-1])
    yield from (json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1])
    yield from _in_base64(secret.encode(errors="surrogatepass"))


def _in_base64(content: bytes) -> Iterator[str]:
    """What base64 always shows of `content`, whatever stands before and behind it: `user:password`, say."""
    for before in range(3):
        whole = base64.b64encode(b"\0" * before + content).decode()
        core = whole[(0, 2, 3)[before] : (before + len(content)) * 8 // 6]
        if len(core) >= 2 * SHORTEST:
            yield core
            yield core.translate({ord("+"): "-", ord("/"): "_"})


def _without_beginning(text: str, whole: str) -> str:
    """`text` without what is the beginning of `whole`, cut somewhere behind its head."""
    start = text.find(whole[:HEAD])
    while start >= 0:
        end = start + _alike(text[start:], whole)
        if whole.startswith("eyJ"):  # another token begins alike
            end += len(text[end:]) - len(text[end:].lstrip(_OF_TOKENS))
        text = f"{text[:start]}{MASK}{text[end:]}"
        start = text.find(whole[:HEAD], start + len(MASK))
    return text


def _alike(one: str, other: str) -> int:
    """How many characters two texts have in common from the first on."""
    pairs = zip(one, other, strict=False)
    return next((at for at, (mine, yours) in enumerate(pairs) if mine != yours), min(len(one), len(other)))


def _masked(found: re.Match[str]) -> str:
    if found["pair"]:
        return f"{found['basic']}{MASK}" if _is_pair(found["pair"]) else found[0]
    if found["quote"]:
        return f"{found['head']}{found['quote']}{MASK}{found['end']}"
    return (found["bearer"] or found["head"] or "") + MASK


def _is_pair(text: str) -> bool:
    """Whether it is `user:password` in base64, perhaps cut, and no word behind `Basic`."""
    text = text.rstrip("=").translate({ord("-"): "+", ord("_"): "/"})
    return b":" in base64.b64decode(text[: len(text) // 4 * 4] or "")
