"""PURE: what names, the proxy, TLS and the clock are worth, seen from this machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median
from typing import Final, assert_never

from bulkpause.doctor.checks import Check, Grade, Name, Obstacle
from bulkpause.doctor.facts import NameFacts, ProxyFacts, RoadFacts, Stage
from bulkpause.doctor.words import said_span

SOON_DAYS: Final = 14
"""A server's certificate that ends sooner should have been renewed by now."""

SKEW_WARNING_S: Final = 30.0
SKEW_FAILURE_S: Final = 300.0
"""Entra takes assertions and tokens that are up to five minutes out (AADSTS700024)."""

_SEE_WHO: Final = "`openssl s_client -connect {host}:{port}` shows who signed it"
_WRONG_CLOCK: Final = frozenset({9, 10, 0x800B0101, -67818, -67819})
_UNKNOWN_ISSUER: Final = frozenset({18, 19, 20, 21, 0x800B0109, 0x800B010A, -67843})
_OTHER_HOST: Final = frozenset({62, 64, 0x800B010F, -67602})
"""Why a certificate is refused, by OpenSSL's, Windows's and macOS's numbers, as `trust` spells them out."""

_TUNNEL_REFUSED: Final = frozenset({401, 403, 407})


def judge_names(names: Sequence[NameFacts]) -> Check:
    """Whether the hosts' names lead anywhere."""
    known: dict[str, object] = {
        "hosts": [
            {
                "purpose": name.purpose,
                "host": name.host,
                "addresses": list(name.addresses),
                "by_proxy": name.by_proxy,
                "elapsed_ms": round(name.elapsed_ms, 1),
                "flaw": name.flaw,
            }
            for name in names
        ]
    }
    if flawed := [name for name in names if name.flaw is not None]:
        first = flawed[0]
        return Check(
            name=Name.DNS,
            grade=Grade.FAILED,
            said=f"{first.host} ({first.purpose}): {first.flaw}",
            details=tuple(_said_name(name) for name in names if name is not first),
            remedy=f"check the spelling in {_setting(first.purpose)}, the VPN, and the name servers: "
            f"`nslookup {first.host}`; where only a proxy knows names, set HTTPS_PROXY",
            facts=known,
            obstacle=Obstacle.UNREACHABLE,
        )
    said = [_said_name(name) for name in names]
    return Check(name=Name.DNS, grade=Grade.OK, said=said[0], details=tuple(said[1:]), facts=known)


def _setting(purpose: str) -> str:
    return "api.base_url (--base-url)" if purpose == "API" else "auth.authority (AZURE_AUTHORITY_HOST)"


def _said_name(name: NameFacts) -> str:
    if name.by_proxy:
        return f"{name.host} ({name.purpose}): resolved by the proxy"
    if name.flaw is not None:
        return f"{name.host} ({name.purpose}): {name.flaw}"
    four = [address for address in name.addresses if ":" not in address]
    six = [address for address in name.addresses if ":" in address]
    parts = [f"{kind} {', '.join(found)}" for kind, found in (("IPv4", four), ("IPv6", six)) if found]
    return f"{name.host} ({name.purpose}): {'; '.join(parts)}"


