"""An operator at a shell: drives the installed command against a sandbox, and checks what every run must keep."""

from __future__ import annotations

import csv
import json
import os
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pexpect

from bulkpause.replay import BROKEN_OFF
from bulkpause.sandbox import JournalEntry, Sandbox

COMMAND: Final = str(Path(sys.executable).with_name("bulkpause"))
PATIENCE_S: Final = 20.0
NO_COVERAGE: Final = {"COVERAGE_PROCESS_START": "", "COVERAGE_PROCESS_CONFIG": ""}
"""For processes that add nothing to it, or may not write as much as the collector wants to."""
LINE = dict[str, Any]
Mark = tuple[dict[Path, int], int]
"""The size of each run's ledger, and how many PUTs the service had seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What one invocation left behind."""

    code: int
    stdout: str
    stderr: str
    directory: Path | None
    """The run directory it made, or wrote to, if it did."""
    puts: tuple[JournalEntry, ...]
    """What the service saw of it."""

    @property
    def summary(self) -> LINE:
        """The document of summary.json."""
        assert self.directory is not None, self.stderr
        document: LINE = json.loads((self.directory / "summary.json").read_bytes())
        return document

    @property
    def ledger(self) -> list[LINE]:
        """Every whole line of the audit log."""
        assert self.directory is not None, self.stderr
        return ledger_lines(self.directory / "audit.jsonl")

    def events(self, event: str) -> list[LINE]:
        """The lines of one kind."""
        return [line for line in self.ledger if line["event"] == event]

    @property
    def endings(self) -> list[LINE]:
        """Of every row the latest line that says how it ended."""
        latest = {line["row"]: line for line in self.ledger if line["event"] in {"outcome", "resolved"}}
        return list(latest.values())

    @property
    def statuses(self) -> Counter[str]:
        """Outcomes counted by status, from the audit log."""
        return Counter(line["status"] for line in self.endings)

    def ids(self, *statuses: str) -> set[str]:
        """The reports that ended so."""
        return {line["report_id"] for line in self.endings if line["status"] in statuses}


