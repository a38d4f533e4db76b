"""PURE: what the settings, files, run directory and limits of this machine are worth."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from bulkpause.doctor.checks import Check, Grade, Name, Obstacle
from bulkpause.doctor.facts import ConfigurationFacts, FileFacts, FolderFacts, LimitFacts
from bulkpause.doctor.words import said_list, said_ms, said_size, said_span

SOON_DAYS: Final = 30
"""A certificate of one's own that ends sooner is worth a warning: renewing one takes people."""

LEAST_FREE_BYTES: Final = 100_000_000
SLOW_SYNC_MS: Final = 100.0
"""A request waits for one: at 100 ms that is felt."""

_AFTER_ITS_END: Final = (
    "have a new certificate made, register it with whoever checks it, and put it in this one's place"
)
_OUT_OF_REACH: Final = "put it right, or correct the setting; whoever runs this command must be able to read the file"

NETWORK_KINDS: Final = frozenset(
    {"nfs", "nfs4", "cifs", "smb2", "smb3", "smbfs", "9p", "ceph", "glusterfs", "lustre", "afs", "network"}
)
FLEETING_KINDS: Final = frozenset({"tmpfs", "ramfs"})
CONTAINER_KINDS: Final = frozenset({"overlay", "aufs"})


def judge_configuration(facts: ConfigurationFacts) -> Check:
    """Whether the settings can be used, and where each comes from."""
    known: dict[str, object] = {
        "target": facts.target,
        "cloud": facts.cloud,
        "family": facts.family,
        "flow": facts.flow,
        "why": facts.why,
        "profile": facts.profile,
        "files": list(facts.files),
        "settings": [{"setting": key, "value": value, "origin": origin} for key, value, origin in facts.told],
    }
    details = [f"sign-in by {facts.flow}, {facts.why}"] if facts.flow is not None else []
    read = said_list(list(facts.files)) or "no settings file"
    details.append(f"{read}{'' if facts.profile is None else f', profile {facts.profile}'}")
    width = max((len(key) for key, _, _ in facts.told), default=0)
    details += [f"{key:{width}}  {value}  ({origin})" for key, value, origin in facts.told]
    if facts.flaw is not None:
        first, *rest = facts.flaw.split("\n")
        return Check(
            name=Name.CONFIGURATION,
            grade=Grade.FAILED,
            said=first,
            details=(*rest, *(details if facts.target is not None else ())),
            remedy="correct that where it says it comes from; `bulkpause config show` lists every setting, and "
            "docs/sign-in.md every way to sign in",
            facts=known,
            obstacle=Obstacle.CONFIGURATION,
        )
    said = f"{facts.target} (cloud {facts.cloud}, family {facts.family})"
    return Check(name=Name.CONFIGURATION, grade=Grade.OK, said=said, details=tuple(details), facts=known)


def judge_files(files: Sequence[FileFacts], *, now: datetime) -> Check:
    """Whether the files that the settings name can be used, and for how long."""
    known: dict[str, object] = {
        "files": [
            {
                "setting": file.setting,
                "path": file.path,
                "flaw": file.flaw,
                "expires_at": _rfc3339(file.expires_at),
                "days_left": None if file.expires_at is None else (file.expires_at - now).days,
                "exposure": file.exposure,
                "age_s": None if file.changed_at is None else round((now - file.changed_at).total_seconds()),
            }
            for file in files
        ]
    }
    if not files:
        return Check(name=Name.FILES, grade=Grade.OK, said="the settings name none", facts=known)
    details = tuple(_said_file(file, now=now) for file in files if file.flaw is None)
    if flawed := [file for file in files if file.flaw is not None]:
        return Check(
            name=Name.FILES,
            grade=Grade.FAILED,
            said=str(flawed[0].flaw),
            details=(*(str(file.flaw) for file in flawed[1:]), *details),
            remedy=_AFTER_ITS_END if flawed[0].expires_at is not None else _OUT_OF_REACH,
            facts=known,
            obstacle=Obstacle.CONFIGURATION,
        )
    if exposed := [file for file in files if file.exposure is not None]:
        return Check(
            name=Name.FILES,
            grade=Grade.WARNING,
            said=f"{exposed[0].setting} {exposed[0].path} holds a secret that others can read",
            details=details,
            remedy=exposed[0].exposure,
            facts=known,
        )
    ending = [file for file in files if file.expires_at is not None and (file.expires_at - now).days < SOON_DAYS]
    if ending:
        return Check(
            name=Name.FILES,
            grade=Grade.WARNING,
            said=_said_file(ending[0], now=now),
            details=tuple(line for line in details if line != _said_file(ending[0], now=now)),
            remedy="have a new certificate made and registered with the app in Entra before that day",
            facts=known,
        )
    return Check(name=Name.FILES, grade=Grade.OK, said=details[0], details=details[1:], facts=known)