def judge_proxy(proxies: Sequence[ProxyFacts], roads: Sequence[RoadFacts]) -> Check:
    """Whether the proxies, if there are any, can be reached and let through; each is that of the road to its host."""
    found = {proxy.purpose: proxy for proxy in proxies}
    ways = [(found[road.purpose], road) for road in roads if road.purpose in found]
    known: dict[str, object] = {
        "proxies": [
            {
                "purpose": proxy.purpose,
                "url": proxy.url,
                "origin": proxy.origin,
                "host": road.host,
                "port": road.port,
                "status": road.proxy_status,
                "flaw": _proxy_flaw(road),
            }
            for proxy, road in ways
        ]
    }
    if not ways:
        return Check(name=Name.PROXY, grade=Grade.OK, said="none", facts=known)
    said = {proxy.purpose: _said_proxy(proxy, road) for proxy, road in ways}
    proxy, road = next(((proxy, road) for proxy, road in ways if _proxy_flaw(road) is not None), ways[0])
    others = tuple(line for purpose, line in said.items() if purpose != proxy.purpose)
    if _proxy_flaw(road) is None:
        return Check(name=Name.PROXY, grade=Grade.OK, said=said[proxy.purpose], details=others, facts=known)
    remedy = (
        f"check {proxy.origin}: is the address right, and the proxy up? Without a need for one, unset it or list "
        f"{road.host} in NO_PROXY"
    )
    obstacle = Obstacle.UNREACHABLE
    if road.ended is Stage.TUNNEL:
        remedy = f"ask whoever runs the proxy to let CONNECT through to {road.host}:{road.port}"
        obstacle = Obstacle.NOT_AUTHORISED if road.proxy_status in _TUNNEL_REFUSED else Obstacle.UNREACHABLE
        if road.proxy_status in {401, 407}:
            remedy = (
                f"check user and password in {proxy.origin}: http://user:password@host:port, odd characters "
                "percent-encoded (@ is %40)"
            )
    return Check(
        name=Name.PROXY,
        grade=Grade.FAILED,
        said=said[proxy.purpose],
        details=others,
        remedy=remedy,
        facts=known,
        obstacle=obstacle,
    )


def _said_proxy(proxy: ProxyFacts, road: RoadFacts) -> str:
    result = _proxy_flaw(road) or f"connects to {road.host}:{road.port}"
    return f"{proxy.url} ({proxy.purpose}, by {proxy.origin}): {result}"


def _proxy_flaw(road: RoadFacts) -> str | None:
    return road.flaw if road.ended in {Stage.PROXY, Stage.TUNNEL} else None


def judge_tls(roads: Sequence[RoadFacts], *, trusted: str, now: datetime) -> Check:
    """Whether the hosts can be reached, are who they say they are, and for how long; `trusted` says by whose word."""
    known: dict[str, object] = {
        "trust": trusted,
        "hosts": [
            {
                "purpose": road.purpose,
                "host": road.host,
                "port": road.port,
                "remote": road.remote,
                "version": road.tls_version,
                "subject": None if road.certificate is None else road.certificate.subject,
                "issuer": None if road.certificate is None else road.certificate.issuer,
                "expires_at": None
                if road.certificate is None
                else road.certificate.expires_at.isoformat(timespec="seconds").replace("+00:00", "Z"),
                "days_left": None if road.certificate is None else (road.certificate.expires_at - now).days,
                "connect_ms": None if road.connect_ms is None else round(road.connect_ms, 1),
                "flaw": road.flaw,
            }
            for road in roads
        ],
    }
    said = {road.purpose: _said_road(road, now=now) for road in roads}
    flawed = next((road for road in roads if road.ended is not Stage.WHOLE), None)
    ending = next((road for road in roads if _days_left(road, now) < SOON_DAYS), None)
    first = flawed or ending or roads[0]
    others = tuple(said[road.purpose] for road in roads if road is not first)
    if flawed is not None:
        return Check(
            name=Name.TLS,
            grade=Grade.FAILED,
            said=said[flawed.purpose],
            details=others,
            remedy=_road_remedy(flawed),
            facts=known,
            obstacle=Obstacle.UNREACHABLE,
        )
    details = (*others, f"trusted by {trusted}") if any(not road.is_plain for road in roads) else others
    if ending is not None:
        remedy = f"whoever runs {ending.host} has to renew it; from that day on nothing is sent there"
        return Check(
            name=Name.TLS,
            grade=Grade.WARNING,
            said=said[ending.purpose],
            details=details,
            remedy=remedy,
            facts=known,
        )
    return Check(name=Name.TLS, grade=Grade.OK, said=said[first.purpose], details=details, facts=known)


