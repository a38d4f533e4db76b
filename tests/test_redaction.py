"""Redaction: no secret survives in any spelling, and ordinary words are left alone."""

from __future__ import annotations

import base64
import html
import json
import threading
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkpause.redaction import HEAD, MASK, Redactor, spellings, without_shapes

JWT = "eyJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJwbGFudGVkIn0.c2lnbmF0dXJlLXBsYW50ZWQ"


def _basic(secret: str) -> str:
    return base64.b64encode(f"user:{secret}".encode()).decode()


def _percent_in_lower_case(secret: str) -> str:
    return "".join(part if len(part) == 1 else part.lower() for part in (quote(char, "") for char in secret))


SPELT: dict[str, Callable[[str], str]] = {
    "plain": str,
    "percent-encoded": lambda secret: quote(secret, ""),
    "percent-encoded with slashes": quote,
    "a form": quote_plus,
    "JSON": lambda secret: json.dumps({"said": secret}),
    "JSON in UTF-8": lambda secret: orjson.dumps([secret]).decode(),
    "HTML": html.escape,
    "repr": repr,
    "base64": lambda secret: base64.b64encode(secret.encode()).decode(),
    "base64 of user and password": _basic,
    "base64 for URLs": lambda secret: base64.urlsafe_b64encode(f"ab{secret}z".encode()).decode(),
}
PRINTED = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S"]), min_size=12, max_size=60)
AROUND = st.text(st.characters(codec="ascii", categories=["Lu", "Zs", "Po"]), max_size=20)


@pytest.mark.parametrize("spell", SPELT.values(), ids=SPELT.keys())
@given(secret=PRINTED, before=AROUND, after=AROUND)
def test_a_known_secret_survives_in_no_spelling(
    spell: Callable[[str], str], secret: str, before: str, after: str
) -> None:
    text = f"{before} {spell(secret)} {after}"
    for clean in (Redactor([secret]).text, Redactor([secret]).known):
        said = clean(text)
        assert MASK in said
        assert [spelt for spelt in spellings(secret) if spelt in said and spelt not in MASK] == []


@given(secret=PRINTED.filter(lambda text: len(text) > HEAD), kept=st.integers(HEAD, 59))
def test_the_beginning_of_a_known_secret_that_was_cut_is_struck_as_well(secret: str, kept: int) -> None:
    said = Redactor([secret]).text(f"it is {secret[:kept]}…")
    assert secret[:HEAD] not in said


@pytest.mark.parametrize("secret", ["open-sesame", "a much longer one than that"])
@pytest.mark.parametrize("kept", range(4, 11))
def test_what_a_cut_has_left_of_a_known_secret_is_struck_however_short(secret: str, kept: int) -> None:
    assert Redactor([secret]).text(f"it is {secret[:kept]}…") == f"it is {MASK}…"


@given(PRINTED)
def test_what_is_struck_stays_struck(secret: str) -> None:
    redactor = Redactor([secret])
    once = redactor.text(f"client_secret={secret}&x={secret} Bearer {secret}")
    assert redactor.text(once) == once


SHAPES = {
    f"Authorization: Bearer {JWT}": f"Authorization: Bearer {MASK}",
    "authorization=Bearer opaque.planted": f"authorization=Bearer {MASK}",
    '{"Authorization": "Bearer planted"}': f'{{"Authorization": "{MASK}"}}',
    '{\\"Authorization\\":\\"Bearer planted\\"}': f'{{\\"Authorization\\":\\"{MASK}\\"}}',
    "header Authorization: SharedKey account:planted end": f"header Authorization: SharedKey {MASK} end",
    "Bearer%20planted-token&x=1": f"Bearer%20{MASK}&x=1",
    "Bearer+planted": f"Bearer+{MASK}",
    f"Basic {base64.b64encode(b'joe:planted').decode()} is refused": f"Basic {MASK} is refused",
    f"Basic {base64.b64encode(b'joe:planted-and-cut').decode()[:15]}": f"Basic {MASK}",
    "https://blob/x?sv=2024&sig=planted%2Bplanted%3D&se=2026": f"https://blob/x?sv=2024&sig={MASK}&se=2026",
    "next%3Fsig%3Dplanted": f"next%3Fsig%3D{MASK}",
    '"sig": "planted"': f'"sig": "{MASK}"',
    '{"access_token": "two words", "expires_in": 3599}': f'{{"access_token": "{MASK}", "expires_in": 3599}}',
    '{"accessToken":"planted-but-cut-he': f'{{"accessToken":"{MASK}',
    "client_secret=planted&grant_type=x": f"client_secret={MASK}&grant_type=x",
    "client_assertion=planted": f"client_assertion={MASK}",
    "device_code=planted": f"device_code={MASK}",
    "Set-Cookie: planted; path=/": f"Set-Cookie: {MASK}; path=/",
    "http://joe:pl@nted@proxy:3128/x": f"http://{MASK}@proxy:3128/x",
    f"token {JWT[:30]}": f"token {MASK}",
}