class Operator:
    """Somebody with an empty home, the command, and the credentials of a sandbox in the environment."""

    def __init__(self, home: Path, sandbox: Sandbox) -> None:
        self.home = home
        self.sandbox = sandbox
        self.runs = home / "runs"
        self._token = "" if sandbox.settings.tls else sandbox.issue_token()

    def source(self, ids: Iterable[str], *, name: str = "reports.csv", header: str = "ReportId") -> str:
        """A file of one column; returns its name, relative to the home."""
        (self.home / name).write_text("\n".join([header, *ids, ""]), encoding="utf-8")
        return name

    def environment(self, more: dict[str, str] | None = None) -> dict[str, str]:
        """The least a shell has, the sandbox's credentials, and quick retries where there will be some."""
        ours = ("BULKPAUSE_", "AZURE_", "XDG_")
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(ours) and not name.lower().endswith("_proxy")
        }
        sandbox = self.sandbox
        if sandbox.settings.tls:
            access = {
                "AZURE_AUTHORITY_HOST": sandbox.authority.removesuffix(f"/{sandbox.tenant_id}"),
                "AZURE_TENANT_ID": sandbox.tenant_id,
                "AZURE_CLIENT_ID": sandbox.client_id,
                "AZURE_CLIENT_SECRET": sandbox.client_secret,
            }
        else:
            access = {"BULKPAUSE_TOKEN": self._token}
        quick = {"BULKPAUSE_RETRY__BACKOFF_BASE_S": "0.02", "BULKPAUSE_RETRY__BACKOFF_CAP_S": "0.1"}
        will_retry = sandbox.settings.faults or sandbox.settings.rate_limit
        path = os.pathsep.join([str(Path(COMMAND).parent), os.environ["PATH"]])
        return {
            **kept,
            "PATH": path,
            "HOME": str(self.home),
            "TERM": "xterm",
            **access,
            **NO_COVERAGE,
            **(quick if will_retry else {}),
            **(more or {}),
        }

    def flags(self) -> list[str]:
        """Where the sandbox is, where runs go, and a rate that holds nobody up; variables would cost more start-up."""
        return [*self.target(), "--runs-dir", str(self.runs), "--rate", "1000/s"]

    def running(self) -> list[str]:
        """The same for what sends: a search for the limit that begins at the top, and few in flight."""
        return [*self.flags(), "--rate-start", "1000/s", "--concurrency", "8"]

    def target(self) -> list[str]:
        """Where the sandbox is."""
        trust = ["--ca-file", str(self.sandbox.ca_file)] if self.sandbox.settings.tls else []
        return ["--base-url", self.sandbox.base_url, *trust]

    def command(self, arguments: Sequence[str], script: str | None = None) -> list[str]:
        """The command with the flags before its own, which win; or a bash script with that as "$@"."""
        verb, *rest = arguments
        flags = {
            **dict.fromkeys(("pause", "resume", "continue", "undo"), self.running),
            "verify": self.flags,
            "list": self.target,
        }.get(verb, list)()
        command = [COMMAND, verb, *flags, *rest]
        return command if script is None else ["bash", "-c", script, "bash", *command]

    def run(
        self,
        *arguments: str,
        stdin: str | bytes | None = None,
        env: dict[str, str] | None = None,
        script: str | None = None,
        may_abandon: bool = False,
    ) -> Ran:
        """Run the command to its end; `script` is a bash script instead, with the command as "$@"."""
        before = self._mark()
        done = subprocess.run(
            self.command(arguments, script),
            input=stdin.encode() if isinstance(stdin, str) else stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            env=self.environment(env),
            cwd=self.home,
            timeout=PATIENCE_S,
            check=False,
        )
        return self._judged(before, done.returncode, done.stdout, done.stderr, may_abandon=may_abandon)

    def start(self, *arguments: str, env: dict[str, str] | None = None) -> Running:
        """Start the command with pipes around it."""
        return Running(self, self._mark(), self.command(arguments), self.environment(env))

    def at_terminal(self, *arguments: str, env: dict[str, str] | None = None, script: str | None = None) -> Terminal:
        """Start the command, or a bash script with the command as "$@", on a pseudo-terminal of its own."""
        return Terminal(self, self._mark(), self.command(arguments, script), self.environment(env))

    def _mark(self) -> Mark:
        return {folder: _ledger_size(folder) for folder in self.runs.glob("*")}, len(self.sandbox.journal.puts)

    def _judged(self, before: Mark, code: int, stdout: bytes, stderr: bytes, *, may_abandon: bool) -> Ran:
        made = [folder for folder in self.runs.glob("*") if before[0].get(folder) != _ledger_size(folder)]
        assert len(made) <= 1
        ran = Ran(
            code=code,
            stdout=stdout.decode(),
            stderr=stderr.decode(),
            directory=made[0] if made else None,
            puts=self.sandbox.journal.puts[before[1] :],
        )
        check_nothing_leaks(self, ran)
        if ran.directory is not None and (ran.directory / "audit.jsonl").exists():
            check_intents_come_first(ran.ledger, ran.puts)
            if (ran.directory / "summary.json").exists():
                check_books(ran, self.sandbox.journal.puts, may_abandon=may_abandon)
        return ran


class Running:
    """An invocation under way, with pipes for its standard streams."""

    def __init__(self, operator: Operator, before: Mark, command: Sequence[str], env: dict[str, str]) -> None:
        self._operator = operator
        self._before = before
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=env,
            cwd=operator.home,
        )

    def type(self, text: str) -> None:
        """Write to its stdin at once, and leave that open."""
        assert self.process.stdin is not None
        self.process.stdin.write(text.encode())
        self.process.stdin.flush()

    def end(self, *, may_abandon: bool = False) -> Ran:
        """Close its stdin, if that is open, and wait."""
        stdout, stderr = self.process.communicate(timeout=PATIENCE_S)
        return self._operator._judged(self._before, self.process.returncode, stdout, stderr, may_abandon=may_abandon)

    def read_line(self) -> str:
        """The next line of its stderr."""
        assert self.process.stderr is not None
        return self.process.stderr.readline().decode()


class Terminal:
    """An invocation on a pseudo-terminal: what it prints, stdout and stderr alike, is what a person would see."""

    def __init__(self, operator: Operator, before: Mark, command: Sequence[str], env: dict[str, str]) -> None:
        self._operator = operator
        self._before = before
        self._seen = ""
        self.child = pexpect.spawn(
            command[0],
            list(command[1:]),
            env=env,
            cwd=str(operator.home),
            encoding="utf-8",
            timeout=PATIENCE_S,
            dimensions=(40, 250),
        )

    def expect(self, text: str) -> None:
        """Wait until it has printed `text`."""
        self.child.expect_exact(text)
        self._seen += self.child.before + self.child.after

    def type(self, text: str) -> None:
        """Type a line."""
        self.child.sendline(text)

    def interrupt(self) -> None:
        """Ctrl-C."""
        self.child.sendintr()

    def end(self, *, may_abandon: bool = False) -> Ran:
        """Wait for its end; everything it printed is in `stdout`."""
        self.child.expect(pexpect.EOF)
        self._seen += self.child.before
        self.child.close()
        code = self.child.exitstatus if self.child.exitstatus is not None else -self.child.signalstatus
        return self._operator._judged(self._before, code, self._seen.encode(), b"", may_abandon=may_abandon)


