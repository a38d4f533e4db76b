"""References followed: the secrets themselves, fetched when a verb needs them and not before."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final, assert_never

from bulkpause.errors import ConfigError
from bulkpause.permissions import exposure
from bulkpause.settings.checks import SettingError
from bulkpause.settings.tree import Settings, setting_values
from bulkpause.settings.values import SecretReference

LONGEST_BYTES: Final = 65_536
"""More than any secret has."""

HOLDS_SECRETS: Final = (
    "api.client_certificate_file",
    "auth.certificate_file",
    "auth.token_file",
)
"""Files that nobody else may read. Not `auth.assertion_file`: the kubelet writes that for everybody in the pod."""

Ask = Callable[[str, str], str | None]
"""The entry of a service and a name in the system's keyring."""


def resolve_secrets(settings: Settings, *, environ: Mapping[str, str], ask: Ask | None = None) -> Settings:
    """`settings` with every secret at hand that a reference stands for. A descriptor can be read only once.

    ConfigError: one cannot be had, is not allowed, or a file that holds a secret can be read by others. `ask` stands
    in for the keyring in tests.
    """
    values = setting_values(settings)
    for key in HOLDS_SECRETS:
        file = values[key]
        if isinstance(file, Path) and (flaw := exposure(file)) is not None:
            raise ConfigError(f"{key} {flaw}")
    found: dict[str, dict[str, object]] = {}
    followed: dict[SecretReference, object] = {}  # api.proxy is the sign-in's as well, and a descriptor is read once
    for key, value in values.items():
        if isinstance(value, SecretReference):
            section, name = key.split(".")
            if value not in followed:
                followed[value] = _resolved(key, value, environ, ask or ask_keyring)
            found.setdefault(section, {})[name] = followed[value]
    try:
        sections = {section: replace(getattr(settings, section), **given) for section, given in found.items()}
    except SettingError as error:
        problem = ConfigError(f"{error.key} ({values[error.key]}): {error.why}")
    else:
        return replace(settings, **sections)
    raise problem  # from here: what it came through holds the secret


def _resolved(key: str, reference: SecretReference, environ: Mapping[str, str], ask: Ask) -> object:
    name = f"{key} ({reference})"  # with a bracket: behind `client_secret:` the redactor takes a word for a secret
    text = _fetched(name, reference, environ, ask)
    if not text:
        raise ConfigError(f"{name}: there is nothing in it")
    try:
        return reference.resolved(text)
    except ValueError as error:
        problem = ConfigError(f"{name}: {error}")
    raise problem


def _fetched(name: str, reference: SecretReference, environ: Mapping[str, str], ask: Ask) -> str:
    match reference.scheme:
        case "env":
            if reference.place not in environ:
                raise ConfigError(f"{name}: there is no such variable; export {reference.place}")
            return environ[reference.place].strip("\r\n")
        case "file":
            file = Path(reference.place)
            if (flaw := exposure(file)) is not None:
                raise ConfigError(f"{name.partition(' ')[0]} {flaw}")
            try:
                with file.open("rb") as stream:
                    return _text(name, stream.read(LONGEST_BYTES + 1))
            except OSError as error:
                raise ConfigError(f"{name} cannot be read: {error.strerror}") from None
        case "fd":
            return _text(name, _read_descriptor(name, int(reference.place)))
        case "keyring":
            service, _, entry = reference.place.rpartition("/")
            return _from_keyring(name, service, entry, ask)
        case unknown:
            assert_never(unknown)


def _read_descriptor(name: str, number: int) -> bytes:
    """All that can be read there; then it is closed, so that no child inherits it."""
    try:
        if not os.get_inheritable(number):  # ours: what a shell hands down is inheritable, what Python opens never is
            raise ConfigError(f"{name}: nothing was handed down there; add {number}<FILE to the command, or read once")
        with os.fdopen(number, "rb") as stream:
            return stream.read(LONGEST_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{name} cannot be read: {error.strerror}; add {number}<FILE to the command") from None


def _text(name: str, content: bytes) -> str:
    """The secret in a file: its text, less one line break at the end."""
    if len(content) > LONGEST_BYTES:
        raise ConfigError(f"{name}: holds more than {LONGEST_BYTES:,} bytes, which is no secret")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = None
    if text is None:
        raise ConfigError(f"{name}: holds no UTF-8 text")
    return text.removesuffix("\n").removesuffix("\r")


def _from_keyring(name: str, service: str, entry: str, ask: Ask) -> str:
    """An entry of the system's keyring, whatever that is; its own errors say little, and may say too much."""
    remedy = f"keyring set {service} {entry}"
    try:
        text = ask(service, entry)
    except Exception as error:  # noqa: BLE001 - every backend has errors of its own: D-Bus, the Keychain, Windows
        kind = type(error).__name__
        problem = {
            "NoKeyringError": "this machine has no keyring that works; use file:, env: or fd: instead",
            "KeyringLocked": f"the keyring is locked; unlock it, or sign in to the desktop, and try {remedy}",
            "InitError": f"the keyring cannot be opened; unlock it, and try {remedy}",
        }.get(kind, f"the keyring fails ({kind}); see whether this works: keyring get {service} {entry}")
        raise ConfigError(f"{name}: {problem}") from None
    if text is None:
        raise ConfigError(f"{name}: the keyring has no such entry: {remedy}")
    return text


def ask_keyring(service: str, entry: str) -> str | None:
    """The entry of the keyring that the system has, None if there is none. Raises what its backend raises."""
    import keyring  # noqa: PLC0415 - slow, and few have one

    return keyring.get_password(service, entry)
