"""What reaches the log, and that no secret does: each one planted here can also be missed by a broken redactor."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, quote_plus

import orjson
import pytest

from bulkpause.logs import LazyLog
from bulkpause.redaction import MASK, Redactor, printable

KNOWN = "Kn0wn/s~ecret+100%"
JWT = "eyJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJwbGFudGVkIn0.c2lnbmF0dXJlLXBsYW50ZWQ"

PLANTED: dict[str, dict[str, Any]] = {
    "a known value": {"note": f"it is {KNOWN}!", "parts": [KNOWN]},
    "a known value in a URL": {"note": f"?a={quote(KNOWN)}&b={quote_plus(KNOWN)}&c={quote(KNOWN, '')}"},
    "a JWT": {"note": f"got {JWT}", "list": [{"deep": (JWT, JWT)}]},
    "a JWT that was cut": {"note": f"got {JWT[:40]}"},
    "a bearer token": {"note": "Authorization: Bearer planted-opaque", "other": "bearer  planted"},
    "basic credentials": {"note": "Proxy-Authorization: Basic cGxhbnRlZDpwbGFudGVk="},
    "a proxy's user and password": {"proxy": "http://joe:planted@proxy:3128", "x": "via https://planted:pl@nted@p/"},
    "a user without a password": {"url": "https://planted@host/path"},
    "a SAS signature": {"url": "https://blob/x?sv=1&sig=planted%2Bplanted&se=2", "note": "sig=planted"},
    "a form": {"body": "grant_type=x&client_secret=planted&scope=y&client_assertion=planted&refresh_token=planted"},
    "a JSON reply": {"body": '{"access_token": "planted", "id_token":"planted", "password": "planted"}'},
    "an API key": {"note": "api_key=planted; apikey: planted", "other": "AccountKey=planted;"},
    "sensitive names": {
        **dict.fromkeys(
            ("password", "client_secret", "clientSecret", "Authorization", "api_key", "x-api-key"), "planted"
        ),
        **dict.fromkeys(
            ("access_token", "accessToken", "token", "id_token_hint", "token_value", "Set-Cookie"), "planted"
        ),
        **dict.fromkeys(("passphrase", "client_assertion", "private_key", "sig", "credentials"), "planted"),
        "secret": ["planted", {"more": "planted"}],
        "pin_password": 271828,
    },
    "nested names": {"config": {"auth": [{"client_secret": "planted", "deeper": {"token": b"planted"}}]}},
    "a secret as a name": {"fields": {KNOWN: 1}},
    "an exception": {"error": ValueError(f"no: {KNOWN}, Bearer planted"), "cause": OSError(5, f"sig=planted {JWT}")},
    "bytes": {"body": f"Bearer planted {KNOWN}".encode()},
    "a set": {"found": {f"Bearer planted {KNOWN}"}},
}

HARMLESS = {
    "token_refreshes": 3,
    "token_refreshed": "2026-11-22T03:00:00Z",
    "token_renewal_failed": "no route to host",
    "token_type": "Bearer-less",
    "token_expires_at": "2026-11-22T03:00:00Z",
    "token_timeout_s": 30.0,
    "tokens": 2,
    "expires_at": "2026-11-22T03:00:00Z",
    "url": "https://localhost:8443/insights/v1/mpn/ScheduledReport/pause/x?a=b@c",
    "report_id": "0b5c2c1e-7a31-4d0e-9c54-5f2d1f6b8a90",
    "message": "User does not have permission to access this report. Contact joe@contoso.example",
    "design": "signal 2, signature pending",
    "count": 0,
    "none": None,
    "flag": True,
    "tries": [1, 2.5],
    "why": {"reason": "expiry"},
}

Lines = Callable[..., str]


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Lines:
    """What comes out on stderr when these fields are logged."""

    def write(*, form: str, redactor: Redactor, **fields: Any) -> str:
        LazyLog(level="info", form=form, redactor=redactor).warning("planted.event", **fields)
        return capsys.readouterr().err.replace("planted.event", "")

    return write


def leaks(text: str) -> list[str]:
    """The secrets that can be read in `text`, or most of one."""
    spelt = {KNOWN, quote(KNOWN), quote_plus(KNOWN), quote(KNOWN, ""), orjson.dumps(KNOWN).decode()[1:-1]}
    return [
        secret for secret in (*spelt, "planted", "nted@", JWT[:36], JWT[-12:], "cGxhbnRlZ", "271828") if secret in text
    ]


@pytest.mark.parametrize("form", ["console", "json"])
@pytest.mark.parametrize("fields", PLANTED.values(), ids=PLANTED.keys())
def test_no_planted_secret_is_written(lines: Lines, form: str, fields: dict[str, Any]) -> None:
    text = lines(form=form, redactor=Redactor([KNOWN]), **fields)
    assert MASK in text
    assert leaks(text) == []


class _Broken(Redactor):
    def text(self, text: str) -> str:
        return text

    def value(self, value: Any, *, name: str = "") -> Any:
        return str(value) if isinstance(value, (bytes, Exception, set)) else value


@pytest.mark.parametrize("fields", PLANTED.values(), ids=PLANTED.keys())
def test_a_redactor_that_does_nothing_would_be_caught(lines: Lines, fields: dict[str, Any]) -> None:
    assert leaks(lines(form="console", redactor=_Broken([KNOWN]), **fields))


@pytest.mark.parametrize("form", ["console", "json"])
def test_a_traceback_is_struck_too(lines: Lines, form: str) -> None:
    def fail() -> None:
        raise ValueError(f"{KNOWN} Bearer planted-token")

    text = ""
    for exc_info in (True, ValueError(f"{KNOWN} Bearer planted-token")):
        try:
            fail()
        except ValueError:
            text += lines(form=form, redactor=Redactor([KNOWN]), exc_info=exc_info)
    assert MASK in text
    assert leaks(text) == []


@pytest.mark.parametrize(("name", "value"), HARMLESS.items(), ids=HARMLESS.keys())
def test_what_is_harmless_stays_as_it_is(name: str, value: object) -> None:
    assert Redactor([KNOWN]).value(value, name=name) == value


def test_a_longer_secret_is_struck_before_one_that_it_contains_and_a_tiny_one_is_none() -> None:
    assert Redactor(["abcd", "abcdef", "a", ""]).text("abcdef abcd a") == f"{MASK} {MASK} a"


def test_what_is_struck_stays_struck() -> None:
    redactor = Redactor([KNOWN])
    once = redactor.text("client_secret=a&b https://u:p@host Bearer x " + JWT)
    assert redactor.text(once) == once == f"client_secret={MASK}&b https://{MASK}@host Bearer {MASK} {MASK}"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain Zoë 報告", "plain Zoë 報告"),
        ("a\nb\rc\td", r"a\nb\rc\td"),
        ("\x1b[31mred\x00", r"\x1b[31mred\x00"),
        ("evil\u202etxt\u200b", r"evil\u202etxt\u200b"),
        ("\udc80", r"\udc80"),
        ("it's", "it's"),
    ],
)
def test_only_what_does_not_print_is_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown


@pytest.mark.parametrize("form", ["console", "json"])
def test_a_logged_message_cannot_move_the_cursor_or_forge_a_line(lines: Lines, form: str) -> None:
    text = lines(form=form, redactor=Redactor(), message="\x1b[2J\nforged")
    assert "\x1b" not in text
    assert text.count("\n") == 1


def test_a_json_line_has_its_event_level_time_and_fields(capsys: pytest.CaptureFixture[str]) -> None:
    LazyLog(level="info", form="json", redactor=Redactor()).info("run.hold", hold_s=2.0)
    line = orjson.loads(capsys.readouterr().err)
    assert (line["event"], line["level"], line["hold_s"]) == ("run.hold", "info", 2.0)
    assert line["timestamp"].endswith("Z")


@pytest.mark.parametrize(
    ("level", "heard"),
    [
        ("debug", ["debug", "info", "warning"]),
        ("info", ["info", "warning"]),
        ("warning", ["warning"]),
        ("error", []),
    ],
)
def test_a_level_lets_through_itself_and_what_is_worse(
    capsys: pytest.CaptureFixture[str], level: str, heard: list[str]
) -> None:
    log = LazyLog(level=level, form="json", redactor=Redactor())
    for say in (log.debug, log.info, log.warning):
        say("event")
    assert [orjson.loads(line)["level"] for line in capsys.readouterr().err.splitlines()] == heard


def test_a_line_goes_to_the_stderr_of_its_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    log = LazyLog(level="info", form="json", redactor=Redactor())
    log.prepare()
    screen = io.StringIO()
    monkeypatch.setattr("sys.stderr", screen)
    log.info("later")
    assert '"event":"later"' in screen.getvalue().replace(": ", ":")
