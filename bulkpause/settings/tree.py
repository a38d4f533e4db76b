"""The settings tree: every setting, its default and its limits, defined here and nowhere else."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from bulkpause.errors import ConfigError
from bulkpause.settings.checks import SettingError, check_choice, check_number, checked_url, shown
from bulkpause.settings.clouds import CLOUDS, Cloud, Family, base_url, family_of
from bulkpause.settings.values import (
    Command,
    Duration,
    GuardList,
    ProxyUrl,
    Rate,
    Secret,
    SecretReference,
    Until,
    is_visible_ascii,
)

Flow = Literal["client_secret", "certificate", "federated", "managed_identity", "refresh_token", "device_code", "token"]
AssertionFrom = Literal["file", "command", "github", "managed_identity"]
TokenStore = Literal["auto", "encrypted", "keyring", "file"]
Progress = Literal["auto", "plain", "none"]
LogLevel = Literal["debug", "info", "warning", "error"]
LogFormat = Literal["console", "json"]

WELL_KNOWN = {
    "auth.tenant_id": "AZURE_TENANT_ID",
    "auth.client_id": "AZURE_CLIENT_ID",
    "auth.client_secret": "AZURE_CLIENT_SECRET",
    "auth.certificate_file": "AZURE_CLIENT_CERTIFICATE_PATH",
    "auth.certificate_passphrase": "AZURE_CLIENT_CERTIFICATE_PASSWORD",
    "auth.assertion_file": "AZURE_FEDERATED_TOKEN_FILE",
    "auth.authority": "AZURE_AUTHORITY_HOST",
    "auth.token": "BULKPAUSE_TOKEN",
}
"""The well-known variable of a setting: the Azure SDK's names, and ours for a ready token."""


@dataclass(frozen=True, slots=True)
class Api:
    """The far side and the way to it."""

    cloud: Cloud = "global"
    family: Family | None = None
    """None for what `base_url` says."""
    base_url: str = base_url("global", "mpn")
    timeout_s: float = 30.0
    connect_timeout_s: float = 10.0
    read_timeout_s: float = 30.0
    ca_file: Path | None = None
    client_certificate_file: Path | None = None
    client_certificate_passphrase: Secret | None = None
    proxy: ProxyUrl | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "base_url", checked_url("api.base_url", self.base_url))
        check_number("api.timeout_s", self.timeout_s, above=0)
        check_number("api.connect_timeout_s", self.connect_timeout_s, above=0)
        check_number("api.read_timeout_s", self.read_timeout_s, above=0)
        check_choice("api.cloud", self.cloud, Cloud)
        if self.family is not None:
            check_choice("api.family", self.family, Family)

    @property
    def reports_family(self) -> Family:
        """`family`, or what `base_url` says."""
        return self.family or family_of(self.base_url)


