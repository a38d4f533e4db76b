"""A person signs in with the browser of this machine: authorization code with PKCE, sent back to a port on loopback.

https://datatracker.ietf.org/doc/html/rfc8252
"""

from __future__ import annotations

import hmac
import html
import queue
import socket
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import parse_qsl, urlsplit

from bulkpause.auth.entra import Conversation
from bulkpause.auth.person import Granted, read_grant
from bulkpause.clock import Clock
from bulkpause.errors import AuthError

PATIENCE_S: Final = 600.0
"""How long a person may take."""

_LONGEST_BODY: Final = 65_536
_SLOWEST_S: Final = 10.0
_STYLE: Final = (
    ":root{color-scheme:light dark}"
    "body{font:1.15rem/1.6 system-ui,sans-serif;max-width:34rem;margin:22vh auto;padding:0 1.5rem}"
    "h1{font-size:1rem;letter-spacing:.04em;opacity:.6}"
)
_PAGE: Final = """\
<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>bulkpause</title><style>{style}</style></head>
<body><h1>bulkpause</h1><p>{text}</p></body></html>
"""


def sign_in_by_browser(
    conversation: Conversation,
    *,
    prompt: Callable[[str], None],
    open_browser: Callable[[str], object],
    clock: Clock,
    patience_s: float = PATIENCE_S,
) -> Granted:
    """Open the page to sign in at, and wait until the browser brings the answer back. Raises AuthError."""
    with Receiver() as receiver:
        flow = dict(
            conversation.ask(
                lambda msal: msal.initiate_auth_code_flow(
                    [conversation.app.scope],
                    redirect_uri=receiver.redirect_uri,
                    prompt="select_account",
                    response_mode="form_post",  # in the body, so that the code is in no history and no log
                )
            )
        )
        receiver.expect(state=str(flow["state"]))
        prompt(
            "Sign in with your browser, on this machine. Should no page open by itself, open this one:\n"
            f"{flow['auth_uri']}\nCtrl-C gives up."
        )
        open_browser(str(flow["auth_uri"]))
        answer = receiver.wait(patience_s)
    if answer is None:
        raise AuthError(f"nobody signed in within {patience_s / 60:.0f} min. Run it again")
    if answer.get("error") == "access_denied":
        raise AuthError("the sign-in was declined in the browser")
    asked_at = clock.now()
    return read_grant(conversation.ask(lambda msal: msal.acquire_token_by_auth_code_flow(flow, answer)), asked_at)


class Receiver:
    """Listens on a free port of loopback, on IPv4 and where there is one IPv6, for one answer with the right state."""

    def __init__(self) -> None:
        self._answers: queue.Queue[Mapping[str, str]] = queue.Queue()
        self._state: str | None = None
        self._servers: list[ThreadingHTTPServer] = []

    def __enter__(self) -> Self:
        """Listen. Raises AuthError if that is not possible."""
        try:
            self._listen(_Server, "127.0.0.1", 0)
        except OSError as error:
            raise AuthError(f"no port on loopback is to be had ({error.strerror}); try --device-code") from None
        with suppress(OSError):  # where localhost means ::1 as well, a browser may try that first
            self._listen(_Server6, "::1", self._port)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for server in self._servers:
            server.shutdown()
            server.server_close()

    @property
    def redirect_uri(self) -> str:
        """Where the browser is sent in the end; Entra does not compare the port of localhost."""
        return f"http://localhost:{self._port}"

    def expect(self, *, state: str) -> None:
        """Take the answer that has this state, and no other."""
        self._state = state

    def wait(self, patience_s: float) -> Mapping[str, str] | None:
        """The answer; None if there was none in time."""
        try:
            return self._answers.get(timeout=patience_s)
        except queue.Empty:
            return None

    def is_expected(self, answer: Mapping[str, str]) -> bool:
        """Whether this is the answer to the sign-in that waits."""
        return self._state is not None and hmac.compare_digest(answer.get("state", "").encode(), self._state.encode())

    def take(self, answer: Mapping[str, str]) -> None:
        """End the wait."""
        self._answers.put(answer)

    @property
    def _port(self) -> int:
        return int(self._servers[0].server_address[1])

    def _listen(self, kind: type[ThreadingHTTPServer], host: str, port: int) -> None:
        server = kind((host, port), partial(_Handler, self))
        self._servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.05,), name="bulkpause-sign-in-page", daemon=True).start()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = False  # on Windows it would let another program share the port

    def server_bind(self) -> None:
        """Bind, without the look-up of this machine's name that HTTPServer makes: it can take seconds."""
        TCPServer.server_bind(self)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a browser that hangs up has its reasons, and the wait goes on."""


class _Server6(_Server):
    address_family = socket.AF_INET6


class _Handler(BaseHTTPRequestHandler):
    """Takes one form, sent by the sign-in page, and answers with a page of its own."""

    timeout = _SLOWEST_S
    server_version = "bulkpause"
    sys_version = ""

    def __init__(self, receiver: Receiver, *connection: Any) -> None:
        self._receiver = receiver
        super().__init__(*connection)  # which handles the request

    def do_POST(self) -> None:
        """The form."""
        length = self.headers.get("Content-Length", "")
        if urlsplit(self.path).path != "/" or not length.isdecimal() or int(length) > _LONGEST_BODY:
            self._show(HTTPStatus.BAD_REQUEST, "This is no answer to a sign-in.")
            return
        answer = dict(parse_qsl(self.rfile.read(int(length)).decode("utf-8", "replace")))
        if not self._receiver.is_expected(answer):
            self._show(
                HTTPStatus.BAD_REQUEST, "This answer is not to the sign-in that waits here. Go on with that one."
            )
            return
        if "code" in answer:
            self._show(HTTPStatus.OK, "Thank you. You can close this window; the terminal says whether it worked.")
        else:
            why = answer.get("error_description") or answer.get("error") or "no reason given"
            self._show(HTTPStatus.OK, f"The sign-in did not succeed: {why} You can close this window.")
        self._receiver.take(answer)  # last, since the program may end soon after

    def do_GET(self) -> None:
        """Nothing is to be had here."""
        self._show(
            HTTPStatus.NOT_FOUND, "bulkpause waits here for the end of a sign-in. Go on with it in its own page."
        )

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name it is called by
        """Nothing: it would be in the terminal."""

    def _show(self, status: HTTPStatus, text: str) -> None:
        page = _PAGE.format(style=_STYLE, text=html.escape(text)).encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(page)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
        self.end_headers()
        self.wfile.write(page)
