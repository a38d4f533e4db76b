"""The static server that every contestant talks to: one nginx worker on a core of its own, over plain loopback.

Each PUT is answered 200 with a body of the API's shape and size (681 bytes) that confirms the report it names. The slow
port waits 50 ms first, with `echo_sleep` of nginx's echo module, which Debian's nginx-light brings along.
"""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.cores import SERVER_CORE, on_core

LATENCY_MS: Final = 50
BODY_BYTES: Final = 681
BASE_PATH: Final = "/insights/v1/mpn"
PAUSE_PATH: Final = f"{BASE_PATH}/ScheduledReport/pause/"

CONFIG: Final = """
{echo_module}
daemon off; master_process off; worker_processes 1; pid nginx.pid; error_log error.log;
events {{ worker_connections 4096; }}
http {{
  access_log off; default_type application/json; keepalive_requests 100000000; keepalive_time 1d; lingering_close off;
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi;
  scgi_temp_path scgi; map $uri $report_id {{ "~/(?<found>[0-9a-f-]+)$" $found; }}
  server {{ listen 127.0.0.1:{fast} backlog=1024; location / {{ return 200 '{body}'; }} }}
  {slow_server}
}}
"""
SLOW_SERVER: Final = """server {{
    listen 127.0.0.1:{slow} backlog=1024;
    location / {{ echo_sleep {latency_s}; echo_exec @reply; }}
    location @reply {{ return 200 '{body}'; }}
  }}"""


@dataclass(frozen=True, slots=True)
class Target:
    """Where a running target listens."""

    base_url: str
    slow_base_url: str | None
    """The same with 50 ms of latency; None without nginx's echo module."""


def reply_body(report_id: str) -> str:
    """What the API answers a pause with (docs/api.md section 3), filled up to BODY_BYTES for a report id."""
    report = {
        "reportId": report_id,
        "reportName": "Customers and subscriptions",
        "description": "",
        "queryId": "8f3a6e0d-2a7c-4a0e-9f51-7d9f3f0e2b11",
        "query": "SELECT CustomerName, SubscriptionId, SKU, Licenses FROM Subscriptions TIMESPAN LAST_MONTH",
        "user": "operator@contoso.example",
        "createdTime": "2026-01-05T19:00:00Z",
        "modifiedTime": None,
        "executeNow": False,
        "startTime": "2026-01-06T19:00:00Z",
        "reportStatus": "Paused",
        "recurrenceInterval": 24,
        "recurrenceCount": 365,
        "callbackUrl": None,
        "callbackMethod": None,
        "format": "csv",
    }
    envelope = {"value": [report], "nextLink": None, "totalCount": 1, "message": "Report paused", "statusCode": 200}
    missing = BODY_BYTES - len(json.dumps(envelope)) - 36 + len(report_id)
    report["description"] = "x" * missing
    return json.dumps(envelope)


@contextmanager
def serving() -> Iterator[Target | None]:
    """A running target; None, said loudly by whoever asked, if there is no nginx here."""
    nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    if nginx is None:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="bench-nginx-") as folder:
        fast, slow = _free_port(), _free_port()
        module = _echo_module(nginx)
        body = reply_body("$report_id")
        slow_server = SLOW_SERVER.format(slow=slow, latency_s=LATENCY_MS / 1000, body=body) if module else ""
        config = CONFIG.format(
            fast=fast,
            body=body,
            slow_server=slow_server,
            echo_module=f"load_module {module};" if module else "",
        )
        Path(folder, "nginx.conf").write_text(config, encoding="ascii")
        command = on_core(SERVER_CORE, [nginx, "-p", folder, "-e", f"{folder}/error.log", "-c", f"{folder}/nginx.conf"])
        process = subprocess.Popen(command)
        try:
            _await_port(fast, process)
            yield Target(
                f"http://127.0.0.1:{fast}{BASE_PATH}", f"http://127.0.0.1:{slow}{BASE_PATH}" if module else None
            )
        finally:
            process.terminate()
            process.wait()


def _echo_module(nginx: str) -> Path | None:
    build = subprocess.run([nginx, "-V"], capture_output=True, text=True, check=True).stderr
    folder = re.search(r"--modules-path=(\S+)", build)
    module = Path(folder[1] if folder else "", "ngx_http_echo_module.so")
    return module if module.exists() else None


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def _await_port(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline_s = time.monotonic() + 5
    while process.poll() is None and time.monotonic() < deadline_s:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise SystemExit("nginx did not start; what it said is above.")
