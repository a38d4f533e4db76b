"""Where the secret part of a sign-in can be kept: encrypted by the system, in its keyring, or in a plain file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Final, Literal, Protocol

from bulkpause.auth.durable import delete, read_private, sync_file, sync_folder, write_durably
from bulkpause.errors import AuthError, ConfigError

Kind = Literal["encrypted", "keyring", "file"]
Wanted = Literal["auto", "encrypted", "keyring", "file"]

SERVICE: Final = "bulkpause"
"""What the entry is called in a keyring."""

PROBE: Final = "bulkpause-probe"


class Place(Protocol):
    """Keeps texts by name. Every method raises AuthError, which says where and why it failed."""

    def where(self, name: str) -> str:
        """The place in words, for a message."""

    def load(self, name: str) -> str | None:
        """The text kept under the name, None if there is none."""

    def save(self, name: str, text: str) -> None:
        """Keep the text; it is safe once this returns, and the old one is there until then."""

    def delete(self, name: str) -> None:
        """Keep it no longer; nothing if it is not there."""


def choose_kind(wanted: Wanted, *, platform: str = sys.platform) -> Kind:
    """What `auth.token_store` comes to on this machine: auto is what the system encrypts, else a plain file."""
    if wanted != "auto":
        return wanted
    if platform in {"win32", "darwin"}:
        return "encrypted"
    return "keyring" if keyring_flaw(_keyring()) is None else "file"


def open_place(kind: Kind, folder: Path) -> Place:
    """The place of that kind; `folder` is there, and for its owner alone. Raises ConfigError if it does not work here.

    An entry is written, read and deleted where that could fail by how the system is set up.
    """
    match kind:
        case "file":
            return PlainFiles(folder)
        case "keyring":
            backend = _keyring()
            if (flaw := keyring_flaw(backend)) is not None:
                raise ConfigError(f"auth.token_store keyring does not work here: {flaw}. Set it to encrypted or file.")
            return Keyring(backend)
        case "encrypted":
            return Encrypted(folder)


def prove(place: Place) -> None:
    """Raise AuthError if the place does not give back what it is given: better before a sign-in than after it."""
    place.save(PROBE, PROBE)
    found = place.load(PROBE)
    place.delete(PROBE)
    if found != PROBE:
        raise AuthError(f"{place.where(PROBE)} does not give back what it is given; set auth.token_store to another")


class PlainFiles:
    """A file of its own for each, unencrypted, that only its owner can read."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def where(self, name: str) -> str:
        """See Place."""
        return f"file {self._file(name)}, not encrypted"

    def load(self, name: str) -> str | None:
        """See Place."""
        content = read_private(self._file(name))
        return None if content is None else content.decode(errors="replace")

    def save(self, name: str, text: str) -> None:
        """See Place."""
        try:
            write_durably(self._file(name), text.encode())
        except OSError as error:
            raise AuthError(f"{self._file(name)} cannot be written: {error.strerror}") from None

    def delete(self, name: str) -> None:
        """See Place."""
        delete(self._file(name))

    def _file(self, name: str) -> Path:
        return self._folder / f"{name}.secret"


class Keyring:
    """The keyring library's: Secret Service on Linux, or what PYTHON_KEYRING_BACKEND names."""

    def __init__(self, backend: Any) -> None:
        self._backend = backend

    def where(self, name: str) -> str:
        """See Place."""
        return f"keyring {_kind_of(self._backend)}, entry {SERVICE}/{name}"

    def load(self, name: str) -> str | None:
        """See Place."""
        found: str | None = self._attempt("read", self._backend.get_password, SERVICE, name)
        return found

    def save(self, name: str, text: str) -> None:
        """See Place."""
        self._attempt("written", self._backend.set_password, SERVICE, name, text)

    def delete(self, name: str) -> None:
        """See Place."""
        if self.load(name) is not None:
            self._attempt("deleted", self._backend.delete_password, SERVICE, name)

    def _attempt(self, what: str, function: Any, *args: str) -> Any:
        try:
            return function(*args)
        except Exception as error:  # noqa: BLE001 - each backend raises what its system raises; said, not swallowed
            failure = type(error).__name__  # its text may quote what was to be kept
        raise AuthError(
            f"{self.where(args[1])}, cannot be {what}: {failure}. Unlock it, or set auth.token_store to file"
        )


