"""The examination: everything is looked at in the order of its dependence, and what cannot be is skipped."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from bulkpause import __version__
from bulkpause.aside import aside
from bulkpause.clock import Clock
from bulkpause.doctor.checks import Check, Name, skipped
from bulkpause.doctor.facts import (
    ConfigurationFacts,
    ExchangeFacts,
    FileFacts,
    FolderFacts,
    LimitFacts,
    NameFacts,
    ProxyFacts,
    RoadFacts,
    Stage,
    TokenFacts,
)
from bulkpause.doctor.look.disk import look_at_files, look_at_folder
from bulkpause.doctor.look.road import Host, Vehicle, look_up, travel
from bulkpause.doctor.look.service import OneToken, knock, sign_in
from bulkpause.doctor.machine import judge_configuration, judge_files, judge_open_files, judge_run_directory
from bulkpause.doctor.network import judge_clock, judge_names, judge_proxy, judge_tls
from bulkpause.doctor.service import is_apps_own, judge_mfa, judge_service, judge_token, lets_in
from bulkpause.models import Verdict
from bulkpause.open_files import RESERVED, RESERVED_IN_SANDBOX, allow_open_files, connections_within
from bulkpause.permissions import exposure
from bulkpause.proxying import Proxy
from bulkpause.settings import Flow, ProxyUrl, Settings
from bulkpause.settings.clouds import CLOUDS
from bulkpause.signin import acquire_for, advice_for, token_timeout_s, trust_of

DISK_TIMEOUT_S: Final = 10.0
"""A disk that takes longer is a network file system whose server is away."""

SIGNED_IN_ELSEWHERE: Final = frozenset({"token", "managed_identity"})
"""Flows that never talk to `auth.authority`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is examined."""

    settings: Settings | None
    """None if they cannot be read."""
    configuration: ConfigurationFacts
    flow: Flow | None
    """None if it cannot be decided."""
    runs_path: Path
    origins: Mapping[str, str] = field(default_factory=dict)
    """Where each setting comes from."""
    is_sandbox: bool = False


async def examine(
    subject: Subject,
    *,
    clock: Clock,
    begin: Callable[[Name], None],
    learn: Callable[[str], None],
    say: Callable[[str], None],
) -> tuple[Check, ...]:
    """Every check there is, in order.

    `begin` hears what is looked at next, `learn` each secret that is met; `say` is how a person is asked to sign in.
    """
    return await _Examination(subject, clock, begin, learn, say).carry_out()


class _Examination:
    """One examination under way."""

    def __init__(
        self,
        subject: Subject,
        clock: Clock,
        begin: Callable[[Name], None],
        learn: Callable[[str], None],
        say: Callable[[str], None],
    ) -> None:
        self._subject, self._clock, self._begin, self._learn, self._say = subject, clock, begin, learn, say
        self._checks: list[Check] = []
        self._flawed: tuple[str, ...] = ()
        """Settings that name a file which cannot be used."""

    async def carry_out(self) -> tuple[Check, ...]:
        """Look at everything."""
        configuration, settings = self._subject.configuration, self._subject.settings
        self._add(judge_configuration(configuration))
        if settings is None:
            self._skip(Name.FILES, because=Name.CONFIGURATION)
        else:
            await self._files(settings)
        await self._machine(settings or Settings())
        if settings is None:
            for name in list(Name)[len(self._checks) :]:
                self._skip(name, because=Name.CONFIGURATION)
        else:
            await self._network(settings)
        return tuple(self._checks)

    def _add(self, check: Check) -> None:
        self._checks.append(check)

    def _skip(self, name: Name, *, because: Name) -> None:
        self._add(skipped(name, because))

    async def _files(self, settings: Settings) -> None:
        self._begin(Name.FILES)
        now, is_ours = self._clock.now(), self._subject.is_sandbox
        try:
            files = await aside(
                lambda: look_at_files(settings, now=now, with_ca_file=not is_ours, exposure=exposure),
                name="doctor",
                timeout_s=DISK_TIMEOUT_S,
            )
        except TimeoutError:
            flaw = f"a file that the settings name cannot be read within {DISK_TIMEOUT_S:g} s"
            files = (FileFacts(setting="api.*, auth.*", path="", flaw=flaw),)
        self._flawed = tuple(file.setting for file in files if file.flaw is not None)
        self._add(judge_files(files, now=now))

    async def _machine(self, settings: Settings) -> None:
        self._begin(Name.RUN_DIRECTORY)
        path = self._subject.runs_path
        try:
            folder = await aside(lambda: look_at_folder(path), name="doctor", timeout_s=DISK_TIMEOUT_S)
        except TimeoutError:
            folder = FolderFacts(path=str(path), flaw=f"the disk does not answer within {DISK_TIMEOUT_S:g} s")
        self._add(judge_run_directory(folder))
        self._begin(Name.OPEN_FILES)
        reserved, each = (RESERVED_IN_SANDBOX, 2) if self._subject.is_sandbox else (RESERVED, 1)
        wanted = settings.run.concurrency
        allowed = allow_open_files(reserved + each * wanted)
        fitting = connections_within(allowed, reserved=reserved, each=each)
        self._add(judge_open_files(LimitFacts(allowed=allowed, fitting=fitting, wanted=wanted)))

    async def _network(self, settings: Settings) -> None:
        hosts = _hosts(settings, flow=self._subject.flow)
        self._begin(Name.DNS)
        names = await self._names(settings, hosts)
        self._add(judge_names(names))
        found = [host for host, name in zip(hosts, names, strict=True) if name.flaw is None]
        has_no_trust = any("api." in setting for setting in self._flawed)
        if has_no_trust or not found:
            because = Name.FILES if has_no_trust else Name.DNS
            for name in (Name.PROXY, Name.TLS, Name.CLOCK, Name.TOKEN, Name.SERVICE, Name.MFA):
                self._skip(name, because=because)
            return
        roads = await self._roads(settings, found)
        await self._service(settings, hosts, {road.purpose: road for road in roads})

    async def _names(self, settings: Settings, hosts: Sequence[Host]) -> list[NameFacts]:
        async def name_of(host: Host) -> NameFacts:
            if _proxy_to(host, settings) is not None:
                return NameFacts(purpose=host.purpose, host=host.name, by_proxy=True)
            if _is_address(host.name):
                return NameFacts(purpose=host.purpose, host=host.name, addresses=(host.name,))
            return await look_up(host, clock=self._clock, timeout_s=settings.api.connect_timeout_s)

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(name_of(host)) for host in hosts]
        return [task.result() for task in tasks]

    async def _roads(self, settings: Settings, hosts: Sequence[Host]) -> list[RoadFacts]:
        """Proxy, TLS and clock, by one connection to each host."""
        api, context = settings.api, trust_of(settings).context()
        proxies = [facts for host in hosts if (facts := self._proxy_facts(host, settings)) is not None]
        self._begin(Name.PROXY if proxies else Name.TLS)

        def vehicle(host: Host) -> Vehicle:
            url = _proxy_to(host, settings)
            return Vehicle(
                context=context,
                proxy=None if url is None else Proxy.parse(url.reveal()),
                connect_timeout_s=api.connect_timeout_s,
                timeout_s=api.timeout_s,
                user_agent=f"bulkpause/{__version__}",
            )

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(travel(host, vehicle(host), clock=self._clock)) for host in hosts]
        roads = [task.result() for task in tasks]
        self._add(judge_proxy(proxies, roads))
        through = [road for road in roads if road.ended not in {Stage.PROXY, Stage.TUNNEL}]
        if not through:
            self._skip(Name.TLS, because=Name.PROXY)
            self._skip(Name.CLOCK, because=Name.PROXY)
            return roads
        self._add(judge_tls(through, trusted=_trusted(settings, self._subject), now=self._clock.now()))
        whole = [road for road in through if road.ended is Stage.WHOLE]
        if whole:
            self._add(judge_clock(whole))
        else:
            self._skip(Name.CLOCK, because=Name.TLS)
        return roads

    def _proxy_facts(self, host: Host, settings: Settings) -> ProxyFacts | None:
        url, origins = _proxy_to(host, settings), self._subject.origins
        if url is None:
            return None
        origin = origins.get("api.proxy" if host.purpose == "API" else "auth.proxy", "default")
        return ProxyFacts(purpose=host.purpose, url=str(url), origin=origins.get(origin, origin))

    async def _service(self, settings: Settings, hosts: Sequence[Host], roads: dict[str, RoadFacts]) -> None:
        """Token, service and MFA."""
        flow = self._subject.flow
        blame = {host.purpose: _blame(roads.get(host.purpose)) for host in hosts}
        has_no_credential = any("auth." in setting for setting in self._flawed)
        obstacle = Name.FILES if has_no_credential else blame.get("sign-in")
        if (nobody := self._subject.configuration.nobody) is not None:
            self._add(self._judged(settings, TokenFacts(flaw=nobody), flow="refresh_token", is_let_in=None))
            self._skip(Name.SERVICE, because=Name.TOKEN)
            self._skip(Name.MFA, because=Name.TOKEN)
            return
        if flow is None or obstacle is not None:
            for name in (Name.TOKEN, Name.SERVICE, Name.MFA):
                self._skip(name, because=Name.CONFIGURATION if flow is None else obstacle or Name.TLS)
            return
        self._begin(Name.TOKEN)
        facts, token = await self._sign_in(settings, flow, claims_wanted=None)
        exchanges: tuple[ExchangeFacts, ...] = ()
        if token is not None and blame["API"] is None:
            self._begin(Name.SERVICE)
            exchanges = await self._knock(settings, facts, token)
            if (wanted := exchanges[-1].reply.claims) is not None:  # a challenge is honoured once, as a run does
                again, fresh = await self._sign_in(settings, flow, claims_wanted=wanted)
                if fresh is not None:
                    facts, exchanges = again, await self._knock(settings, again, fresh)
        refused = {Verdict.UNAUTHORISED, Verdict.FORBIDDEN}
        took = [False if each.reply.verdict in refused else lets_in(each.reply) or None for each in exchanges]
        self._add(self._judged(settings, facts, flow=flow, is_let_in=took[0] if took else None))
        if not exchanges:
            because = Name.TOKEN if token is None else blame["API"] or Name.TLS
            self._skip(Name.SERVICE, because=because)
            self._skip(Name.MFA, because=because)
            return
        self._add(judge_service(exchanges, flow=flow, advice=advice_for(settings, flow)))
        if exchanges[0].reply.verdict is Verdict.UNANSWERED and not is_apps_own(facts.claims):
            self._skip(Name.MFA, because=Name.SERVICE)
        else:
            self._add(judge_mfa(facts, exchanges, flow=flow))

    def _judged(self, settings: Settings, facts: TokenFacts, *, flow: str, is_let_in: bool | None) -> Check:
        return judge_token(
            facts,
            flow=flow,
            audiences=_audiences(settings),
            tenant_id=settings.auth.tenant_id,
            is_let_in=is_let_in,
            now=self._clock.now(),
        )

    async def _sign_in(
        self, settings: Settings, flow: Flow, *, claims_wanted: str | None
    ) -> tuple[TokenFacts, OneToken | None]:
        return await sign_in(
            acquire_for(settings, clock=self._clock, learn=self._learn, say=self._say),
            clock=self._clock,
            timeout_s=token_timeout_s(settings, flow),
            learn=self._learn,
            claims_wanted=claims_wanted,
        )

    async def _knock(self, settings: Settings, facts: TokenFacts, token: OneToken) -> tuple[ExchangeFacts, ...]:
        return await knock(settings, token, clock=self._clock, asks_for_mfa=not is_apps_own(facts.claims))


def _hosts(settings: Settings, *, flow: str | None) -> list[Host]:
    """The hosts that a run will talk to, the API first."""
    hosts = [Host.of(settings.api.base_url, purpose="API")]
    if flow is not None and flow not in SIGNED_IN_ELSEWHERE:
        hosts.append(Host.of(settings.auth.authority, purpose="sign-in"))
    return hosts


def _proxy_to(host: Host, settings: Settings) -> ProxyUrl | None:
    """The proxy on the way to a host; there is none to this machine by http, where it would see the token."""
    if host.is_plain:
        return None
    return settings.api.proxy if host.purpose == "API" else settings.auth.proxy


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _blame(road: RoadFacts | None) -> Name | None:
    """Which check says why there is no way to a host; None if there is one."""
    if road is None:
        return Name.DNS
    if road.ended in {Stage.PROXY, Stage.TUNNEL}:
        return Name.PROXY
    return None if road.ended is Stage.WHOLE else Name.TLS


def _audiences(settings: Settings) -> frozenset[str]:
    """What a token for the API may be for."""
    scope = settings.auth.scope
    given = {CLOUDS[settings.api.cloud].api} | ({scope.rpartition("/")[0]} if scope is not None else set())
    return frozenset(audience.lower().rstrip("/") for audience in given if audience)


def _trusted(settings: Settings, subject: Subject) -> str:
    if subject.is_sandbox:
        return "the sandbox's own authority"
    file = settings.api.ca_file
    return "the system" if file is None else f"the system and api.ca_file {file}"
