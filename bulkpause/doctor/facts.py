"""What was seen, before anybody judges it: frozen values, standard library and nouns only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from bulkpause.models import Quota, Reply


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigurationFacts:
    """Where the settings come from and what they come to."""

    flaw: str | None = None
    """Why they cannot be used, a line for each setting that is wrong."""
    files: tuple[str, ...] = ()
    profile: str | None = None
    told: tuple[tuple[str, str, str], ...] = ()
    """Each setting that is not its default: key, text (secrets masked), origin."""
    target: str | None = None
    cloud: str | None = None
    family: str | None = None
    flow: str | None = None
    why: str | None = None
    """What decided on the flow."""
    nobody: str | None = None
    """That a person has to sign in first, where the flow is theirs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileFacts:
    """One file that the settings name."""

    setting: str
    path: str
    flaw: str | None = None
    """Why it cannot be used."""
    expires_at: datetime | None = None
    """Of a certificate."""
    changed_at: datetime | None = None
    """Of a file that something keeps fresh."""
    exposure: str | None = None
    """Who else can read a file that holds a secret, and what to type."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderFacts:
    """Where runs are recorded."""

    path: str
    flaw: str | None = None
    """Why nothing can be written there."""
    sync_ms: float | None = None
    free_bytes: int | None = None
    kind: str | None = None
    """Of its file system, as the system calls it; None where that cannot be told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitFacts:
    """How many files the process may have open."""

    allowed: int | None
    """None for no limit."""
    fitting: int | None
    """Connections that this leaves room for; None for any number."""
    wanted: int
    """The concurrency asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NameFacts:
    """What a host's name leads to."""

    purpose: str
    """`API` or `sign-in`."""
    host: str
    addresses: tuple[str, ...] = ()
    elapsed_ms: float = 0.0
    flaw: str | None = None
    by_proxy: bool = False
    """Whether it is the proxy that looks it up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyFacts:
    """Which proxy there is on the way to a host, without its password."""

    purpose: str
    url: str
    origin: str


class Stage(StrEnum):
    """How far the road to a host leads."""

    PROXY = "proxy"
    """No connection to the proxy."""
    TUNNEL = "tunnel"
    """The proxy lets nobody through."""
    CONNECT = "connect"
    """No connection to the host."""
    TLS = "tls"
    WHOLE = "whole"


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateFacts:
    """Whose certificate a server showed."""

    subject: str
    issuer: str
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RoadFacts:
    """The road to one host: a connection of its own, TLS, and one HEAD without a token."""

    purpose: str
    host: str
    port: int
    ended: Stage = Stage.WHOLE
    """What failed, WHOLE if nothing did."""
    flaw: str | None = None
    proxy_status: int | None = None
    """The proxy's answer to CONNECT, if it was a refusal."""
    verify_code: int | None = None
    """OpenSSL's reason to refuse the certificate."""
    is_client_certificate_wanted: bool = False
    is_plain: bool = False
    """Whether it is http, to this machine."""
    remote: str | None = None
    tls_version: str | None = None
    certificate: CertificateFacts | None = None
    connect_ms: float | None = None
    skew_s: float | None = None
    """This machine's clock less the server's; None if the server sent no Date."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenFacts:
    """What came of the sign-in. The token itself is not here."""

    flaw: str | None = None
    is_away: bool = False
    """Whether the sign-in could not be asked, rather than said no."""
    source: str | None = None
    elapsed_ms: float = 0.0
    claims: Mapping[str, Any] = field(default_factory=dict)
    expires_at: datetime | None = None
    """None if the token does not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeFacts:
    """One harmless GET."""

    reply: Reply
    elapsed_ms: float
    quota: Quota | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    """Of the reply, those worth a look, by their names in lower case."""
    correlation_id: str | None = None
