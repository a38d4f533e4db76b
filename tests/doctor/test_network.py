"""What names, the proxy, TLS and the clock are worth, case by case."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bulkpause.doctor.checks import Check, Grade, Obstacle
from bulkpause.doctor.facts import CertificateFacts, NameFacts, ProxyFacts, RoadFacts, Stage
from bulkpause.doctor.network import judge_clock, judge_names, judge_proxy, judge_tls

NOW = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
API = NameFacts(purpose="API", host="api.example", addresses=("192.0.2.1", "2001:db8::1"))
ENTRA = NameFacts(purpose="sign-in", host="login.example", addresses=("192.0.2.2",))


def test_names_are_shown_with_their_addresses_by_kind() -> None:
    check = judge_names([API, ENTRA])
    assert (check.grade, check.said) == (Grade.OK, "api.example (API): IPv4 192.0.2.1; IPv6 2001:db8::1")
    assert check.details == ("login.example (sign-in): IPv4 192.0.2.2",)


def test_behind_a_proxy_nothing_is_looked_up_here() -> None:
    assert judge_names([replace(API, by_proxy=True, addresses=())]).said == "api.example (API): resolved by the proxy"


@pytest.mark.parametrize(("lost", "setting"), [(API, "api.base_url"), (ENTRA, "auth.authority")])
def test_a_name_that_leads_nowhere_is_said_first_with_the_setting_it_is_from(lost: NameFacts, setting: str) -> None:
    flawed = replace(lost, flaw="its name cannot be resolved", addresses=())
    check = judge_names([flawed if name is lost else name for name in (API, ENTRA)])
    assert (check.grade, check.obstacle) == (Grade.FAILED, Obstacle.UNREACHABLE)
    assert check.said.startswith(f"{lost.host} ({lost.purpose}): its name cannot")
    assert len(check.details) == 1
    assert setting in str(check.remedy)
    assert f"nslookup {lost.host}" in str(check.remedy)


ROAD = RoadFacts(
    purpose="API",
    host="api.example",
    port=443,
    tls_version="TLSv1.3",
    certificate=CertificateFacts(subject="*.example", issuer="Good CA", expires_at=NOW + timedelta(days=90)),
)
PROXY = ProxyFacts(purpose="API", url="http://****@proxy:3128", origin="environment HTTPS_PROXY")


def test_without_a_proxy_nothing_is_wrong_with_it() -> None:
    check = judge_proxy([], [ROAD])
    assert (check.grade, check.said) == (Grade.OK, "none")


@pytest.mark.parametrize(
    ("road", "obstacle", "remedy"),
    [
        ({}, None, None),
        ({"ended": Stage.TLS, "flaw": "x"}, None, None),
        ({"ended": Stage.PROXY, "flaw": "refused"}, Obstacle.UNREACHABLE, "check environment HTTPS_PROXY"),
        ({"ended": Stage.TUNNEL, "flaw": "no", "proxy_status": 407}, Obstacle.NOT_AUTHORISED, "user and password"),
        ({"ended": Stage.TUNNEL, "flaw": "no", "proxy_status": 401}, Obstacle.NOT_AUTHORISED, "user and password"),
        ({"ended": Stage.TUNNEL, "flaw": "no", "proxy_status": 403}, Obstacle.NOT_AUTHORISED, "to let CONNECT through"),
        ({"ended": Stage.TUNNEL, "flaw": "no", "proxy_status": 502}, Obstacle.UNREACHABLE, "api.example:443"),
        ({"ended": Stage.TUNNEL, "flaw": "it hangs up"}, Obstacle.UNREACHABLE, "api.example:443"),
    ],
)
def test_a_proxy(road: dict[str, Any], obstacle: Obstacle | None, remedy: str | None) -> None:
    check = judge_proxy([PROXY], [replace(ROAD, **road)])
    assert check.obstacle is obstacle
    assert check.said.startswith("http://****@proxy:3128 (API, by environment HTTPS_PROXY)")
    assert (remedy or "") in (check.remedy or "")


def test_each_host_has_its_own_proxy_and_the_one_that_fails_is_said_first() -> None:
    other = replace(ROAD, purpose="sign-in", host="login.example", ended=Stage.PROXY, flaw="refused")
    entra = ProxyFacts(purpose="sign-in", url="http://other:1", origin="auth.proxy")
    check = judge_proxy([PROXY, entra], [ROAD, other])
    assert check.said == "http://other:1 (sign-in, by auth.proxy): refused"
    assert check.details == ("http://****@proxy:3128 (API, by environment HTTPS_PROXY): connects to api.example:443",)
    assert judge_proxy([entra], [ROAD]).said == "none"


def tls(**fields: Any) -> Check:
    other = replace(ROAD, purpose="sign-in", host="login.example")
    return judge_tls([other, replace(ROAD, **fields)], trusted="the system", now=NOW)


def test_a_good_road_says_version_names_and_days() -> None:
    check = tls()
    said = "TLSv1.3, *.example by Good CA, expires in 90 days"
    assert (check.grade, check.said) == (Grade.OK, f"login.example:443 (sign-in): {said}")
    assert check.details == (f"api.example:443 (API): {said}", "trusted by the system")


def test_a_certificate_that_ends_soon_is_a_warning() -> None:
    soon = replace(ROAD.certificate, expires_at=NOW + timedelta(days=13))  # type: ignore[type-var]
    check = tls(certificate=soon)
    assert check.grade is Grade.WARNING
    assert check.said.startswith("api.example:443 (API): ")
    assert "api.example has to renew it" in str(check.remedy)


@pytest.mark.parametrize(
    ("fields", "remedy"),
    [
        ({"ended": Stage.CONNECT}, "Is api.base_url (--base-url) right?"),
        ({"ended": Stage.TLS, "verify_code": 20}, "--ca-file FILE"),
        ({"ended": Stage.TLS, "verify_code": 18}, "openssl s_client -connect api.example:443"),
        ({"ended": Stage.TLS, "verify_code": 10}, "check this machine's clock"),
        ({"ended": Stage.TLS, "verify_code": 62}, "check api.base_url"),
        ({"ended": Stage.TLS, "is_client_certificate_wanted": True}, "api.client_certificate_file"),
        ({"ended": Stage.TLS}, "https port"),
    ],
)
def test_a_road_that_ends_early_is_an_obstacle_with_a_remedy(fields: dict[str, Any], remedy: str) -> None:
    check = tls(flaw="it is not to be had", certificate=None, **fields)
    assert (check.grade, check.obstacle) == (Grade.FAILED, Obstacle.UNREACHABLE)
    assert check.said == "api.example:443 (API): it is not to be had"
    assert remedy in str(check.remedy)


@pytest.mark.parametrize(
    ("skews_s", "grade", "said"),
    [
        ([0.4, -0.9], Grade.OK, "within a second of the service's"),
        ([29.0], Grade.OK, "29 s ahead of the service's"),
        ([-31.0], Grade.WARNING, "31 s behind the service's"),
        ([300.0], Grade.WARNING, "5 min ahead of the service's"),
        ([301.0, 301.0], Grade.FAILED, "5 min ahead of the service's; sign-ins"),
        ([None], Grade.OK, "not known"),
        ([None, 40.0], Grade.WARNING, "40 s ahead"),
    ],
)
def test_the_clock(skews_s: list[float | None], grade: Grade, said: str) -> None:
    check = judge_clock([replace(ROAD, skew_s=skew_s) for skew_s in skews_s])
    assert check.grade is grade
    assert check.said.startswith(said)
    assert ("NTP" in str(check.remedy)) is (grade is not Grade.OK)
    assert (check.obstacle is Obstacle.CONFIGURATION) is (grade is Grade.FAILED)
