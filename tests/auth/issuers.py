"""What stands beside Entra, over real sockets: a metadata service, or the endpoint of another issuer."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import orjson

Reply = tuple[int, Mapping[str, str], bytes]


def said(payload: object, *, status: int = 200, **headers: str) -> Reply:
    """A reply in JSON."""
    return status, {"Content-Type": "application/json", **headers}, orjson.dumps(payload)


@dataclass
class Asked:
    """One request as it came."""

    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]


@dataclass
class Issuer:
    """A server on loopback that answers every GET as `reply` says, and remembers what it was asked."""

    origin: str
    asked: list[Asked] = field(default_factory=list)


@contextmanager
def serve(reply: Callable[[Asked], Reply], *, tls: ssl.SSLContext | None = None) -> Iterator[Issuer]:
    """Serve in a thread until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            issuer.asked.append(Asked(parts.path, dict(parse_qsl(parts.query)), dict(self.headers)))
            status, headers, body = reply(issuer.asked[-1])
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - as in http.server
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    issuer = Issuer(f"{'https' if tls else 'http'}://localhost:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield issuer
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