class Encrypted:
    """What msal-extensions encrypts: a DPAPI file on Windows, the Keychain on macOS, libsecret on Linux."""

    def __init__(self, folder: Path, *, platform: str = sys.platform) -> None:
        self._folder = folder
        self._platform = platform
        self._build(folder / f"{PROBE}.encrypted")

    def where(self, name: str) -> str:
        """See Place."""
        system = {"win32": "encrypted for this user of Windows (DPAPI)", "darwin": "the Keychain"}
        return f"{system.get(self._platform, 'the Secret Service (libsecret)')}, {self._file(name)}"

    def load(self, name: str) -> str | None:
        """See Place."""
        file = self._file(name)
        if not file.exists():
            return None
        return self._attempt(name, "read", lambda: self._build(file).load()) or None

    def save(self, name: str, text: str) -> None:
        """See Place."""
        self._attempt(name, "written", lambda: self._save(self._file(name), text))

    def delete(self, name: str) -> None:
        """See Place."""
        if not self._file(name).exists():
            return
        if self._platform != "win32":  # the entry itself; msal-extensions deletes none, so it is emptied
            self._attempt(name, "emptied", lambda: self._build(self._file(name)).save(""))
        delete(self._file(name))

    def _save(self, file: Path, text: str) -> None:
        if self._platform != "win32":  # the entry is the system's, and the file only a sign of it
            self._build(file).save(text)
            return
        draft = file.with_suffix(".new")  # msal-extensions writes in place, and a crash would leave half a secret
        self._build(draft).save(text)
        sync_file(draft)
        draft.replace(file)
        sync_folder(file.parent)

    def _build(self, file: Path) -> Any:
        from msal_extensions import build_encrypted_persistence  # noqa: PLC0415 - slow to import

        try:
            return build_encrypted_persistence(str(file))
        except (ImportError, RuntimeError, OSError, ValueError) as error:  # whatever of the system is not there
            why = str(error).split("\n", 1)[0].rstrip(".")
        needs = " (on Linux it needs PyGObject and libsecret)" if self._platform.startswith("linux") else ""
        raise ConfigError(f"auth.token_store encrypted does not work here{needs}: {why}. Set it to keyring or file.")

    def _attempt(self, name: str, what: str, function: Any) -> Any:
        try:
            return function()
        except (AuthError, ConfigError):
            raise
        except Exception as error:  # noqa: BLE001 - each system raises its own; said, not swallowed
            failure = type(error).__name__
        raise AuthError(f"{self.where(name)}, cannot be {what}: {failure}")

    def _file(self, name: str) -> Path:
        return self._folder / f"{name}.encrypted"


def keyring_flaw(backend: Any) -> str | None:
    """Why this backend keeps nothing; None if it does."""
    from keyring.backends.chainer import ChainerBackend  # noqa: PLC0415 - only who keeps a sign-in there pays for it
    from keyring.backends.fail import Keyring as NoKeyring  # noqa: PLC0415
    from keyring.backends.null import Keyring as NullKeyring  # noqa: PLC0415

    if isinstance(backend, NoKeyring) or (isinstance(backend, ChainerBackend) and not backend.backends):
        return "no Secret Service or other keyring answers on this machine"
    if isinstance(backend, NullKeyring):
        return "keyring is switched off (keyring.backends.null)"
    return None


def _keyring() -> Any:
    import keyring  # noqa: PLC0415 - only who keeps a sign-in there pays for it

    try:
        return keyring.get_keyring()
    except Exception as error:  # noqa: BLE001 - PYTHON_KEYRING_BACKEND names what is not there; said
        failure = f"{type(error).__name__}: {error}"
    raise ConfigError(f"the keyring that PYTHON_KEYRING_BACKEND or keyringrc.cfg names is unusable: {failure}")


def _kind_of(backend: Any) -> str:
    return type(backend).__module__.rpartition(".")[2]
