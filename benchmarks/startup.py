"""How soon it answers: `bulkpause --help` against a bare interpreter, the first PUT against `import aiohttp` alone.

Run it with `python -m benchmarks.startup [ROUNDS]`. Medians of interleaved rounds, wall clock; the goals are those of
issue 2 section 7. The server that waits for the PUT is another process, and takes the time when its first byte comes.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final, cast

ROUNDS: Final = 15
PATIENCE_S: Final = 20.0
COMMAND: Final = Path(sys.executable).with_name("bulkpause")
REPORT_ID: Final = "0b5c2c1e-7a31-4d0e-9c54-5f2d1f6b8a90"

SERVER: Final = """
import socket, time
body = b'{"value":[{"reportId":"%s","reportStatus":"Paused"}],"totalCount":1,"message":"","statusCode":200}'
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
while True:
    connection, _ = listener.accept()
    with connection:
        first = connection.recv(1)
        now_ns = time.monotonic_ns()
        head = first
        while first and not head.endswith(b"\\r\\n\\r\\n"):
            head += connection.recv(1)
        if head.startswith(b"PUT "):
            print(now_ns, flush=True)
            text = body %% head.split(b" ")[1].rpartition(b"/")[2]
            connection.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Type: application/json\\r\\nConnection: close\\r\\n"
                               b"Content-Length: %%d\\r\\n\\r\\n" %% len(text) + text)
""".replace("%%", "%")
"""Accepts connections one by one and confirms each PUT; it prints its port, then when each PUT's first byte came."""


def main() -> int:
    """Print the medians and their ratios to the goals; 1 if a goal is missed."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    with _first_put() as first_put:
        cases: dict[str, Callable[[], float]] = {
            "bare interpreter": lambda: _elapsed_ms(sys.executable, "-c", "pass"),
            "bulkpause --help": lambda: _elapsed_ms(str(COMMAND), "--help"),
            "import aiohttp": lambda: _elapsed_ms(sys.executable, "-c", "import aiohttp"),
            "first PUT": first_put,
        }
        for measure in cases.values():
            measure()  # fills the caches of byte code and of the disk
        found: dict[str, list[float]] = {name: [] for name in cases}
        for _ in range(rounds):
            for name, measure in cases.items():
                found[name].append(measure())
    for name, values in found.items():
        print(f"{name:<17} {statistics.median(values):6.1f} ms  [{min(values):.1f}-{max(values):.1f}]")
    goals = (("bulkpause --help", "bare interpreter", 4.0), ("first PUT", "import aiohttp", 1.4))
    missed = False
    for name, base, goal in goals:
        ratio = statistics.median(found[name]) / statistics.median(found[base])
        missed = missed or ratio > goal
        print(f"{name} / {base}: {ratio:.2f}, goal {goal} {'missed' if ratio > goal else 'met'} ({rounds} rounds)")
    return int(missed)


def _elapsed_ms(*command: str) -> float:
    began_ns = time.monotonic_ns()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return (time.monotonic_ns() - began_ns) / 1e6


@contextmanager
def _first_put() -> Iterator[Callable[[], float]]:
    """Measure from the start of `bulkpause pause` with a ready token to the first byte of its PUT on the socket."""
    with (
        tempfile.TemporaryDirectory(prefix="bulkpause-startup-") as folder,
        subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE, text=True) as server,
    ):
        try:
            lines = cast("IO[str]", server.stdout)
            port = lines.readline().strip()
            source = Path(folder, "reports.csv")
            source.write_text(f"ReportId\n{REPORT_ID}\n", encoding="utf-8")
            command = [str(COMMAND), "pause", "reports.csv", "--base-url", f"http://127.0.0.1:{port}/insights/v1/mpn"]
            command += ["--runs-dir", "runs", "--progress", "none", "--json", "--rate", "1000/s", "--timeout", "5"]
            kept = {name: value for name, value in os.environ.items() if not name.startswith(("BULKPAUSE_", "AZURE_"))}
            environment = {**kept, "HOME": folder, "BULKPAUSE_TOKEN": "ready"}

            def measure() -> float:
                began_ns = time.monotonic_ns()
                done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=False)
                if done.returncode:
                    raise SystemExit(f"{COMMAND.name} ended with {done.returncode}: {done.stderr.decode()}")
                return (int(lines.readline()) - began_ns) / 1e6

            yield measure
        finally:
            server.kill()


if __name__ == "__main__":
    sys.exit(main())
