"""A person who has signed in at a sandbox, in a store of their own; and a program that renews what is in it."""

from __future__ import annotations

import sys
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson

from bulkpause.auth.entra import EntraApp
from bulkpause.auth.person import stored_sign_in
from bulkpause.auth.places import Kind
from bulkpause.auth.store import ClientKind, Kept, SignIn, SignInKey, SignInStore
from bulkpause.auth.tokens import Acquire
from bulkpause.clock import SystemClock
from bulkpause.sandbox import Sandbox
from bulkpause.trust import Trust

CLOCK = SystemClock()
SCOPE = "https://api.partnercenter.microsoft.com/user_impersonation"
LONG_AGO = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
KEY = SignInKey(authority="https://login.example", tenant_id="contoso.example", client_id="app")


def a_sign_in(key: SignInKey = KEY, *, kept_in: Kind = "file", client: ClientKind = "confidential") -> SignIn:
    return SignIn(
        key=key,
        account="jane@contoso.example",
        client=client,
        kept_in=kept_in,
        signed_in_at=LONG_AGO,
        renewed_at=LONG_AGO + timedelta(days=1),
    )


def a_store(folder: Path, said: list[str] | None = None, **options: Any) -> SignInStore:
    say = [].append if said is None else said.append
    return SignInStore(folder, **{"wanted": "file", "say": say, **options})


def app_of(sandbox: Sandbox, *, timeout_s: float = 10) -> EntraApp:
    return EntraApp(
        tenant_id=sandbox.tenant_id,
        client_id=sandbox.client_id,
        authority=sandbox.authority.removesuffix(f"/{sandbox.tenant_id}"),
        scope=SCOPE,
        trust=Trust(ca_file=sandbox.ca_file),
        timeout_s=timeout_s,
    )


def key_of(sandbox: Sandbox) -> SignInKey:
    app = app_of(sandbox)
    return SignInKey(authority=app.authority, tenant_id=app.tenant_id, client_id=app.client_id)


def sign_in(sandbox: Sandbox, store: SignInStore, *, client: ClientKind = "confidential") -> str:
    """Put a good refresh token into the store, as `bulkpause login` would."""
    token = sandbox.issue_refresh_token(is_confidential=client == "confidential")
    store.save(a_sign_in(key_of(sandbox), client=client), Kept(token))
    return token


def acquire_from(sandbox: Sandbox, store: SignInStore, *, timeout_s: float = 10, **options: Any) -> Acquire:
    given = {"credential": lambda: sandbox.client_secret, "seed": None, "learn": lambda _token: None, "clock": CLOCK}
    return stored_sign_in(app_of(sandbox, timeout_s=timeout_s), store, **(given | options))


def described(sandbox: Sandbox, folder: Path) -> str:
    """What `main` needs to renew the sign-in of `sandbox` in `folder`."""
    app = asdict(replace(app_of(sandbox), trust=Trust()))
    app = {name: value for name, value in app.items() if name != "trust"}
    about = {"app": app, "ca_file": str(sandbox.ca_file), "folder": str(folder), "secret": sandbox.client_secret}
    return orjson.dumps(about).decode()


def main(times: int) -> None:
    """Renew so many times what stdin describes; print a line for each."""
    told = orjson.loads(sys.stdin.readline())
    app = EntraApp(**told["app"] | {"trust": Trust(ca_file=Path(told["ca_file"]))})
    store = SignInStore(Path(told["folder"]), wanted="auto", say=lambda text: print(text, flush=True))  # noqa: T201
    acquire = stored_sign_in(
        app, store, credential=lambda: told["secret"], seed=None, learn=lambda _token: None, clock=CLOCK
    )
    for _ in range(times):
        acquire()
        print("renewed", flush=True)  # noqa: T201 - the test counts them


if __name__ == "__main__":
    main(int(sys.argv[1]))
