"""`bulkpause login` and `bulkpause logout`: the one sign-in by a person that later runs go on with."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

import click

from bulkpause.cli import exits, streams
from bulkpause.cli.options import Verb, config_options, load_settings, target_options
from bulkpause.cli.redaction import redactor_for, with_secrets
from bulkpause.errors import AuthError, BulkpauseError, UsageError

if TYPE_CHECKING:
    from bulkpause.auth import SignIn, SignInKey
    from bulkpause.auth.person import Granted
    from bulkpause.settings import Settings

T = TypeVar("T")
Method = Literal["browser", "device code"]

LOCK_TIMEOUT_S: Final = 60.0
"""A run that renews the old sign-in meanwhile holds it for a request; what a person has just done is worth the wait."""

POLL_S: Final = 0.2
"""How long Ctrl-C may go unheard: on Windows a wait without an end does not hear it at all."""


@click.command(
    cls=Verb,
    examples=["bulkpause login", "bulkpause login --device-code", "bulkpause login --status"],
)
@click.option("--device-code", is_flag=True, help="Show a code to type into a browser on any machine; works over ssh.")
@click.option("--browser", is_flag=True, help="Use the browser of this machine.")
@click.option("--status", is_flag=True, help="Show who is signed in, and sign nobody in; no network.")
@click.option("--json", "as_json", is_flag=True, help="With --status: print it as one JSON document.")
@click.option("--no-input", is_flag=True, help="Refuse, instead of asking a person to sign in.")
@target_options
@config_options
def login(**options: Any) -> int:
    """Sign in as a person, once; later runs for this tenant and app go on with that, unattended."""
    if options["as_json"] and not options["status"]:
        raise UsageError("--json belongs to --status.")
    if options["device_code"] and options["browser"]:
        raise UsageError("--device-code and --browser are two ways: choose one.")
    settings = load_settings(options).settings
    if options["status"]:
        return _show_status(settings, as_json=options["as_json"])
    if options["no_input"]:
        raise UsageError("A person has to sign in, and --no-input forbids to ask one. See --status for who is.")
    settings = with_secrets(settings)
    method = _chosen(options)
    granted = _in_thread(lambda: _signed_in(settings, method))
    return _keep(settings, method, granted)


@click.command(cls=Verb, examples=["bulkpause logout"])
@target_options
@config_options
def logout(**options: Any) -> int:
    """Forget the sign-in for this tenant and app."""
    from bulkpause.signin import key_of, store_of  # noqa: PLC0415 - keep --help quick

    settings = load_settings(options).settings
    key, store = key_of(settings), store_of(settings, say=streams.say)
    removed = None
    if store.find(key) is not None:
        with store.locked(key, timeout_s=LOCK_TIMEOUT_S):
            removed = store.remove(key)
    if removed is None:
        click.echo(f"Nobody was signed in for {_about(key)}: there is nothing to remove.")
    else:
        click.echo(
            f"Removed the sign-in of {removed.account or 'a person'} for {_about(key)} ({_KEPT[removed.kept_in]}).\n"
            "The session at Microsoft stays: to end it as well, choose Sign out everywhere at\n"
            "https://mysignins.microsoft.com, or have an administrator revoke the person's sessions in Entra."
        )
    if settings.auth.refresh_token is not None:
        click.echo("auth.refresh_token is still given, and the next run signs in with that.")
    return exits.OK


_KEPT: Final = {
    "encrypted": "kept encrypted by the system",
    "keyring": "kept in the keyring",
    "file": "kept in a file, not encrypted",
}


def method_for(*, platform: str, environ: Mapping[str, str], is_terminal: bool) -> Method:
    """How a person signs in who has not said how: by browser where there is a desktop to open one on."""
    is_remote = any(environ.get(name) for name in ("SSH_CONNECTION", "SSH_TTY"))
    has_display = platform in {"win32", "darwin"} or any(environ.get(n) for n in ("DISPLAY", "WAYLAND_DISPLAY"))
    return "browser" if has_display and is_terminal and not is_remote else "device code"


def _chosen(options: Mapping[str, Any]) -> Method:
    """The method, said along with how to choose the other where nobody has chosen."""
    if options["browser"] or options["device_code"]:
        return "browser" if options["browser"] else "device code"
    method = _fitting()
    if method == "browser":
        streams.say("Signing in with the browser of this machine; for one elsewhere, use --device-code.")
    else:
        streams.say("Signing in with a code, since no desktop is at hand; for this machine's browser, use --browser.")
    return method


def _fitting() -> Method:
    return method_for(platform=sys.platform, environ=os.environ, is_terminal=streams.is_terminal(sys.stderr))


def _signed_in(settings: Settings, method: Method) -> Granted:
    """What Entra gives once the person has signed in. Raises AuthError; before asking, if it could not be kept."""
    import time  # noqa: PLC0415 - keep --help quick

    from bulkpause.auth.browser import sign_in_by_browser  # noqa: PLC0415
    from bulkpause.auth.device import sign_in_by_code  # noqa: PLC0415
    from bulkpause.auth.entra import Conversation  # noqa: PLC0415
    from bulkpause.clock import SystemClock  # noqa: PLC0415
    from bulkpause.signin import app_of, credential_of, key_of, store_of  # noqa: PLC0415

    key_of(settings)
    store_of(settings, say=streams.say).prove()
    clock, app = SystemClock(), app_of(settings, "refresh_token")
    if method == "device code":
        return sign_in_by_code(Conversation(app), prompt=streams.say, wait=time.sleep, clock=clock)
    return sign_in_by_browser(
        Conversation(app, credential_of(settings, clock=clock)),
        prompt=streams.say,
        open_browser=partial(_open_browser, settings) if _fitting() == "browser" else lambda _url: None,
        clock=clock,
    )


def _open_browser(settings: Settings, url: str) -> None:
    """Open the desktop's browser, if it has one; the address has been said in any case."""
    import webbrowser  # noqa: PLC0415 - keep --help quick

    try:
        with _secrets_out_of_environment(settings):
            webbrowser.open(url)
    except webbrowser.Error as error:
        streams.say(f"No browser could be opened: {error}.")


