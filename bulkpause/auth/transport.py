"""MSAL's road to Entra: one requests session with limits, and every failure turned into an AuthError.

MSAL only ever sees answers it can use. So it keeps no failure to replay, logs no body, and needs no second mapping.
Imported together with MSAL, in the thread.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from bulkpause.auth.endpoints import openid_configuration
from bulkpause.auth.refusals import NoIdentityError, judge_answer, judge_identity_answer, judge_wire
from bulkpause.errors import AuthError
from bulkpause.proxying import Proxy
from bulkpause.trust import Trust

CONNECT_TIMEOUT_S = 10.0


Judge = Callable[[str, int, Mapping[str, str], str], AuthError | None]
"""What is wrong with an answer of a host: its status, headers and body; None for what is to be read."""


@dataclass(frozen=True, slots=True)
class Known:
    """An answer that needs no request, in the shape that MSAL reads."""

    text: str
    status_code: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)

    def raise_for_status(self) -> None:
        """It is a good one."""


class Transport:
    """An `http_client` as MSAL wants it: get, post, close. Raises AuthError, TokenUnavailableError if it may heal."""

    def __init__(self, *, trust: Trust, proxy: str | None, timeout_s: float, judge: Judge = judge_answer) -> None:
        self._timeout_s = timeout_s
        self._judge = judge
        self._session = requests.Session()
        # Else REQUESTS_CA_BUNDLE beats our certificates, HTTPS_PROXY our proxy, and ~/.netrc our credentials.
        self._session.trust_env = False
        self._proxy = None if proxy is None else Proxy.parse(proxy)
        if self._proxy is not None:
            self._session.proxies = {"https": self._proxy.url}
        self._session.mount("https://", TrustingAdapter(trust.context(), self._proxy))

    def get(self, url: str, **arguments: Any) -> requests.Response | Known:
        """GET for MSAL; where Entra's endpoints are is known without one."""
        if (known := openid_configuration(url)) is not None:
            return Known(json.dumps(known))
        return self._exchange("GET", url, arguments)

    def post(self, url: str, **arguments: Any) -> requests.Response:
        """POST for MSAL."""
        return self._exchange("POST", url, arguments)

    def close(self) -> None:
        """Close the connections; the next request opens new ones."""
        self._session.close()

    def _exchange(self, method: str, url: str, arguments: dict[str, Any]) -> requests.Response:
        host = urlsplit(url).netloc
        connect_s, read_s = min(CONNECT_TIMEOUT_S, self._timeout_s), self._timeout_s
        try:
            response = self._session.request(
                method, url, timeout=(connect_s, read_s), allow_redirects=False, **arguments
            )
        except requests.RequestException as error:
            proxy = "" if self._proxy is None else self._proxy.address
            hit_s = connect_s if isinstance(error, requests.ConnectTimeout) else read_s
            raise judge_wire(host, error, timeout_s=hit_s, proxy=proxy) from None
        if failure := self._judge(host, response.status_code, response.headers, response.text):
            raise failure
        return response


class TrustingAdapter(HTTPAdapter):
    """Trusts what the context trusts, with and without a proxy, and connects once more if the first time fails.

    Not after a TLS failure, where the second time is mostly as the first.
    """

    def __init__(self, context: ssl.SSLContext, proxy: Proxy | None) -> None:
        self._context = context
        self._proxy = proxy
        super().__init__(max_retries=Retry(1, other=0))

    def init_poolmanager(self, *args: Any, **arguments: Any) -> None:
        """Hand the context to direct connections."""
        super().init_poolmanager(*args, ssl_context=self._context, **arguments)

    def proxy_manager_for(self, proxy: str, **arguments: Any) -> Any:
        """Hand the context to connections through a proxy."""
        contexts = {"ssl_context": self._context, "proxy_ssl_context": self._context}  # the latter for https:// proxies
        return super().proxy_manager_for(proxy, **contexts, **arguments)

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:  # noqa: ARG002 - as requests has it
        """Requests would add the authorities of certifi to those of the system."""
        conn.cert_reqs = "CERT_REQUIRED"

    def proxy_headers(self, proxy: str) -> dict[str, str]:  # noqa: ARG002 - there is one proxy only
        """How the proxy is told who asks."""
        return {} if self._proxy is None else dict(self._proxy.headers)


class Nearby:
    """MSAL's road to a metadata service: never by a proxy, in plain text only where `is_near` says so.

    Raises AuthError, TokenUnavailableError if it may heal.
    """

    def __init__(
        self, *, trust: Trust, is_near: Callable[[str], bool], connect_timeout_s: float, read_timeout_s: float
    ) -> None:
        self._is_near = is_near
        self._timeout_s = (connect_timeout_s, read_timeout_s)
        self._session = requests.Session()
        self._session.trust_env = False  # else HTTP_PROXY would get the request
        self._session.mount("https://", TrustingAdapter(trust.context(), None))

    def get(self, url: str, **arguments: Any) -> requests.Response:
        """GET for MSAL."""
        host = urlsplit(url).netloc
        if not self._is_near(url):
            raise AuthError(f"the metadata service {host} is another machine, and would be asked in plain text")
        try:
            response = self._session.get(url, timeout=self._timeout_s, allow_redirects=False, **arguments)
        except requests.ConnectTimeout:
            raise NoIdentityError(f"{host} does not answer within {self._timeout_s[0]:g} s") from None
        except requests.ReadTimeout as error:
            raise judge_wire(host, error, timeout_s=self._timeout_s[1]) from None
        except requests.RequestException as error:
            raise NoIdentityError(str(judge_wire(host, error, timeout_s=self._timeout_s[1]))) from None
        if failure := judge_identity_answer(host, response.status_code, response.headers, response.text):
            raise failure
        return response

    def close(self) -> None:
        """Close the connections; the next request opens new ones."""
        self._session.close()