def _days_left(road: RoadFacts, now: datetime) -> float:
    return float("inf") if road.certificate is None else (road.certificate.expires_at - now).days


def _said_road(road: RoadFacts, *, now: datetime) -> str:
    place = f"{road.host}:{road.port}"
    if road.flaw is not None:
        return f"{place} ({road.purpose}): {road.flaw}"
    if road.is_plain:
        return f"{place} ({road.purpose}): http, which never leaves this machine"
    said = f"{place} ({road.purpose}): {road.tls_version}"
    if road.certificate is not None:
        left_s = (road.certificate.expires_at - now).total_seconds()
        said += f", {road.certificate.subject} by {road.certificate.issuer}, expires in {said_span(left_s)}"
    return said


def _road_remedy(road: RoadFacts) -> str:
    """What to do about a road that ends early."""
    setting = _setting(road.purpose)
    match road.ended:
        case Stage.CONNECT:
            return (
                f"network, VPN or firewall? Is a proxy needed (HTTPS_PROXY)? Is {setting} right? "
                "If others reach it from here, the service is down"
            )
        case Stage.TLS:
            return _tls_remedy(road, setting)
        case Stage.PROXY | Stage.TUNNEL:
            return "first what is said of proxy"
        case Stage.WHOLE:
            return "nothing"
        case _:
            assert_never(road.ended)


def _tls_remedy(road: RoadFacts, setting: str) -> str:
    see_who = _SEE_WHO.format(host=road.host, port=road.port)
    if road.is_client_certificate_wanted:
        return "set api.client_certificate_file to a PEM with certificate and key that it accepts; ask whoever runs it"
    if road.verify_code in _WRONG_CLOCK:
        return f"check this machine's clock (`date -u`); if that is right, whoever runs {road.host} has to renew it"
    if road.verify_code in _UNKNOWN_ISSUER:
        return (
            f"{see_who}. If that is your own network's authority, give its PEM with --ca-file FILE (api.ca_file); "
            "if nobody knows it, somebody is in between: stop here"
        )
    if road.verify_code in _OTHER_HOST:
        return f"check {setting}; if that is right, somebody else answers in its place: {see_who}"
    return f"check that {setting} names an https port, and that nothing in between meddles with TLS; then try again"


@dataclass(frozen=True, slots=True)
class _Skew:
    """How far the clock is out, and in which direction."""

    skew_s: float

    def __str__(self) -> str:
        if abs(self.skew_s) < 1:  # a Date header knows whole seconds
            return "within a second of the service's"
        return f"{said_span(self.skew_s)} {'ahead of' if self.skew_s > 0 else 'behind'} the service's"


def judge_clock(roads: Sequence[RoadFacts]) -> Check:
    """Whether this machine's time is the service's; each road may have brought one Date."""
    seen = [road.skew_s for road in roads if road.skew_s is not None]
    known: dict[str, object] = {"skew_s": round(median(seen), 1) if seen else None, "seen": len(seen)}
    if not seen:
        said = "not known: no server said what time it is"
        return Check(name=Name.CLOCK, grade=Grade.OK, said=said, facts=known)
    skew = _Skew(median(seen))
    remedy = "set the clock by NTP: `timedatectl set-ntp true` on Linux, `w32tm /resync` on Windows"
    if abs(skew.skew_s) > SKEW_FAILURE_S:
        return Check(
            name=Name.CLOCK,
            grade=Grade.FAILED,
            said=f"{skew}; sign-ins and tokens are refused then (AADSTS700024), and certificates seem expired",
            remedy=remedy,
            facts=known,
            obstacle=Obstacle.CONFIGURATION,
        )
    if abs(skew.skew_s) > SKEW_WARNING_S:
        return Check(name=Name.CLOCK, grade=Grade.WARNING, said=str(skew), remedy=remedy, facts=known)
    return Check(name=Name.CLOCK, grade=Grade.OK, said=str(skew), facts=known)