@contextmanager
def _secrets_out_of_environment(settings: Settings) -> Iterator[None]:
    """While entered, what is started inherits none: a browser lives on, and webbrowser takes no environment."""
    from bulkpause.settings import without_secrets  # noqa: PLC0415 - keep --help quick

    hidden = {name: os.environ[name] for name in os.environ.keys() - without_secrets(os.environ, settings).keys()}
    for name in hidden:
        del os.environ[name]
    try:
        yield
    finally:
        os.environ.update(hidden)


def _keep(settings: Settings, method: Method, granted: Granted) -> int:
    """Put the sign-in into the store, and say so."""
    from bulkpause.auth import SignIn  # noqa: PLC0415 - keep --help quick
    from bulkpause.auth.person import fingerprint  # noqa: PLC0415
    from bulkpause.auth.store import Kept  # noqa: PLC0415
    from bulkpause.clock import SystemClock  # noqa: PLC0415
    from bulkpause.signin import credential_of, key_of, store_of  # noqa: PLC0415

    if granted.refresh_token is None:
        raise AuthError("Entra gave no refresh token, so there is nothing to keep: allow offline_access for the app.")
    redactor_for(settings).learn(granted.refresh_token, granted.token.value)
    clock, store = SystemClock(), store_of(settings, say=streams.say)
    is_public = method == "device code" or credential_of(settings, clock=clock) is None
    sign_in = SignIn(
        key=key_of(settings),
        account=granted.account,
        client="public" if is_public else "confidential",
        kept_in=store.new_kind(),
        signed_in_at=clock.now(),
        renewed_at=clock.now(),
    )
    seed = settings.auth.refresh_token
    with store.locked(sign_in.key, timeout_s=max(LOCK_TIMEOUT_S, settings.auth.timeout_s)):
        store.save(sign_in, Kept(granted.refresh_token, None if seed is None else fingerprint(seed.reveal())))
    click.echo(
        f"Signed in as {sign_in.account or 'a person that Entra does not name'} for {_about(sign_in.key)}.\n"
        f"Kept in: {store.where(sign_in)}.\n"
        "Each run renews it. After 90 days without one, from "
        f"{sign_in.good_until.astimezone():%Y-%m-%d} on, sign in again."
    )
    _say_if_unused(settings)
    return exits.OK


