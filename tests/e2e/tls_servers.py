"""nginx as the TLS end of the service, in the ways that a gateway may be set up, with certificates made on the fly."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import trustme

from tests.e2e.driving import PATIENCE_S, listens, wait_until

NGINX: Final = shutil.which("nginx", path=os.pathsep.join([os.environ["PATH"], "/usr/sbin", "/usr/local/sbin"]))
"""Where it is installed; None if it is not."""

CONFIG: Final = """\
daemon off;
master_process off;
pid {folder}/pid;
error_log {folder}/errors info;
events {{ worker_connections 256; }}
http {{
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  log_format connections '$connection $ssl_protocol $ssl_client_verify';
  access_log {folder}/log connections;
  server {{
    listen 127.0.0.1:{port} ssl;
    ssl_certificate {folder}/server.pem;
    ssl_certificate_key {folder}/server.pem;
    {directives}
    location / {{
      proxy_pass {upstream};
      proxy_http_version 1.1;
      proxy_set_header Connection "";
    }}
  }}
}}
"""


@dataclass(frozen=True, slots=True)
class TlsServer:
    """An nginx that is up."""

    folder: Path
    port: int

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return f"https://localhost:{self.port}"

    @property
    def ca_file(self) -> str:
        """Whom to trust; for a server of an unknown authority that is another one."""
        return str(self.folder / "ca.pem")

    @property
    def requests(self) -> list[list[str]]:
        """Of each request the number of its connection, the version of TLS, and what became of a client certificate."""
        return [line.split() for line in (self.folder / "log").read_text().splitlines()]

    @property
    def refusals(self) -> int:
        """How often a client broke the handshake off; our own look whether it is up was the first."""
        return (self.folder / "errors").read_text().count("while SSL handshaking") - 1


@contextmanager
def tls_server(folder: Path, upstream: str, *, flaw: str = "", directives: str = "") -> Iterator[TlsServer]:
    """Nginx before `upstream`, with `folder` to itself, until the block ends.

    `flaw` is that of its certificate: expired, not yet, other host, other authority. Beside `ca.pem`, `client.pem` is a
    client's certificate, with its key, that it takes if it is told to.
    """
    assert NGINX is not None
    folder.mkdir()
    authority = trustme.CA()
    now = datetime.now(UTC)
    leaf = (trustme.CA() if flaw == "other authority" else authority).issue_cert(
        "elsewhere.example" if flaw == "other host" else "localhost",
        not_before=now + timedelta(days=1) if flaw == "not yet" else now - timedelta(days=3),
        not_after=now - timedelta(days=1) if flaw == "expired" else now + timedelta(days=3),
    )
    leaf.private_key_and_cert_chain_pem.write_to_path(str(folder / "server.pem"))
    authority.issue_cert("client.example").private_key_and_cert_chain_pem.write_to_path(str(folder / "client.pem"))
    (folder / "client.pem").chmod(0o600)  # it holds a key
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    words = {"folder": folder, "port": port, "upstream": upstream}
    (folder / "config").write_text(CONFIG.format(**words, directives=directives.format(**words)))
    process = subprocess.Popen(
        [NGINX, "-p", f"{folder}/", "-e", f"{folder}/errors", "-c", f"{folder}/config"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: process.poll() is not None or listens(port))
        assert process.poll() is None, (folder / "errors").read_text()
        server = TlsServer(folder, port)
        wait_until(lambda: server.refusals == 0)
        yield server
    finally:
        process.terminate()
        process.wait(timeout=PATIENCE_S)
