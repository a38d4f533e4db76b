"""A proxy's address and password, told apart, and what its refusal means for a run."""

from __future__ import annotations

import base64
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkpause.models import HaltReason
from bulkpause.proxying import Proxy, refused_tunnel

ODD = "p@ss:w/rd%20ü?#"


@pytest.mark.parametrize(
    ("url", "plain", "pair"),
    [
        ("http://proxy:8080", "http://proxy:8080", None),
        ("http://ann:pw@proxy:8080", "http://proxy:8080", b"ann:pw"),
        ("https://ann@proxy", "https://proxy", b"ann:"),
        ("http://ann:p@ss:w@[::1]:3128", "http://[::1]:3128", b"ann:p@ss:w"),
        (f"http://ann:{quote(ODD, safe='')}@proxy:1", "http://proxy:1", f"ann:{ODD}".encode()),
        ("http://ann:%FC@proxy:1", "http://proxy:1", b"ann:\xfc"),
    ],
)
def test_user_and_password_are_told_apart_from_the_address(url: str, plain: str, pair: bytes | None) -> None:
    proxy = Proxy.parse(url)
    sent = {} if pair is None else {"Proxy-Authorization": f"Basic {base64.b64encode(pair).decode()}"}
    assert (proxy.url, proxy.headers) == (plain, sent)
    assert proxy.address == plain.partition("//")[2]


@pytest.mark.parametrize(
    ("url", "host", "port", "is_there"),
    [
        ("https://ann:pw@Proxy:8443", "proxy", 8443, True),
        ("https://proxy", "proxy", 443, True),
        ("https://[::1]:8443", "::1", 8443, True),
        ("https://proxy:8443", "proxy", 443, False),
        ("https://proxy:8443", "api", 8443, False),
    ],
)
def test_a_proxy_is_known_again_by_its_host_and_port(url: str, host: str, port: int, *, is_there: bool) -> None:
    assert Proxy.parse(url).is_at(host, port) is is_there


@given(user=st.text(min_size=1).filter(lambda text: ":" not in text), password=st.text())
def test_any_password_that_is_percent_encoded_arrives_and_never_shows(user: str, password: str) -> None:
    def encoded(text: str) -> str:
        return quote(text.encode(errors="surrogatepass"), safe="")

    proxy = Proxy.parse(f"http://{encoded(user)}:{encoded(password)}@proxy:3128")
    sent = base64.b64decode(proxy.headers["Proxy-Authorization"].removeprefix("Basic "))
    assert sent == f"{user}:{password}".encode(errors="surrogatepass")
    assert repr(proxy) == "Proxy(url='http://proxy:3128')"


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (401, "the proxy p:1 refuses its user or password (401). Set BULKPAUSE_API__PROXY or HTTPS_PROXY anew"),
        (407, "the proxy p:1 refuses its user or password (407). Set BULKPAUSE_API__PROXY or HTTPS_PROXY anew"),
        (403, "the proxy p:1 does not allow api.example (403). Ask whoever runs it to allow CONNECT to api.example"),
    ],
)
def test_a_refusal_of_the_proxy_is_final_and_says_what_to_do(status: int, said: str) -> None:
    halt = refused_tunnel(status, proxy="p:1", host="api.example")
    assert halt is not None
    assert halt.reason is HaltReason.NOT_AUTHORISED
    assert halt.message.startswith(said)


@pytest.mark.parametrize("status", [200, 400, 404, 408, 429, 500, 502, 503, 504])
def test_what_else_a_proxy_says_may_heal(status: int) -> None:
    assert refused_tunnel(status, proxy="p:1", host="api.example") is None