@dataclass(frozen=True, slots=True)
class Auth:
    """Who asks, and how that is proven."""

    flow: Flow | None = None
    tenant_id: str | None = None
    client_id: str | None = None
    client_secret: Secret | None = None
    certificate_file: Path | None = None
    certificate_passphrase: Secret | None = None
    assertion_from: AssertionFrom | None = None
    assertion_file: Path | None = None
    assertion_command: Command | None = None
    identity_client_id: str | None = None
    """The user-assigned managed identity that speaks for a federated app; None for the machine's own."""
    refresh_token: Secret | None = None
    token_store: TokenStore = "auto"  # noqa: S105 - a place, no token
    token: Secret | None = None
    token_file: Path | None = None
    token_command: Command | None = None
    authority: str = CLOUDS["global"].authority
    proxy: ProxyUrl | None = None
    """The way to the authority; `load` puts here what is meant if nothing is set."""
    scope: str | None = None
    """None for the API's own: `/.default` for an app alone, `/user_impersonation` for an app and a person."""
    timeout_s: float = 30.0

    def __post_init__(self) -> None:
        if self.flow is not None:
            check_choice("auth.flow", self.flow, Flow)
        if self.assertion_from is not None:
            check_choice("auth.assertion_from", self.assertion_from, AssertionFrom)
        check_choice("auth.token_store", self.token_store, TokenStore)
        for name in ("tenant_id", "client_id", "identity_client_id"):
            value = getattr(self, name)
            if value is not None and not re.fullmatch(r"[0-9A-Za-z][0-9A-Za-z.-]*", value):
                raise SettingError(f"auth.{name}", value, "must be a UUID or a domain name")
        if self.tenant_id is not None and self.tenant_id.lower() in {"common", "organizations", "consumers"}:
            why = "must name the one tenant whose reports these are: its UUID or a domain name"
            raise SettingError("auth.tenant_id", self.tenant_id, why)
        token = None if isinstance(self.token, SecretReference) else self.token
        if token is not None and not is_visible_ascii(token.reveal()):
            raise SettingError("auth.token", token, "must be the token alone: no 'Bearer', no blank, no line break")
        authority = self.authority if "://" in self.authority else f"https://{self.authority}"  # as the Azure SDK does
        if urlsplit(checked_url("auth.authority", authority)).path or not authority.startswith("https://"):
            raise SettingError("auth.authority", authority, "must be https://host; the tenant goes into auth.tenant_id")
        object.__setattr__(self, "authority", authority.rstrip("/"))
        if self.scope is not None and not is_visible_ascii(self.scope):
            raise SettingError("auth.scope", self.scope, "must be one scope without blanks")
        check_number("auth.timeout_s", self.timeout_s, above=0)

    def decide_flow(self, *, signed_in: bool = False) -> Flow:
        """`flow` if set, else what is given: a ready token, a person's sign-in, the credentials of an app.

        `signed_in`: whether `bulkpause login` has left a sign-in. ConfigError lists what is missing.
        """
        token_given = any(value is not None for value in (self.token, self.token_file, self.token_command))
        flow: Flow
        if self.flow is not None:
            flow = self.flow
        elif token_given:
            flow = "token"
        elif self.refresh_token is not None or signed_in:
            flow = "refresh_token"
        else:
            flow = self._app_flow()
        if flow == "token" and not token_given:
            raise ConfigError("auth.flow is token: set BULKPAUSE_TOKEN, auth.token_file or auth.token_command.")
        missing = [f"auth.{name}" for name in _NEEDED[flow] if getattr(self, name) is None]
        if missing:
            names = ", ".join(f"{WELL_KNOWN[key]} ({key})" for key in missing)
            person = " Or, for reports of the mpn family, type `bulkpause login` to sign in as a person."
            raise ConfigError(
                f"Credentials are missing for sign-in by {flow}. Set {names}; or BULKPAUSE_TOKEN to a token."
                f"{'' if flow in {'refresh_token', 'device_code'} else person}"
            )
        if flow == "federated":
            self.decide_assertion()
        return flow

    def _app_flow(self) -> Flow:
        """The one flow of an app that credentials are given for; ConfigError if there are several."""
        telling: Mapping[Flow, tuple[str, ...]] = {
            "client_secret": ("client_secret",),
            "certificate": ("certificate_file",),
            "federated": ("assertion_from", "assertion_file", "assertion_command", "identity_client_id"),
        }
        given: dict[Flow, str] = {}
        for flow, names in telling.items():
            if told := [f"auth.{name}" for name in names if getattr(self, name) is not None]:
                given[flow] = told[0]
        if len(given) > 1:
            *keys, last = given.values()
            *flows, last_flow = given
            raise ConfigError(
                f"{'Both ' if len(given) == 2 else ''}{', '.join(keys)} and {last} are given:"  # noqa: PLR2004
                f" set auth.flow to {', '.join(flows)} or {last_flow} to say which one counts."
            )
        return next(iter(given), "client_secret")

    def decide_assertion(self) -> AssertionFrom:
        """`assertion_from` if set, else what is given; ConfigError says what is missing, or what is too much."""
        given: list[AssertionFrom] = []
        if self.assertion_file is not None:
            given.append("file")
        if self.assertion_command is not None:
            given.append("command")
        if self.identity_client_id is not None:
            given.append("managed_identity")
        source = self.assertion_from
        if source is None and len(given) > 1:
            raise ConfigError(
                f"auth.assertion_from is not set, and there is more than one assertion: set it to {' or '.join(given)}."
            )
        if source is None and given:
            return given[0]
        if source in {"github", "managed_identity"} or source in given:
            return source
        raise ConfigError(
            "An assertion is missing for sign-in by federated. Set AZURE_FEDERATED_TOKEN_FILE (auth.assertion_file) or"
            " auth.assertion_command, or auth.assertion_from to github or managed_identity."
        )


_NEEDED: Mapping[Flow, tuple[str, ...]] = {
    "client_secret": ("tenant_id", "client_id", "client_secret"),
    "certificate": ("tenant_id", "client_id", "certificate_file"),
    "federated": ("tenant_id", "client_id"),
    "managed_identity": (),
    "refresh_token": ("tenant_id", "client_id"),
    "device_code": ("tenant_id", "client_id"),
    "token": (),
}
"""What each flow cannot do without."""


