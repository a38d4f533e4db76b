"""What the leak test tries: which secret is planted where, and which command then meets what trouble."""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bulkpause.leaks.canaries import ODD, Canary, issued, planted
from bulkpause.leaks.child import PLANTED
from bulkpause.sandbox import Sandbox, SandboxSettings, parse_fault

REPORTS: Final = 3
FAILED: Final = frozenset({1})
REFUSED: Final = frozenset({1, 69, 77})
"""How a command may end that is not let in, whichever part of it notices first."""

CHILD_ENVIRONMENT: Final = "environment-of-child.txt"

_PRINTER: Final = """\
import os, sys
with open({report!r}, "w", encoding="utf-8") as stream:
    stream.write("\\n".join(f"{{name}}={{text}}" for name, text in os.environ.items()))
print(open(sys.argv[1], encoding="utf-8").read())
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One command in a directory of its own."""

    name: str
    arguments: Sequence[str]
    environ: Mapping[str, str] = field(repr=False)
    codes: frozenset[int] | None
    """The exit codes it may have, if it went as planned; None for a death by a signal."""
    mode: str = "run"
    """Of `bulkpause.leaks.child`."""
    after: str | None = None
    """The scene in whose directory it runs, when that is over."""


def services(sas: Canary, rng: random.Random) -> Mapping[str, SandboxSettings]:
    """One that anybody signs in at, one for ready tokens, and one that refuses the sign-in; all repeat what they hear.

    Half of the failures heal by being tried again, half do not.
    """
    faults = (parse_fault(f"echo:500={sas.value}@every=2"), parse_fault(f"echo:400={sas.value}"))
    hostile = tuple(parse_fault(f"echo:400={sas.value}@{target}") for target in ("token", "list", "pause"))
    return {
        "entra": SandboxSettings(reports=REPORTS, seed=rng.getrandbits(32), faults=faults),
        "open": SandboxSettings(reports=REPORTS, seed=rng.getrandbits(32), faults=faults, tls=False),
        "hostile": SandboxSettings(reports=REPORTS, seed=rng.getrandbits(32), faults=hostile),
    }


