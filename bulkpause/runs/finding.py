"""Runs on disk, found by what an operator calls them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bulkpause.errors import SourceError, UsageError
from bulkpause.runs.identity import AUDIT_NAME, POINTER_NAME, RUN_ID

LAST: Final = "last"

NAMED: Final = 5
"""How many runs an ambiguous name is answered with."""


@dataclass(frozen=True, slots=True)
class RunFolder:
    """The directory of a run, and where its files are."""

    directory: Path

    @property
    def run_id(self) -> str:
        """As the directory is called."""
        return self.directory.name

    @property
    def audit_file(self) -> Path:
        """The ledger, which `--audit` may have put elsewhere. Raises SourceError if that cannot be told."""
        try:
            pointed = (self.directory / POINTER_NAME).read_bytes().rstrip(b"\r\n")
        except FileNotFoundError:
            return self.directory / AUDIT_NAME
        except OSError as error:
            raise SourceError(f"{self.directory / POINTER_NAME}: cannot be read: {error.strerror}.") from error
        return Path(os.fsdecode(pointed))

    @property
    def manifest_file(self) -> Path:
        """The pinned ids."""
        return self.directory / "manifest.csv"

    @property
    def summary_file(self) -> Path:
        """The summary, if the run came to its end."""
        return self.directory / "summary.json"


def run_folders(runs_path: Path) -> list[RunFolder]:
    """Every run below `runs_path`, the oldest first, by absolute paths. Raises SourceError if it cannot be listed."""
    try:
        paths = runs_path.absolute().iterdir()
        found = [RunFolder(path) for path in paths if RUN_ID.fullmatch(path.name) and path.is_dir()]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise SourceError(f"{runs_path}: cannot be read: {error.strerror}.") from error
    return sorted(found, key=lambda folder: folder.run_id)


def find_run(spec: str, runs_path: Path) -> RunFolder:
    """The run that `spec` names: a directory, a run id or the unique start of one, or `last`. Raises UsageError."""
    if not spec.strip():
        raise UsageError("RUN is empty: give a run id, the start of one, a run directory, or last.")
    path = Path(spec)
    if path.is_dir() and any((path / name).exists() for name in ("manifest.csv", AUDIT_NAME, POINTER_NAME)):
        return RunFolder(path.absolute())
    folders = run_folders(runs_path)
    if not folders:
        raise UsageError(f"there are no runs in {runs_path}. See --runs-dir.")
    if spec == LAST:  # though its ledger may be away: to act on an older one instead would be worse
        return folders[-1]
    found = [folder for folder in folders if folder.run_id.startswith(spec)]
    if len(found) == 1:
        return found[0]
    if not found:
        raise UsageError(f"no run in {runs_path} is called {spec!r}. See bulkpause runs, and --runs-dir.")
    names = "".join(f"\n  {folder.run_id}" for folder in found[:NAMED])
    more = f"\n  and {len(found) - NAMED:,} more" if len(found) > NAMED else ""
    raise UsageError(f"{len(found):,} runs are called {spec}...; say more of it:{names}{more}")