@dataclass(frozen=True, slots=True)
class Run:
    """How fast, how many at once, until when, and where it is recorded."""

    rate: Rate = Rate(100.0)  # noqa: RUF009 - it is frozen
    rate_start: Rate = Rate(25.0)  # noqa: RUF009 - the same
    adapt: bool = True
    concurrency: int = 32
    time_limit: Duration | None = None
    until: Until | None = None
    guard: Duration = Duration(0.0)  # noqa: RUF009 - it is frozen
    runs_dir: Path | None = None
    confirm_above: int = 50
    drain_timeout_s: float = 30.0
    snapshot: bool = True
    verify: bool = False
    progress: Progress = "auto"

    def __post_init__(self) -> None:
        check_number("run.concurrency", self.concurrency, least=1, most=1024)
        check_number("run.confirm_above", self.confirm_above, least=0)
        check_number("run.drain_timeout_s", self.drain_timeout_s, least=0)
        check_choice("run.progress", self.progress, Progress)
        if self.time_limit is not None:
            check_number("run.time_limit", self.time_limit.seconds, above=0)
            if self.guard.seconds >= self.time_limit.seconds:
                raise SettingError("run.guard", self.guard, f"must be less than run.time_limit ({self.time_limit})")

    @property
    def runs_path(self) -> Path:
        """`runs_dir`, or where this platform keeps state: `~/.local/state/bulkpause/runs` on Linux."""
        if self.runs_dir is not None:
            return self.runs_dir
        from platformdirs import user_state_path  # noqa: PLC0415 - costs milliseconds at start-up

        return user_state_path("bulkpause", appauthor=False) / "runs"


@dataclass(frozen=True, slots=True)
class Retry:
    """How often and how long one report is tried."""

    max_tries: int = 6
    deadline_s: float = 900.0
    backoff_base_s: float = 0.5
    backoff_cap_s: float = 60.0
    retry_after_cap_s: float = 300.0

    def __post_init__(self) -> None:
        check_number("retry.max_tries", self.max_tries, least=1)
        check_number("retry.deadline_s", self.deadline_s, above=0)
        check_number("retry.backoff_base_s", self.backoff_base_s, least=0)
        check_number("retry.backoff_cap_s", self.backoff_cap_s, least=0)
        check_number("retry.retry_after_cap_s", self.retry_after_cap_s, least=0)
        if self.backoff_cap_s < self.backoff_base_s:
            why = f"must be at least retry.backoff_base_s ({shown(self.backoff_base_s)})"
            raise SettingError("retry.backoff_cap_s", self.backoff_cap_s, why)


@dataclass(frozen=True, slots=True)
class Halt:
    """When a run ends by itself. Without guards from elsewhere, when it is denied everything."""

    when: GuardList = GuardList.parse("denied>3 of first 4, denied>99 of last 100")  # noqa: RUF009 - it is frozen
    give_up_after_s: float = 300.0

    def __post_init__(self) -> None:
        check_number("halt.give_up_after_s", self.give_up_after_s, above=0)


@dataclass(frozen=True, slots=True)
class Audit:
    """Where the ledger goes, if not into the run directory, and who signs it."""

    file: Path | None = None
    signing_key_file: Path | None = None


@dataclass(frozen=True, slots=True)
class Log:
    """What the program says on stderr."""

    level: LogLevel = "warning"
    format: LogFormat = "console"

    def __post_init__(self) -> None:
        check_choice("log.level", self.level, LogLevel)
        check_choice("log.format", self.format, LogFormat)


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings of one invocation."""

    api: Api = Api()
    auth: Auth = Auth()
    run: Run = Run()
    retry: Retry = Retry()
    halt: Halt = Halt()
    audit: Audit = Audit()
    log: Log = Log()


def setting_values(settings: Settings) -> dict[str, object]:
    """Every setting by its dotted key, `run.rate` and so on, in the order of the tree."""
    sections = ((section.name, getattr(settings, section.name)) for section in fields(settings))
    return {
        f"{name}.{field.name}": getattr(section, field.name) for name, section in sections for field in fields(section)
    }


def settings_digest(settings: Settings) -> str:
    """SHA-256 over every setting with secrets masked: two runs with the same digest were told the same."""
    text = "\n".join(f"{key}={value}" for key, value in setting_values(settings).items())
    return hashlib.sha256(text.encode(errors="backslashreplace")).hexdigest()
