"""The command line called in process, and a service for it."""

from __future__ import annotations

import io
import os
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest

from bulkpause import audit
from bulkpause.cli import main
from bulkpause.clock import SystemClock
from bulkpause.sandbox import Sandbox, SandboxSettings, parse_fault, serve_in_thread
from bulkpause.tenant.readback import SETTLE_S


@dataclass
class Said:
    """What a command came to: its exit code, stdout and stderr."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """What stdout holds, as one JSON document."""
        found: dict[str, Any] = orjson.loads(self.out)
        return found


class Keyboard(io.StringIO):
    """A stream that a person sits at."""

    def isatty(self) -> bool:
        """It is a terminal."""
        return True


@dataclass
class Cli:
    """Calls the command line in a directory of its own, in an environment that holds nothing of ours."""

    folder: Path
    patch: pytest.MonkeyPatch
    capture: pytest.CaptureFixture[str]

    def __call__(self, *arguments: str, stdin: bytes | None = None, env: Mapping[str, str] | None = None) -> Said:
        """Run it to its end."""
        with self.patch.context() as patch:
            for name, value in (env or {}).items():
                patch.setenv(name, value)
            if stdin is not None:
                patch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(stdin)))
            with pytest.raises(SystemExit) as ended:
                main(list(arguments))
        said = self.capture.readouterr()
        assert isinstance(ended.value.code, int)
        return Said(ended.value.code, said.out, said.err)

    def source(self, ids: Iterable[str], name: str = "reports.csv") -> str:
        """A CSV file of these ids."""
        Path(self.folder, name).write_text("\n".join(["ReportId", *ids, ""]), encoding="utf-8")
        return name

    @property
    def runs(self) -> list[Path]:
        """The run directories there are, in order."""
        return sorted(Path(self.folder, "runs").glob("*"))

    def ledger(self) -> list[dict[str, Any]]:
        """The lines of the last run's."""
        return list(audit.read(self.runs[-1] / "audit.jsonl"))

    def summary(self) -> dict[str, Any]:
        """The last run's."""
        found: dict[str, Any] = orjson.loads((self.runs[-1] / "summary.json").read_bytes())
        return found


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    """The command line, its runs under ./runs, quick to retry."""
    for name in [name for name in os.environ if name.startswith(("BULKPAUSE_", "AZURE_")) or "proxy" in name.lower()]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("BULKPAUSE_RUN__RUNS_DIR", "runs")
    monkeypatch.setenv("BULKPAUSE_RUN__RATE", "2000/s")
    monkeypatch.setenv("BULKPAUSE_RUN__RATE_START", "2000/s")
    monkeypatch.setenv("BULKPAUSE_RETRY__BACKOFF_BASE_S", "0.001")
    return Cli(tmp_path, monkeypatch, capsys)


Serve = Callable[..., Sandbox]


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    """Start a sandbox over plain HTTP with these faults, and point the command line at it with a ready token."""
    with ExitStack() as scope:

        def start(*faults: str, **settings: Any) -> Sandbox:
            given: dict[str, Any] = {"reports": 8, "tls": False, **settings}
            sandbox = scope.enter_context(
                serve_in_thread(SandboxSettings(faults=tuple(map(parse_fault, faults)), **given))
            )
            monkeypatch.setenv("BULKPAUSE_API__BASE_URL", sandbox.base_url)
            monkeypatch.setenv("BULKPAUSE_TOKEN", sandbox.issue_token())
            return sandbox

        yield start


@pytest.fixture
def quick_to_settle(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits until the service shows what it has confirmed."""
    sleep = SystemClock.sleep
    monkeypatch.setattr(
        SystemClock, "sleep", lambda clock, delay_s: sleep(clock, 0.01 if delay_s == SETTLE_S else delay_s)
    )


def operations(sandbox: Sandbox) -> Counter[str | None]:
    """What the service was asked for, and how often."""
    return Counter(entry.operation for entry in sandbox.journal.entries)


@contextmanager
def interrupted_at_list(sandbox: Sandbox, *, number: int = 1) -> Iterator[None]:
    """Press Ctrl-C as soon as the service is asked for its list for the `number`-th time."""
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.005):
            if operations(sandbox)["list"] >= number:
                os.kill(os.getpid(), signal.SIGINT)
                return

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()


def killed(directory: Path, *, lines: int) -> None:
    """Leave of a run what a kill would have left behind that many lines of its ledger."""
    ledger = directory / "audit.jsonl"
    kept = ledger.read_bytes().splitlines(keepends=True)[:lines]
    ledger.write_bytes(b"".join(kept))
    for name in ("summary.json", "failed.csv"):
        (directory / name).unlink(missing_ok=True)