def _said_file(file: FileFacts, *, now: datetime) -> str:
    said = f"{file.setting} {file.path}"
    if file.expires_at is not None:
        left_s = (file.expires_at - now).total_seconds()
        return f"{said}: expires {file.expires_at:%Y-%m-%d}, in {said_span(left_s)}"
    if file.changed_at is not None:
        return f"{said}: readable, {said_span((now - file.changed_at).total_seconds())} old"
    return f"{said}: readable"


def judge_run_directory(facts: FolderFacts) -> Check:
    """Whether a run can be recorded where it is to be."""
    known: dict[str, object] = {
        "path": facts.path,
        "file_system": facts.kind,
        "sync_ms": None if facts.sync_ms is None else round(facts.sync_ms, 1),
        "free_bytes": facts.free_bytes,
    }
    if facts.flaw is not None:
        return Check(
            name=Name.RUN_DIRECTORY,
            grade=Grade.FAILED,
            said=f"cannot write in {facts.path}: {facts.flaw}",
            remedy="choose a place that can be written: --runs-dir DIR, or BULKPAUSE_RUN__RUNS_DIR",
            facts=known,
            obstacle=Obstacle.NOT_WRITABLE,
        )
    place = f" on {facts.kind}" if facts.kind else ""
    free = "" if facts.free_bytes is None else f", {said_size(facts.free_bytes)} free"
    synced = "" if facts.sync_ms is None else f", a forced write takes {said_ms(facts.sync_ms)}"
    said = f"{facts.path}: writable{place}{free}{synced}"
    remedy = _folder_remedy(facts)
    grade = Grade.OK if remedy is None else Grade.WARNING
    if facts.kind in CONTAINER_KINDS:
        said += "; a container's own layer, gone with it"
    return Check(name=Name.RUN_DIRECTORY, grade=grade, said=said, remedy=remedy, facts=known)


def _folder_remedy(facts: FolderFacts) -> str | None:
    """What to do about a place that can be written and is not good; None if it is."""
    if facts.free_bytes is not None and facts.free_bytes < LEAST_FREE_BYTES:
        return "free some space, or choose another place with --runs-dir: a run stops when its audit log is full"
    if facts.kind in FLEETING_KINDS:
        return "a restart empties this file system, and `continue` and `undo` need the audit log: --runs-dir elsewhere"
    if facts.kind in NETWORK_KINDS:
        return "a network file system: every request waits for it, and it may go away; --runs-dir on a disk is better"
    if facts.sync_ms is not None and facts.sync_ms > SLOW_SYNC_MS:
        return "every request waits for such a write: --runs-dir on a quicker disk makes a run quicker"
    return None


def judge_open_files(facts: LimitFacts) -> Check:
    """Whether the process may have as many connections as the concurrency asks for."""
    known: dict[str, object] = {
        "allowed": facts.allowed,
        "connections": facts.fitting,
        "concurrency": facts.wanted,
    }
    remedy = "raise the limit (ulimit -n, or LimitNOFILE of a service), or lower run.concurrency"
    allowed = "no limit" if facts.allowed is None else f"{facts.allowed:,} allowed"
    if facts.fitting is None or facts.fitting >= facts.wanted:
        said = f"{allowed}, enough for {facts.wanted:,} in flight"
        return Check(name=Name.OPEN_FILES, grade=Grade.OK, said=said, facts=known)
    if facts.fitting < 1:
        said = f"{allowed}, which is too few for a single connection"
        return Check(
            name=Name.OPEN_FILES,
            grade=Grade.FAILED,
            said=said,
            remedy=remedy,
            facts=known,
            obstacle=Obstacle.CONFIGURATION,
        )
    said = f"{allowed}, enough for {facts.fitting:,} in flight instead of {facts.wanted:,}"
    return Check(name=Name.OPEN_FILES, grade=Grade.WARNING, said=said, remedy=remedy, facts=known)


def _rfc3339(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="seconds").replace("+00:00", "Z")
