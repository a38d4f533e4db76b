"""The road to a host: name, proxy, TCP, TLS, and one HEAD without a token for the server's idea of the time."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import ssl
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from bulkpause.aside import aside
from bulkpause.clock import Clock
from bulkpause.doctor.facts import CertificateFacts, NameFacts, RoadFacts, Stage
from bulkpause.proxying import Proxy
from bulkpause.retry import parse_http_date
from bulkpause.trust import lasting_flaw, trouble

if TYPE_CHECKING:
    from cryptography import x509

_STATUS: Final = re.compile(rb"HTTP/1\.[01] (\d{3})")
_DATE: Final = re.compile(rb"^date:[ \t]*([^\r\n]+)", re.IGNORECASE | re.MULTILINE)
_WANTS_CERTIFICATE: Final = frozenset(
    {"TLSV13_ALERT_CERTIFICATE_REQUIRED", "SSLV3_ALERT_HANDSHAKE_FAILURE", "SSLV3_ALERT_BAD_CERTIFICATE"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """A host that a run talks to."""

    purpose: str
    name: str
    port: int
    is_plain: bool = False
    """http instead of https."""

    @classmethod
    def of(cls, url: str, *, purpose: str) -> Host:
        """The host of an http or https URL."""
        parts = urlsplit(url)
        is_plain = parts.scheme == "http"
        return cls(
            purpose=purpose, name=parts.hostname or "", port=parts.port or (80 if is_plain else 443), is_plain=is_plain
        )

    @property
    def address(self) -> str:
        """Host and port, as CONNECT and Host spell them."""
        return f"[{self.name}]:{self.port}" if ":" in self.name else f"{self.name}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Vehicle:
    """How to travel: the proxy, whom to trust, how long to wait."""

    context: ssl.SSLContext
    proxy: Proxy | None = None
    connect_timeout_s: float
    timeout_s: float
    user_agent: str


async def look_up(host: Host, *, clock: Clock, timeout_s: float) -> NameFacts:
    """Where the host's name leads, as the system's resolver has it."""
    started_s = clock.monotonic_s()
    facts = NameFacts(purpose=host.purpose, host=host.name)
    try:
        found = await aside(
            lambda: socket.getaddrinfo(host.name, host.port, type=socket.SOCK_STREAM),
            name="resolver",
            timeout_s=timeout_s,
        )
    except TimeoutError:
        return replace(facts, flaw=f"the name servers do not answer within {timeout_s:g} s")
    except socket.gaierror as error:
        return replace(facts, flaw=f"its name cannot be resolved ({_sentence(error)})")
    except (OSError, UnicodeError) as error:
        return replace(facts, flaw=f"its name cannot be resolved ({_reason(error)})")
    elapsed_ms = (clock.monotonic_s() - started_s) * 1000
    return replace(facts, addresses=tuple(dict.fromkeys(str(each[4][0]) for each in found)), elapsed_ms=elapsed_ms)


async def travel(host: Host, vehicle: Vehicle, *, clock: Clock) -> RoadFacts:
    """Go to the host and back. Failures are facts."""
    trip = _Trip(host, vehicle, clock)
    facts = RoadFacts(purpose=host.purpose, host=host.name, port=host.port, is_plain=host.is_plain)
    try:
        async with asyncio.timeout(vehicle.connect_timeout_s + vehicle.timeout_s):
            return await trip.go(facts)
    except (OSError, EOFError, ValueError) as error:  # ValueError: no HTTP head within its limit
        return trip.failed(facts, error)
    finally:
        trip.close()


class _Trip:
    """One connection under way; `stage` is what it is trying."""

    def __init__(self, host: Host, vehicle: Vehicle, clock: Clock) -> None:
        self._host, self._vehicle, self._clock = host, vehicle, clock
        self._stage = Stage.CONNECT
        self._proxy_status: int | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def go(self, facts: RoadFacts) -> RoadFacts:
        """All the way. Raises OSError, EOFError or ValueError where it ends."""
        host, vehicle = self._host, self._vehicle
        started_s = self._clock.monotonic_s()
        async with asyncio.timeout(vehicle.connect_timeout_s):
            if vehicle.proxy is None:
                reader, writer = await asyncio.open_connection(host.name, host.port, happy_eyeballs_delay=0.25)
                self._writer = writer
            else:
                reader, writer = await self._through(vehicle.proxy)
            remote = None if vehicle.proxy is not None else str(writer.get_extra_info("peername")[0])
            if not host.is_plain:
                self._stage = Stage.TLS
                await writer.start_tls(vehicle.context, server_hostname=host.name)
        connect_ms = (self._clock.monotonic_s() - started_s) * 1000
        version, certificate = _seen(writer)
        facts = replace(facts, remote=remote, connect_ms=connect_ms, tls_version=version, certificate=certificate)
        return replace(facts, skew_s=await self._ask_the_time(reader, writer))

    def failed(self, facts: RoadFacts, error: Exception) -> RoadFacts:
        """The same with how it ended."""
        reason = getattr(error, "reason", None) or ""
        return replace(
            facts,
            ended=self._stage,
            flaw=self._flaw(error),
            proxy_status=self._proxy_status,
            verify_code=getattr(error, "verify_code", None),
            is_client_certificate_wanted=self._stage is Stage.TLS and reason in _WANTS_CERTIFICATE,
        )

    def close(self) -> None:
        """Leave at once: nothing is owed to anybody."""
        if self._writer is not None:
            self._writer.transport.abort()

    async def _through(self, proxy: Proxy) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection to the host by the proxy's CONNECT."""
        self._stage = Stage.PROXY
        parts = urlsplit(proxy.url)
        is_secure = parts.scheme == "https"
        reader, writer = await asyncio.open_connection(
            parts.hostname,
            parts.port or (443 if is_secure else 80),
            ssl=self._vehicle.context if is_secure else None,
        )
        self._writer = writer
        self._stage = Stage.TUNNEL
        address = self._host.address
        lines = [f"CONNECT {address} HTTP/1.1", f"Host: {address}", f"User-Agent: {self._vehicle.user_agent}"]
        lines += [f"{name}: {value}" for name, value in proxy.headers.items()]
        head = await self._exchange(reader, writer, lines)
        status = _STATUS.match(head)
        if status is None:
            raise ValueError("what answers there is no HTTP proxy")
        if not status[1].startswith(b"2"):
            self._proxy_status = int(status[1])
            raise ValueError(f"it refuses to connect to {address}: {status[1].decode()}")
        return reader, writer

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, lines: list[str]) -> bytes:
        """Send a request without a body; the head of the answer."""
        writer.write("\r\n".join([*lines, "", ""]).encode())
        await writer.drain()
        try:
            return await reader.readuntil(b"\r\n\r\n")
        except asyncio.LimitOverrunError:
            raise ValueError("what answers there speaks no HTTP") from None

    async def _ask_the_time(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> float | None:
        """This machine's clock less the server's, half the way there and back allowed for; None if it does not say."""
        lines = ["HEAD / HTTP/1.1", f"Host: {self._host.address}", f"User-Agent: {self._vehicle.user_agent}"]
        sent_s = self._clock.monotonic_s()
        try:
            async with asyncio.timeout(self._vehicle.timeout_s):
                head = await self._exchange(reader, writer, [*lines, "Connection: close"])
        except ssl.SSLError:
            raise  # TLS 1.3 asks for a client certificate only once its handshake is over
        except (OSError, EOFError, ValueError):
            return None  # a road without a HEAD is a road
        here = self._clock.now() - timedelta(seconds=(self._clock.monotonic_s() - sent_s) / 2)
        date = _DATE.search(head)
        there = None if date is None else parse_http_date(date[1].decode("latin-1").strip())
        return None if there is None else (here - there).total_seconds() - 0.5  # it is cut to whole seconds

    def _flaw(self, error: Exception) -> str:
        """What went wrong, in a line."""
        host, timeout_s = self._host, self._vehicle.connect_timeout_s
        match error:
            case TimeoutError():
                what = {Stage.PROXY: "the proxy does not answer", Stage.TUNNEL: "the proxy does not answer CONNECT"}
                return f"{what.get(self._stage, 'no connection')} within {timeout_s:g} s"
            case ssl.SSLCertVerificationError():
                return f"its certificate is refused: {lasting_flaw(error) or error.verify_message}"
            case ssl.SSLError():
                return f"TLS fails: {trouble(error)}"
            case EOFError() | ConnectionError() if self._stage in {Stage.TUNNEL, Stage.TLS}:
                return f"{'the proxy' if self._stage is Stage.TUNNEL else host.name} hangs up"
            case socket.gaierror():
                return f"its name cannot be resolved ({_sentence(error)})"
            case OSError():
                return f"cannot connect: {_reason(error)}"
            case _:
                return str(error)


def _seen(writer: asyncio.StreamWriter) -> tuple[str | None, CertificateFacts | None]:
    """What TLS came to: its version, and whose certificate was shown; nothing without it."""
    connection = writer.get_extra_info("ssl_object")
    der = None if connection is None else connection.getpeercert(binary_form=True)
    if der is None:
        return None, None
    from cryptography import x509  # noqa: PLC0415 - slow to import

    certificate = x509.load_der_x509_certificate(der)
    return connection.version(), CertificateFacts(
        subject=_common_name(certificate.subject) or _first_name(certificate),
        issuer=_common_name(certificate.issuer) or _organisation(certificate.issuer) or "nobody in particular",
        expires_at=certificate.not_valid_after_utc,
    )


def _common_name(name: x509.Name) -> str | None:
    from cryptography.x509.oid import NameOID  # noqa: PLC0415

    return next((str(each.value) for each in name.get_attributes_for_oid(NameOID.COMMON_NAME)), None)


def _organisation(name: x509.Name) -> str | None:
    from cryptography.x509.oid import NameOID  # noqa: PLC0415

    return next((str(each.value) for each in name.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)), None)


def _first_name(certificate: x509.Certificate) -> str:
    """The first of the hosts it is for."""
    from cryptography import x509  # noqa: PLC0415

    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return "nameless"
    return next((str(each.value) for each in names), "nameless")


def _reason(error: Exception) -> str:
    """The system's words for it, also where asyncio has put an address in their place, or several errors in one."""
    found = re.search(r"\[Errno (\d+)\]", str(error))
    number = (error.errno if isinstance(error, OSError) else None) or (int(found[1]) if found else None)
    return os.strerror(number) if number else str(error) or type(error).__name__


def _sentence(error: socket.gaierror) -> str:
    return error.strerror or "no reason given"
