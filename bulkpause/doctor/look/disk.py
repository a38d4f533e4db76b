"""Files and folders: a probe is written, forced to the disk and removed, and nothing of it stays."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from bulkpause.doctor.facts import FileFacts, FolderFacts
from bulkpause.errors import BulkpauseError
from bulkpause.settings import Secret, Settings
from bulkpause.trust import Trust

_MOUNTS: Final = Path("/proc/self/mountinfo")


def look_at_folder(path: Path) -> FolderFacts:
    """Whether a file can be made in `path`, and forced onto the disk; folders that are not there are made for it."""
    made: list[Path] = []
    try:
        for folder in [*reversed(path.parents), path]:
            if not folder.exists():
                folder.mkdir(mode=0o700)
                made.append(folder)
        sync_ms = _write_probe(path)
        free_bytes = shutil.disk_usage(path).free
        return FolderFacts(path=str(path), sync_ms=sync_ms, free_bytes=free_bytes, kind=file_system_of(path))
    except OSError as error:
        return FolderFacts(path=str(path), flaw=error.strerror or type(error).__name__)
    finally:
        for folder in reversed(made):
            with suppress(OSError):  # somebody else found a use for it meanwhile
                folder.rmdir()


def _write_probe(folder: Path) -> float:
    """Write, force and remove a file of its own; how many ms the forcing took. Raises OSError."""
    fd, name = tempfile.mkstemp(prefix=".doctor-", dir=folder)
    try:
        os.write(fd, b"x" * 4096)
        started_s = time.perf_counter()
        os.fsync(fd)
        return (time.perf_counter() - started_s) * 1000
    finally:
        os.close(fd)
        Path(name).unlink()


def file_system_of(path: Path) -> str | None:
    """What kind of file system `path` is on, as Linux calls it; `network` for a share of Windows; None if unknown."""
    if sys.platform == "win32":
        return "network" if str(path.resolve()).startswith("\\\\") else None
    try:
        lines = _MOUNTS.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return None  # not Linux
    return kind_in(lines, os.path.realpath(path))


def kind_in(mounts: list[str], path: str) -> str | None:
    """The type of the innermost mount that holds `path`; `mounts` are lines of proc_pid_mountinfo(5)."""
    found, longest = None, -1
    for line in mounts:
        fields, _, rest = line.partition(" - ")
        parts = fields.split(" ")
        if len(parts) < 5 or not rest:  # noqa: PLR2004 - the mount point is the fifth
            continue
        point = parts[4].replace("\\040", " ").rstrip("/")
        if (path == point or path.startswith(f"{point}/")) and len(point) >= longest:
            found, longest = rest.split(" ")[0], len(point)
    return found


def look_at_files(
    settings: Settings,
    *,
    now: datetime,
    with_ca_file: bool = True,
    exposure: Callable[[Path], str | None] = lambda _file: None,
) -> tuple[FileFacts, ...]:
    """Each file that the settings name for signing in, for TLS and for signing; read as a run would.

    `exposure` says who else can read a file that holds a secret.
    """
    auth, api, audit = settings.auth, settings.api, settings.audit
    found: list[FileFacts] = []
    if auth.certificate_file is not None:
        found.append(_app_certificate(auth.certificate_file, auth.certificate_passphrase, now=now))
    for setting, file in (("auth.token_file", auth.token_file), ("auth.assertion_file", auth.assertion_file)):
        if file is not None:
            found.append(_kept_fresh(setting, file))
    if api.ca_file is not None and with_ca_file:
        found.append(_of_trust("api.ca_file", api.ca_file, Trust(ca_file=api.ca_file)))
    if api.client_certificate_file is not None:
        passphrase = api.client_certificate_passphrase
        trust = Trust(
            client_certificate_file=api.client_certificate_file,
            client_certificate_passphrase=None if passphrase is None else passphrase.reveal(),
        )
        found.append(_of_trust("api.client_certificate_file", api.client_certificate_file, trust, now=now))
    if audit.signing_key_file is not None:
        found.append(_signing_key(audit.signing_key_file))
    secret = (each for each in found if each.setting != "api.ca_file")  # which anybody may read
    exposed = {each.setting: exposure(Path(each.path)) for each in secret}
    return tuple(replace(each, exposure=exposed.get(each.setting)) for each in found)


def _app_certificate(file: Path, passphrase: Secret | None, *, now: datetime) -> FileFacts:
    from bulkpause.auth.certificate import load_certificate  # noqa: PLC0415 - cryptography is slow to import

    setting = "auth.certificate_file"
    try:
        loaded = load_certificate(file, passphrase=None if passphrase is None else passphrase.reveal(), now=None)
    except BulkpauseError as error:
        return FileFacts(setting=setting, path=str(file), flaw=str(error))
    return _expiring(setting, file, loaded["public_certificate"].encode(), now=now)


def _expiring(setting: str, file: Path, pem: bytes, *, now: datetime) -> FileFacts:
    from cryptography import x509  # noqa: PLC0415

    expires_at = x509.load_pem_x509_certificates(pem)[0].not_valid_after_utc
    flaw = f"{setting} {file} expired on {expires_at:%Y-%m-%d}" if expires_at <= now else None
    return FileFacts(setting=setting, path=str(file), flaw=flaw, expires_at=expires_at)


def _kept_fresh(setting: str, file: Path) -> FileFacts:
    try:
        file.read_bytes()
        changed_at = datetime.fromtimestamp(file.stat().st_mtime, UTC)
    except OSError as error:
        return FileFacts(setting=setting, path=str(file), flaw=f"{setting} {file} cannot be read: {error.strerror}")
    return FileFacts(setting=setting, path=str(file), changed_at=changed_at)


def _of_trust(setting: str, file: Path, trust: Trust, *, now: datetime | None = None) -> FileFacts:
    """A file of certificates; with `now`, one that holds a certificate of one's own, which expires."""
    try:
        trust.context()
        return (
            FileFacts(setting=setting, path=str(file))
            if now is None
            else _expiring(setting, file, file.read_bytes(), now=now)
        )
    except (BulkpauseError, OSError, ValueError) as error:
        return FileFacts(setting=setting, path=str(file), flaw=str(error).rstrip("."))


def _signing_key(file: Path) -> FileFacts:
    from bulkpause.proof.signing import load_key  # noqa: PLC0415

    try:
        load_key(file)
    except BulkpauseError as error:
        return FileFacts(setting="audit.signing_key_file", path=str(file), flaw=str(error).rstrip("."))
    return FileFacts(setting="audit.signing_key_file", path=str(file))
