"""A proxy that refuses everybody, and repeats the credentials it was given."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

HEAD_LIMIT: Final = 64
"""Lines of a request that are read."""


class _Refuse(socketserver.StreamRequestHandler):
    timeout = 5

    def handle(self) -> None:
        """Read the head, and answer 407."""
        head = []
        for _ in range(HEAD_LIMIT):
            line = self.rfile.readline(65_536)
            if line in {b"\r\n", b""}:
                break
            head.append(line)
        body = b"You are refused. You said: " + b" ".join(line.strip() for line in head)
        status = b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=leaks\r\n"
        self.wfile.write(status + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body)


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


@contextmanager
def refusing_proxy() -> Iterator[int]:
    """The port on loopback where it listens, while entered."""
    with _Server(("127.0.0.1", 0), _Refuse) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield int(server.server_address[1])
        finally:
            server.shutdown()
            thread.join()