@pytest.mark.parametrize(("text", "said"), SHAPES.items())
def test_what_has_the_shape_of_a_secret_is_struck_and_nothing_around_it(text: str, said: str) -> None:
    assert without_shapes(text) == said
    assert without_shapes(said) == said


ORDINARY = [
    "Bearer token is missing or malformed.",
    "The bearer token has expired",
    'WWW-Authenticate: Bearer realm="", error="insufficient_claims"',
    "Basic authentication is not supported. Use a token.",
    "Basic Information about 2024",
    "Azure Basic Plan2024 usage",
    "Authorization has been denied for this request.",
    "a token, a secret and a password are words; so is signature",
    "Insights significant design: resign",
    "report 0b5c2c1e-7a31-4d0e-9c54-5f2d1f6b8a90 of joe@contoso.example",
    "https://localhost:8443/insights/v1/mpn/ScheduledReport/pause/x?a=b@c",
    "the monkey's keyring: svc/me",
    "must be http://host:port or http://user:password@host:port, odd characters percent-encoded",
    "AADSTS7000215: Invalid client secret provided. Ensure the secret being sent is the client secret value.",
    "set auth.token_file, or auth.certificate_passphrase",
    "AZURE_CLIENT_SECRET (auth.client_secret)",
    "Keyboard usage, daily",
    "auth.client_secret (file:/run/azure_client_secret): there is nothing in it",
    "bulkpause undo runs/1 --secret auth.client_secret=fd:3 --secret auth.refresh_token=keyring:svc/me",
    "--secret auth.client_secret=****: must be a reference",
    "Eyjafjallajokull ash, weekly",
]


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_text_is_left_alone(text: str) -> None:
    redactor = Redactor(["hunter-two~planted", JWT])
    assert redactor.text(text) == redactor.known(text) == text


@given(st.uuids())
def test_ids_are_left_alone(number: object) -> None:
    text = f"report {number} ended: 200, MS-RequestId {number}"
    assert Redactor([JWT]).text(text) == text


def test_a_result_that_only_looks_like_a_secret_is_left_alone() -> None:
    assert Redactor(["hunter-two"]).known("export AZURE_CLIENT_SECRET='x' hunter-two") == (
        f"export AZURE_CLIENT_SECRET='x' {MASK}"
    )


def test_another_token_that_begins_like_a_known_one_is_struck_whole() -> None:
    other = JWT[:40] + "completely.different-end"
    assert Redactor([JWT]).known(f"<{other}>") == f"<{MASK}>"


def test_a_secret_is_struck_from_the_moment_it_is_learnt() -> None:
    redactor = Redactor()
    assert redactor.text("opaque-planted") == "opaque-planted"
    redactor.learn("opaque-planted")
    assert redactor.text("opaque-planted") == redactor.value({"x": ["opaque-planted"]})["x"][0] == MASK


def test_what_is_learnt_in_threads_is_all_known_and_nothing_shows_meanwhile() -> None:
    redactor, leaks = Redactor(["first-planted"]), []

    def learn(number: int) -> None:
        for step in range(20):
            redactor.learn(f"secret-{number}-{step}-planted")
            if redactor.text(f"first-planted secret-{number}-{step}-planted") != f"{MASK} {MASK}":
                leaks.append((number, step))

    threads = [threading.Thread(target=learn, args=[number]) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert leaks == []
    assert all(redactor.text(f"secret-{n}-{step}-planted") == MASK for n in range(8) for step in range(20))
