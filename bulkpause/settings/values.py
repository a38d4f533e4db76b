"""The types of single settings: secrets that do not print, proxies, rates and commands; each parses itself."""

from __future__ import annotations

import math
import os
import re
import shlex
from abc import abstractmethod
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final, Literal, NoReturn, Self, cast, get_args
from urllib.parse import urlsplit

from bulkpause.guards import FORMS, Guard, parse_guard
from bulkpause.limits import Moment, parse_duration, parse_until, resolve_until, spell_duration
from bulkpause.redaction import MASK

_UNIT_S = {"s": 1, "sec": 1, "second": 1, "m": 60, "min": 60, "minute": 60, "h": 3600, "hour": 3600}


class Parsed:
    """A type that reads itself from the text of a flag, a variable or a file, alike with and without pydantic."""

    __slots__ = ()

    @classmethod
    @abstractmethod
    def parse(cls, value: object) -> Self:
        """The value that `value` spells; ValueError says what is allowed and never quotes it."""

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: object, _handler: object) -> Any:
        from pydantic_core import core_schema  # noqa: PLC0415 - pydantic is there only if there is text to parse

        return core_schema.no_info_plain_validator_function(cls.parse)


class Secret(Parsed):
    """A text that shows only to `reveal()`: printed, formatted and logged it is `****`; it cannot be serialised."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        if not text:
            raise ValueError("must not be empty")
        self._text = text

    @classmethod
    def parse(cls, value: object) -> Self:
        """A secret from a text, another secret or a reference to one; ValueError if it is empty or none of them."""
        match value:
            case SecretReference():
                return cast("Self", value)  # stands in for what it will be resolved to
            case Secret():
                return cls(value.reveal())
            case str():
                return cls(value)
            case _:
                raise ValueError("must be text")

    def reveal(self) -> str:
        """The secret itself; only for the line of code that sends it."""
        return self._text

    def __repr__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return format(repr(self), spec)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash((Secret, self._text))

    def __reduce_ex__(self, _protocol: object) -> NoReturn:
        raise TypeError("a secret cannot be serialised")

    def __deepcopy__(self, _memo: object) -> Self:
        return self


class ProxyUrl(Secret):
    """The URL of an HTTP proxy, whose user and password are masked when it is printed."""

    __slots__ = ()

    def __init__(self, text: str) -> None:
        url = text if "://" in text else f"http://{text}"  # curl and requests read a bare host:port so
        try:
            parts = urlsplit(url)
            usable = parts.scheme in {"http", "https"} and is_host(parts.hostname or "") and parts.port != 0
            usable = usable and "@" not in url.partition(parts.netloc)[2]  # else part of a password is host and port
        except ValueError:  # its text can quote the password
            usable = False
        if not usable or not is_visible_ascii(url):
            raise ValueError(
                "must be http://host:port or http://user:password@host:port, odd characters percent-encoded"
            )
        super().__init__(url)

    def __repr__(self) -> str:
        return mask_url(self._text)


Scheme = Literal["env", "file", "keyring", "fd"]
"""Where a reference leads."""

REFERENCE_FORMS: Final = "env:NAME, file:PATH, keyring:SERVICE/NAME or fd:N (3 or above)"

_PLACES: Final = {
    "env": r"[^=\s]+",
    "file": r".+",
    "keyring": r".+/[^/]+",
    "fd": r"[3-9]|[1-9][0-9]{1,5}",  # 0 to 2 are the ids, the result and the log
}


class SecretReference(Secret):
    """Where a secret is to be had: no secret itself, so it prints, and nothing to reveal before it is resolved."""

    __slots__ = ()

    def __init__(self, text: str) -> None:
        scheme, _, place = text.partition(":")
        if scheme not in get_args(Scheme) or not text.isprintable() or not re.fullmatch(_PLACES[scheme], place):
            raise ValueError(f"must be a reference: {REFERENCE_FORMS}")
        self._text = text

    @property
    def scheme(self) -> Scheme:
        """What kind of place it is."""
        return cast("Scheme", self._text.partition(":")[0])

    @property
    def place(self) -> str:
        """The name, path, `SERVICE/NAME` or number behind the scheme."""
        return self._text.partition(":")[2]

    def below(self, folder: Path) -> Self:
        """The same with the path of a `file:` taken from `folder`, unless it is absolute or begins with `~`."""
        if self.scheme != "file":
            return self
        path = folder / os.path.expanduser(self.place)  # noqa: PTH111 - pathlib's raises where a user is unknown
        return type(self)(f"file:{path}")

    def resolved(self, text: str) -> Secret:
        """What it stands for, of the type that its setting has. ValueError, which does not quote it: not allowed."""
        return Secret(text)

    def reveal(self) -> NoReturn:
        """TypeError: `resolve_secrets` comes first."""
        raise TypeError(f"{self._text} is a reference that nobody has resolved")

    def __repr__(self) -> str:
        return self._text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SecretReference) and other._text == self._text

    def __hash__(self) -> int:
        return hash((SecretReference, self._text))


class ProxyReference(SecretReference, ProxyUrl):
    """Where the URL of a proxy with its password is to be had."""

    __slots__ = ()

    def resolved(self, text: str) -> Secret:
        """See SecretReference."""
        return ProxyUrl(text)


@dataclass(frozen=True, slots=True)
class Rate(Parsed):
    """Attempts per second, above zero."""

    per_s: float

    def __post_init__(self) -> None:
        if not 0 < self.per_s < math.inf:
            raise ValueError("must be above zero, such as 10/s, 600/min or 36000/h")

    @classmethod
    def parse(cls, value: object) -> Self:
        """A rate from `10/s`, `600/min`, `36000/h` or a bare number per second; ValueError otherwise."""
        if isinstance(value, cls):
            return value
        text = "" if isinstance(value, bool) else str(value)
        match = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]+)?)\s*(?:/\s*([a-z]+))?\s*", text)
        unit_s = _UNIT_S.get(match[2] or "s") if match else None
        if match is None or unit_s is None:
            raise ValueError("must be a rate such as 10/s, 600/min or 36000/h")
        return cls(float(match[1]) / unit_s)

    def __str__(self) -> str:
        amount, unit = next(
            ((self.per_s * s, name) for name, s in (("s", 1), ("min", 60)) if self.per_s * s >= 1),
            (self.per_s * 3600, "h"),
        )
        return f"{f'{amount:.6f}'.rstrip('0').rstrip('.')}/{unit}"


@dataclass(frozen=True, slots=True)
class Duration(Parsed):
    """Some time, in seconds."""

    seconds: float

    @classmethod
    def parse(cls, value: object) -> Self:
        """A duration from `45m`, `1h30m`, `90s` or a bare number of seconds; ValueError otherwise."""
        return value if isinstance(value, cls) else cls(parse_duration(str(value)))

    def __str__(self) -> str:
        return spell_duration(self.seconds)


@dataclass(frozen=True, slots=True)
class Until(Parsed):
    """A time by which all must be over, as the operator has put it."""

    text: str
    moment: Moment
    instant: datetime | None = None
    """What it comes to, once that is decided: a command that begins before midnight means the same behind it."""

    @classmethod
    def parse(cls, value: object) -> Self:
        """A time from `23:30`, `23:30 Europe/Amsterdam`, `23:30+01:00` and so on; ValueError otherwise."""
        return value if isinstance(value, cls) else cls(str(value), parse_until(str(value)))

    def resolved(self, *, now: datetime, local: tzinfo) -> Self:
        """The same with its instant. ValueError: its date has passed."""
        return replace(self, instant=resolve_until(self.moment, now=now, local=local))

    def __str__(self) -> str:
        return self.text


class Command(tuple[str, ...], Parsed):
    """A program and its arguments, run without a shell."""

    __slots__ = ()

    @classmethod
    def parse(cls, value: object) -> Self:
        """A command from a list of texts, or one text split at blanks outside quotes; backslashes are plain."""
        argv: Iterable[object] = value if isinstance(value, (list, tuple)) else ()
        if isinstance(value, str):
            argv = words = shlex.shlex(value, posix=True)
            words.whitespace_split, words.commenters, words.escape = True, "", ""  # C:\bin\az must survive
        try:
            given = list(argv)
        except ValueError:
            raise ValueError("must close every quote") from None
        command = cls(word for word in given if isinstance(word, str))
        if len(command) < len(given) or not command or command[0][:1] in {"", "["}:  # JSON in a variable, most likely
            raise ValueError('must be a program and its arguments: a list in a file, "az account ..." in a variable')
        return command

    def __str__(self) -> str:
        return shlex.join(self)


class GuardList(tuple[Guard, ...], Parsed):
    """The guards that end a run; none at all is spelt `none`."""

    __slots__ = ()

    @classmethod
    def parse(cls, value: object) -> Self:
        """Guards from a list of texts or one text, with commas between them; `none` strikes out those before it."""
        if isinstance(value, cls):
            return value
        given = [value] if isinstance(value, str) else value
        if not isinstance(given, (list, tuple)) or not all(isinstance(text, str) for text in given):
            raise ValueError(f"must be a list of guards such as {FORMS}")
        guards: list[Guard] = []
        for text in ",".join(given or ["none"]).split(","):
            if text.strip().lower() == "none":
                guards.clear()
            else:
                guards.append(parse_guard(text))
        return cls(guards)

    def __str__(self) -> str:
        return ", ".join(map(str, self)) or "none"


def is_visible_ascii(text: str) -> bool:
    """Whether `text` is only printable ASCII without blanks, as URLs and header values must be."""
    return bool(text) and text.isascii() and text.isprintable() and " " not in text


def is_host(name: str) -> bool:
    """Whether `name` can be looked up: an IP address, or parts of 1 to 63 characters, the last of them no number.

    Looking others up raises no OSError, as for a name that is not known, but UnicodeError and InvalidURL.
    """
    with suppress(ValueError):
        ip_address(name)
        return True
    parts = name.removesuffix(".").split(".")
    return all(0 < len(part) < 64 for part in parts) and not parts[-1].isdigit()  # noqa: PLR2004 - RFC 1035


def mask_url(url: str) -> str:
    """`url` with what may be secret in it (user, password, query, fragment) masked."""
    return re.sub(r"[?#].*", f"?{MASK}", re.sub(r"//.*@", f"//{MASK}@", url, flags=re.DOTALL), flags=re.DOTALL)