class Stage:
    """Plants the secrets in `folder`, and knows the scenes. It writes files, which nobody but the commands may read."""

    def __init__(
        self,
        folder: Path,
        served: Mapping[str, Sandbox],
        *,
        proxy_port: int,
        sas: Canary,
        rng: random.Random,
    ) -> None:
        self._folder = folder
        self._served = served
        self._proxy_port = proxy_port
        self._rng = rng
        self.canaries = [
            sas,
            Canary("the client secret", served["entra"].client_secret, (served["entra"].client_secret,)),
        ]

    def scenes(self) -> list[Scene]:
        """Every scene, its secrets planted."""
        entra, ready, hostile = (self._served[name] for name in ("entra", "open", "hostile"))
        opaque, jwt = self._opaque("a ready token"), ready.issue_token()
        self.canaries.append(issued("a ready token that is a JWT", jwt))
        secret, passphrase, refresh = (
            self._plant(place, odd=ODD)
            for place in ("a client secret that is refused", "the certificate's passphrase", "the refresh token")
        )
        app = _app(entra)
        bare = {name: text for name, text in _app(hostile).items() if name != "AZURE_CLIENT_SECRET"}
        refused = bare | {"AZURE_CLIENT_SECRET": secret}
        bearer = {"BULKPAUSE_TOKEN": opaque}
        everything = bearer | {
            "AZURE_CLIENT_SECRET": secret,
            "AZURE_CLIENT_CERTIFICATE_PASSWORD": passphrase,
            "BULKPAUSE_AUTH__REFRESH_TOKEN": refresh,
            "BULKPAUSE_API__PROXY": self._proxy(),
        }
        direct = {name: text for name, text in everything.items() if name != "BULKPAUSE_API__PROXY"}
        token_file = self._file("token", self._opaque("the token file"))
        certificate = self._file("partner.pem", self._plant("the file of the certificate"))
        assertion = self._file("assertion", self._plant("the assertion"))
        mounted = self._mounted()
        return [
            Scene(name="app-console", arguments=_pause(entra, "-vv"), environ=app, codes=FAILED),
            Scene(name="app-json", arguments=_pause(entra, *_LOUD), environ=app, codes=FAILED),
            Scene(name="app-refused", arguments=_pause(hostile, *_LOUD), environ=refused, codes=REFUSED),
            Scene(
                name="certificate",
                arguments=_pause(hostile, "-vv"),
                environ=bare
                | {"AZURE_CLIENT_CERTIFICATE_PATH": certificate, "AZURE_CLIENT_CERTIFICATE_PASSWORD": passphrase},
                codes=REFUSED,
            ),
            Scene(
                name="federated",
                arguments=_pause(hostile, "-vv"),
                environ=bare | {"BULKPAUSE_AUTH__FLOW": "federated", "AZURE_FEDERATED_TOKEN_FILE": assertion},
                codes=REFUSED,
            ),
            Scene(
                name="refresh-token",
                arguments=_pause(hostile, "-vv"),
                environ=refused | {"BULKPAUSE_AUTH__FLOW": "refresh_token", "BULKPAUSE_AUTH__REFRESH_TOKEN": refresh},
                codes=REFUSED,
            ),
            Scene(name="token-opaque", arguments=_pause(ready, *_LOUD), environ=bearer, codes=FAILED),
            Scene(name="token-jwt", arguments=_pause(ready, "-vv"), environ={"BULKPAUSE_TOKEN": jwt}, codes=FAILED),
            Scene(
                name="token-file",
                arguments=_pause(ready, "-vv"),
                environ={"BULKPAUSE_AUTH__TOKEN_FILE": token_file},
                codes=FAILED,
            ),
            Scene(
                name="token-command",
                arguments=_pause(ready, *_LOUD, "--config", self._with_command()),
                environ={name: text for name, text in direct.items() if name != "BULKPAUSE_TOKEN"},
                codes=FAILED,
            ),
            Scene(
                name="secrets-dir", arguments=_pause(ready, "-vv", "--secrets-dir", mounted), environ={}, codes=FAILED
            ),
            Scene(
                name="proxy",
                arguments=_pause(entra, *_LOUD),
                environ=app | {"BULKPAUSE_API__PROXY": self._proxy()},
                codes=REFUSED,
            ),
            Scene(
                name="list",
                arguments=["list", *_target(hostile)],
                environ={"BULKPAUSE_TOKEN": hostile.issue_token()},
                codes=REFUSED,
            ),
            Scene(name="config", arguments=["config", "show"], environ=everything, codes=frozenset({0})),
            Scene(name="config-json", arguments=["config", "show", "--json"], environ=everything, codes=frozenset({0})),
            *(
                Scene(
                    name=mode,
                    mode=mode,
                    arguments=_pause(ready, "-vv"),
                    environ=direct | {PLANTED: ",".join(direct)},
                    codes=codes,
                )
                for mode, codes in (("crash", frozenset({70})), ("mess", FAILED), ("abort", None))
            ),
            *(
                Scene(name=name, arguments=arguments, environ=bearer, codes=frozenset({0, 1}), after="token-opaque")
                for name, arguments in (
                    ("show", ["show", "last", "--runs-dir", "runs", "--failures"]),
                    ("show-json", ["show", "last", "--runs-dir", "runs", "--json"]),
                )
            ),
        ]

    def learn_issued(self) -> None:
        """Look for every token that a service has handed out meanwhile, too."""
        for name, sandbox in self._served.items():
            known = {canary.value for canary in self.canaries}
            self.canaries += [issued(f"a token of {name}", token) for token in sandbox.tokens if token not in known]

    def _plant(self, place: str, *, odd: str = "") -> str:
        canary = planted(place, self._rng, odd=odd)
        self.canaries.append(canary)
        return canary.value

    def _opaque(self, place: str) -> str:
        """A token without a telling shape that the service for ready tokens takes."""
        token = self._plant(place)
        self._served["open"].accept_token(token)
        return token

    def _proxy(self) -> str:
        user, password = self._plant("the user of the proxy"), self._plant("the password of the proxy", odd="%2F%40%25")
        return f"http://{user}:{password}@127.0.0.1:{self._proxy_port}"

    def _file(self, name: str, content: str) -> str:
        file = self._folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(mode=0o600)
        file.write_text(content, encoding="utf-8")
        return str(file)

    def _mounted(self) -> str:
        self._file("mounted/BULKPAUSE_TOKEN", self._opaque("a directory of secrets"))
        return str(self._folder / "mounted")

    def _with_command(self) -> str:
        """A settings file with a command that prints a token, and writes down what it sees of the environment."""
        token = self._file("printed-token", self._opaque("the output of a token command"))
        command = [sys.executable, "-c", _PRINTER.format(report=CHILD_ENVIRONMENT), token]
        return self._file("command.toml", f"[auth]\ntoken_command = {json.dumps(command)}\n")


_LOUD: Final = ("-vv", "--log-format", "json", "--json")


def _target(sandbox: Sandbox) -> list[str]:
    trust = ["--ca-file", str(sandbox.ca_file)] if sandbox.settings.tls else []
    return ["--base-url", sandbox.base_url, *trust]


def _pause(sandbox: Sandbox, *more: str) -> list[str]:
    quick = ("--max-tries", "2", "--rate", "1000/s", "--yes", "--runs-dir", "runs")
    return ["pause", f"{sandbox.settings.seed}.csv", *_target(sandbox), *quick, *more]


def _app(sandbox: Sandbox) -> dict[str, str]:
    """The variables that sign an app in there."""
    return {
        "AZURE_AUTHORITY_HOST": sandbox.authority.removesuffix(f"/{sandbox.tenant_id}"),
        "AZURE_TENANT_ID": sandbox.tenant_id,
        "AZURE_CLIENT_ID": sandbox.client_id,
        "AZURE_CLIENT_SECRET": sandbox.client_secret,
    }
