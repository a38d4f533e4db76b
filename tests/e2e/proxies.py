"""Rate limiters that others have written, as reverse proxies on the loopback: no privileges, no files but their own."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.e2e.driving import PATIENCE_S, listens, wait_until

NGINX: Final = """\
daemon off;
master_process off;
pid {folder}/pid;
error_log {folder}/errors;
events {{ worker_connections 256; }}
http {{
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  log_format answers '$request_method $status';
  access_log /dev/stdout answers;
  limit_req_zone tenant zone=tenant:1m rate=50r/s;
  server {{
    listen 127.0.0.1:{port};
    location / {{
      limit_req zone=tenant burst=10 nodelay;
      limit_req_status 429;
      proxy_pass http://127.0.0.1:{upstream};
      proxy_http_version 1.1;
      proxy_set_header Connection "";
    }}
  }}
}}
"""

HAPROXY: Final = """\
global
  log stdout format raw local0
defaults
  mode http
  log global
  option dontlognull
  log-format "%HM %ST"
  timeout connect 5s
  timeout client 30s
  timeout server 30s
frontend gateway
  bind 127.0.0.1:{port}
  stick-table type integer size 1k expire 60s store http_req_rate(1s)
  http-request track-sc0 int(1)
  http-request deny deny_status 429 if {{ sc_http_req_rate(0) gt 50 }}
  default_backend sandbox
backend sandbox
  server sandbox 127.0.0.1:{upstream}
"""


@dataclass(frozen=True, slots=True)
class Program:
    """A limiter of 50 requests a second, whose 429 is a page of HTML without Retry-After."""

    name: str
    config: str
    arguments: Callable[[Path], list[str]]

    @property
    def path(self) -> str | None:
        """Where it is installed; None if it is not."""
        return shutil.which(self.name, path=os.pathsep.join([os.environ["PATH"], "/usr/sbin", "/usr/local/sbin"]))


PROGRAMS: Final = (
    # Lets through one every 20 ms, and up to ten at once of those that come early. Refused requests cost nothing.
    Program("nginx", NGINX, lambda folder: ["-p", f"{folder}/", "-e", f"{folder}/errors", "-c", f"{folder}/config"]),
    # Lets through what finds fewer than 50 in the second before it. Those that were refused are among them.
    Program("haproxy", HAPROXY, lambda folder: ["-db", "-f", f"{folder}/config"]),
)


@dataclass(frozen=True, slots=True)
class Proxy:
    """A limiter that is up."""

    port: int
    log: Path
    """A line for each request: its method and the status it was answered."""

    @property
    def answers(self) -> Counter[tuple[str, int]]:
        """How often it gave which status to which method."""
        lines = (line.split() for line in self.log.read_text().splitlines())
        return Counter((line[0], int(line[1])) for line in lines if line[0] in {"GET", "PUT"})


@contextmanager
def proxied(program: Program, folder: Path, *, upstream: int) -> Iterator[Proxy]:
    """The program in front of the port `upstream`, with `folder` to itself, until the block ends."""
    assert program.path is not None
    with socket.create_server(("127.0.0.1", 0)) as free:
        proxy = Proxy(free.getsockname()[1], folder / "answers")
    folder.mkdir()
    (folder / "config").write_text(program.config.format(folder=folder, port=proxy.port, upstream=upstream))
    with proxy.log.open("ab") as log:
        process = subprocess.Popen([program.path, *program.arguments(folder)], stdout=log, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: process.poll() is not None or listens(proxy.port))
        assert process.poll() is None, f"{program.name} does not start with {folder}/config"
        yield proxy
    finally:
        process.terminate()
        process.wait(timeout=PATIENCE_S)
