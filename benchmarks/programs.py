"""Contestants as programs: our own processes in Python, one per contestant, and curl, xargs and wrk."""

from __future__ import annotations

import json
import random
import re
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

from benchmarks.contestants import TOKEN
from benchmarks.cores import CLIENT_CORE, on_core
from benchmarks.rounds import Lap
from benchmarks.target import PAUSE_PATH, Target

WRK_SCRIPT = (
    'wrk.method = "PUT"\nwrk.headers["Content-Length"] = "0"\nwrk.headers["Authorization"] = "Bearer {token}"\n'
)


def write_ids(folder: Path, count: int) -> Path:
    """A file of `count` UUIDs, one a line, the same ones every time."""
    file = folder / f"{count}-ids.txt"
    rng = random.Random(count)  # noqa: S311 - the same ids for everybody
    file.write_text("\n".join(str(UUID(int=rng.getrandbits(128), version=4)) for _ in range(count)), encoding="ascii")
    return file


@contextmanager
def in_python(name: str, *, base_url: str, concurrency: int, count: int, folder: Path) -> Iterator[Callable[[], Lap]]:
    """A contestant of contestants.py or peers.py in a process of its own; each call is one lap over `count` ids."""
    ids_file = write_ids(folder, count)
    command = [sys.executable, "-m", "benchmarks.contestants", name, base_url, str(concurrency), ids_file, folder]
    with subprocess.Popen(
        [str(word) for word in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    ) as process:
        assert process.stdin is not None  # noqa: S101 - for mypy
        assert process.stdout is not None  # noqa: S101
        to, of = process.stdin, process.stdout

        def lap() -> Lap:
            to.write("go\n")
            if not (line := of.readline()):
                raise SystemExit(f"{name} ended early; what it said is above.")
            return Lap(**json.loads(line))

        yield lap
        to.close()


def curl_parallel(*, base_url: str, concurrency: int, count: int, folder: Path) -> Callable[[], Lap]:
    """One `curl --parallel` over a config file of all URLs: neither decodes nor logs."""
    ids = write_ids(folder, count).read_text(encoding="ascii").split()
    config = folder / "curl.conf"
    config.write_text(
        "\n".join(f'url = "{base_url}/ScheduledReport/pause/{report_id}"\noutput = /dev/null' for report_id in ids),
        encoding="ascii",
    )
    command = [*_curl(folder), "--write-out", "%{http_code}\\n", "--parallel", "--parallel-max", str(concurrency)]
    return _program([*command, "--config", str(config)], count=count)


def xargs_curl(*, base_url: str, concurrency: int, count: int, folder: Path) -> Callable[[], Lap]:
    """`xargs -n 1` with one curl process per id."""
    urls = "\n".join(
        f"{base_url}/ScheduledReport/pause/{report_id}"
        for report_id in write_ids(folder, count).read_text(encoding="ascii").split()
    )
    command = [*_curl(folder), "--write-out", "%{http_code}\\n", "--output", "/dev/null"]
    return _program(["xargs", "-P", str(concurrency), "-n", "1", *command], count=count, stdin=urls)


def wrk(target: Target, folder: Path, *, concurrency: int, seconds: int) -> Callable[[], Lap]:
    """wrk, in C, on the slow port: what the target itself gives."""
    script = folder / "put.lua"
    script.write_text(WRK_SCRIPT.format(token=TOKEN), encoding="ascii")
    url = f"{(target.slow_base_url or '').rpartition('/insights')[0]}{PAUSE_PATH}{UUID(int=0)}"
    command = on_core(CLIENT_CORE, ["wrk", "-t1", f"-c{concurrency}", f"-d{seconds}s", "-s", str(script), url])

    def lap() -> Lap:
        cpu_s = _children_cpu_s()
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        found = re.search(r"(\d+) requests in ([\d.]+)s", output)
        if found is None or "Non-2xx" in output:
            raise SystemExit(f"wrk had other answers than 200:\n{output}")
        return Lap(int(found[1]), _children_cpu_s() - cpu_s, float(found[2]))

    return lap


def is_missing(program: str) -> bool:
    """Whether the program is not installed; said loudly."""
    if shutil.which(program) is not None:
        return False
    print(f"SKIPPED: {program} is not installed", file=sys.stderr)
    return True


def _curl(folder: Path) -> list[str]:
    header = folder / "curl-header.txt"
    header.write_text(f"Authorization: Bearer {TOKEN}\n", encoding="ascii")
    return ["curl", "--silent", "--request", "PUT", "--header", f"@{header}"]


def _program(command: list[str], *, count: int, stdin: str = "") -> Callable[[], Lap]:
    """One lap is one run of the command, which prints 200 for each PUT that was answered so."""
    pinned = on_core(CLIENT_CORE, command)

    def lap() -> Lap:
        cpu_s, started_s = _children_cpu_s(), time.perf_counter()
        output = subprocess.run(pinned, input=stdin, check=True, capture_output=True, text=True).stdout
        lap = Lap(count, _children_cpu_s() - cpu_s, time.perf_counter() - started_s)
        if output.split().count("200") != count:
            raise SystemExit(f"{command[0]}: not every PUT was answered 200:\n{output[:500]}")
        return lap

    return lap


def _children_cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