def _say_if_unused(settings: Settings) -> None:
    """Tell whoever has just signed in that runs with these settings do otherwise."""
    from bulkpause.signin import flow_of  # noqa: PLC0415 - keep --help quick

    try:
        flow = flow_of(settings)
    except BulkpauseError as error:
        streams.say(f"bulkpause: {error}")
        return
    if flow != "refresh_token":
        streams.say(
            f"bulkpause: runs with these settings sign in by {flow} all the same. "
            "To use this sign-in, set auth.flow to refresh_token."
        )


def _show_status(settings: Settings, *, as_json: bool) -> int:
    """Every stored sign-in on stdout; whether there is a good one for these settings is the exit code."""
    from bulkpause.signin import sign_in_of, store_of  # noqa: PLC0415 - keep --help quick

    sign_ins, current = store_of(settings, say=streams.say).all(), sign_in_of(settings)
    if as_json:
        import orjson  # noqa: PLC0415

        listed = [_document(sign_in, is_current=sign_in == current) for sign_in in sign_ins]
        print(orjson.dumps({"sign_ins": listed}, option=orjson.OPT_INDENT_2).decode())  # noqa: T201 - the result
    else:
        for sign_in in sign_ins:
            click.echo(_described(sign_in, is_current=sign_in == current))
    if current is None:
        is_told = settings.auth.tenant_id is not None and settings.auth.client_id is not None
        whom = "for this tenant and app" if is_told else "as long as AZURE_TENANT_ID and AZURE_CLIENT_ID are not set"
        streams.say(f"bulkpause: nobody is signed in {whom}. Type `bulkpause login`.")
        return exits.NOT_AUTHORISED
    if current.refused_at is not None:
        streams.say("bulkpause: Entra did not renew this sign-in. Type `bulkpause login`.")
        return exits.NOT_AUTHORISED
    return exits.OK


def _document(sign_in: SignIn, *, is_current: bool) -> dict[str, Any]:
    return {
        "account": sign_in.account,
        "tenant_id": sign_in.key.tenant_id,
        "client_id": sign_in.key.client_id,
        "authority": sign_in.key.authority,
        "client": sign_in.client,
        "kept_in": sign_in.kept_in,
        "signed_in_at": sign_in.signed_in_at,
        "renewed_at": sign_in.renewed_at,
        "refused_at": sign_in.refused_at,
        "good_until": sign_in.good_until,
        "is_current": is_current,
    }


def _described(sign_in: SignIn, *, is_current: bool) -> str:
    mark = " (of these settings)" if is_current else ""
    renewed = f"last renewed {sign_in.renewed_at.astimezone():%Y-%m-%d %H:%M}"
    state = (
        f"unless used, forgotten from {sign_in.good_until.astimezone():%Y-%m-%d} on"
        if sign_in.refused_at is None
        else f"refused by Entra {sign_in.refused_at.astimezone():%Y-%m-%d %H:%M}"
    )
    return (
        f"{sign_in.account or 'a person'}{mark}\n"
        f"  {_about(sign_in.key)} at {sign_in.key.authority}\n"
        f"  {_KEPT[sign_in.kept_in]}; signed in {sign_in.signed_in_at.astimezone():%Y-%m-%d}, {renewed}; {state}"
    )


def _about(key: SignInKey) -> str:
    return f"tenant {key.tenant_id}, app {key.client_id}"


def _in_thread(work: Callable[[], T]) -> T:
    """What `work` comes to, in a thread that Ctrl-C need not wait for."""
    from concurrent.futures import wait  # noqa: PLC0415 - keep --help quick

    from bulkpause.aside import begin_aside  # noqa: PLC0415

    outcome = begin_aside(work, name="login")
    while not wait({outcome}, timeout=POLL_S).done:
        pass
    return outcome.result()