def ledger_lines(file: Path) -> list[LINE]:
    """The whole lines of a ledger; a crash may have cut the last."""
    return [json.loads(line) for line in file.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]


def check_is_whole(file: Path) -> None:
    """Every line of the ledger is one JSON object; at most the end of the last is missing."""
    *lines, rest = file.read_bytes().split(b"\n")
    assert all(isinstance(json.loads(line), dict) for line in lines)
    assert b'{"'.startswith(rest[:2])


def csv_rows(file: Path) -> list[dict[str, str]]:
    with file.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def listens(port: int) -> bool:
    """Whether somebody takes connections there."""
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except ConnectionRefusedError:
        return False
    return True


def wait_until(holds: Callable[[], object]) -> None:
    """Poll until `holds`; fail if it takes too long."""
    deadline_s = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline_s
        time.sleep(0.005)


def check_nothing_leaks(operator: Operator, ran: Ran) -> None:
    """Neither a traceback nor a secret, on the screen or in any file."""
    assert "Traceback" not in ran.stdout + ran.stderr
    texts = [ran.stdout.encode(), ran.stderr.encode()]
    texts += [file.read_bytes() for file in operator.runs.glob("*/*")]
    for secret in (operator.sandbox.client_secret, *operator.sandbox._tokens._expiry_s):
        assert not any(secret.encode() in text for text in texts)


def check_intents_come_first(ledger: Sequence[LINE], puts: Sequence[JournalEntry]) -> None:
    """Every request on the wire was named by a line written before it arrived."""
    assert [line["seq"] for line in ledger] == list(range(1, len(ledger) + 1))
    assert len({line["run_id"] for line in ledger}) <= 1
    intents = {line["correlation_id"]: line for line in ledger if line["event"] == "attempt_started"}
    for put in puts:
        intent = intents[str(put.correlation_id)]
        assert (intent["report_id"], intent["request_id"]) == (put.report_id, put.request_id)
        assert intent["at"][:26] <= put.at[:26]


def check_books(ran: Ran, journal: Sequence[JournalEntry], *, may_abandon: bool) -> None:
    """One outcome per row, counts that add up, and no claim the service would deny.

    What a run abandoned in flight, or a kill cut short, counts as sent, whether or not it arrived.
    """
    summary, outcomes, ledger = ran.summary, ran.endings, ran.ledger
    parts = sum(line["event"] in {"run_started", "run_continued"} for line in ledger)
    assert parts > 1 or len(ran.events("outcome")) == len(outcomes)
    if summary["state"] != "broken":
        assert ledger[-1]["event"] in {"run_finished", "verified"}
        assert (ledger[-1]["lines"], ledger[-1]["head"]) == (summary["audit_lines"], summary["audit_head"])
        assert summary["by_status"] == ran.statuses
        codes = Counter(str(line["status_code"] or "none") for line in outcomes)
        assert summary["by_status_code"] == codes
        assert summary["read"] == len(outcomes) + summary["duplicates"]
        assert summary["sent"] == sum(line["sent"] for line in ran.events("outcome"))
    intents = {line["correlation_id"] for line in ledger if line["event"] == "attempt_started"}
    puts = [put for put in journal if put.correlation_id in intents]
    was_killed = any(line.get("error") == BROKEN_OFF for line in ledger)
    assert summary["sent"] >= len(puts) if may_abandon or was_killed else summary["sent"] == len(puts)
    acted = {put.report_id for put in puts if put.effect}
    lied_to = {put.report_id for put in puts if (put.fault or "").startswith("lie-done")}
    assert ran.ids("succeeded") <= acted | lied_to
    named = ran.ids("succeeded", "unknown")
    if summary["state"] == "broken":  # an intent without an outcome is in doubt, and may have acted
        named |= {line["report_id"] for line in ran.events("attempt_started")} - {
            line["report_id"] for line in outcomes
        }
    assert {put.report_id for put in puts if put.changed} <= named


def _ledger_size(folder: Path) -> int:
    ledger = folder / "audit.jsonl"
    return ledger.stat().st_size if ledger.exists() else -1
