"""Keyring backends for tests, named by PYTHON_KEYRING_BACKEND: one that keeps a JSON file, and one that is locked."""

from __future__ import annotations

import json
import os
from pathlib import Path

from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked


class FileKeyring(KeyringBackend):
    """Keeps entries in the file that TEST_KEYRING names."""

    priority = 5

    def get_password(self, service: str, username: str) -> str | None:
        found: str | None = self._entries().get(f"{service}/{username}")
        return found

    def set_password(self, service: str, username: str, password: str) -> None:
        self._file.write_text(json.dumps(self._entries() | {f"{service}/{username}": password}))

    def delete_password(self, service: str, username: str) -> None:
        entries = self._entries()
        del entries[f"{service}/{username}"]
        self._file.write_text(json.dumps(entries))

    @property
    def _file(self) -> Path:
        return Path(os.environ["TEST_KEYRING"])

    def _entries(self) -> dict[str, str]:
        entries: dict[str, str] = json.loads(self._file.read_text()) if self._file.exists() else {}
        return entries


class LockedKeyring(FileKeyring):
    """Nobody types the password that would open it."""

    def get_password(self, service: str, username: str) -> str | None:
        raise KeyringLocked("planted~secret")

    def set_password(self, service: str, username: str, password: str) -> None:
        raise KeyringLocked("planted~secret")
