"""Secrets, proxies, rates and commands: what they accept and what they show."""

import copy
import json
import pickle
from datetime import UTC, datetime, time

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkpause.settings import Command, Duration, GuardList, ProxyUrl, Rate, Secret, Until


@pytest.mark.parametrize(
    "printed",
    [
        str(Secret("hunter2")),
        repr(Secret("hunter2")),
        f"{Secret('hunter2')}",
        f"{[Secret('hunter2')]}",
        "%s" % Secret("hunter2"),  # noqa: UP031
        f"{Secret('hunter2'):.4}",
    ],
)
def test_a_secret_prints_as_stars(printed: str) -> None:
    assert printed.strip("[]") == "****"


def test_a_secret_reveals_itself_only_when_asked() -> None:
    assert Secret("hunter2").reveal() == "hunter2"


@pytest.mark.parametrize("serialise", [json.dumps, orjson.dumps, pickle.dumps, copy.copy])
def test_a_secret_cannot_be_serialised(serialise: object) -> None:
    assert callable(serialise)
    with pytest.raises(TypeError) as caught:
        serialise(Secret("hunter2"))
    assert "hunter2" not in str(caught.value)


def test_a_deep_copy_of_a_secret_is_itself() -> None:
    secret = Secret("hunter2")
    assert copy.deepcopy([secret])[0] is secret


def test_secrets_compare_by_their_text() -> None:
    assert Secret("a") == Secret("a")
    assert len({Secret("a"), Secret("a"), Secret("b")}) == 2
    assert Secret("a") != "a"


@pytest.mark.parametrize("value", ["", None, 3, b"bytes"])
def test_a_secret_is_some_text(value: object) -> None:
    with pytest.raises(ValueError, match="must"):
        Secret.parse(value)


@pytest.mark.parametrize(
    ("text", "url", "printed"),
    [
        ("proxy:8080", "http://proxy:8080", "http://proxy:8080"),
        ("http://proxy", "http://proxy", "http://proxy"),
        ("https://[::1]:3128/", "https://[::1]:3128/", "https://[::1]:3128/"),
        ("http://ann:p@ss@proxy:8080", "http://ann:p@ss@proxy:8080", "http://****@proxy:8080"),
        ("ann:pass@proxy:8080", "http://ann:pass@proxy:8080", "http://****@proxy:8080"),
    ],
)
def test_a_proxy_masks_its_user_and_password(text: str, url: str, printed: str) -> None:
    proxy = ProxyUrl(text)
    assert (proxy.reveal(), str(proxy)) == (url, printed)


@pytest.mark.parametrize(
    "text",
    [
        "socks5://u:pw@host:1",
        "http://u:pw",
        "http://u:1/pw@host:1",
        "http://u:1#pw@host:1",
        "http://u:1?pw@host:1",
        "http://",
        "http://host:0",
        "http://proxy..example:1",
        "http://host:99999",
        "http://h\r\npw",
        "http://[",
    ],
)
def test_what_is_no_http_proxy_is_refused_unquoted(text: str) -> None:
    with pytest.raises(ValueError, match=r"must be http://host:port") as caught:
        ProxyUrl(text)
    assert "pw" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "per_s"),
    [
        ("10/s", 10), ("600/min", 10), ("10/m", 1 / 6), ("36000/h", 10), ("5", 5), ("0.5", 0.5),
        (" 2 / second ", 2), (3, 3), (2.5, 2.5), ("60/minute", 1), ("3600/hour", 1), (Rate(4), 4),
    ],
)  # fmt: skip
def test_a_rate_reads_as_attempts_per_second(text: object, per_s: float) -> None:
    assert Rate.parse(text).per_s == pytest.approx(per_s)


@pytest.mark.parametrize(
    "text",
    ["", "0", "0/s", "-1", "fast", "10/d", "10/", "/s", "1e3", "\u0661", "nan", "inf", "9" * 400, True, None, [5]],
)
def test_what_is_no_rate_above_zero_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="such as 10/s, 600/min"):
        Rate.parse(text)


@pytest.mark.parametrize(("per_s", "text"), [(5, "5/s"), (2.5, "2.5/s"), (1 / 6, "10/min"), (1 / 360, "10/h")])
def test_a_rate_prints_in_the_unit_that_suits_it(per_s: float, text: str) -> None:
    assert str(Rate(per_s)) == text


@given(st.floats(1e-3, 1e5))
def test_a_printed_rate_reads_back(per_s: float) -> None:
    assert Rate.parse(str(Rate(per_s))).per_s == pytest.approx(per_s, rel=1e-4)


@pytest.mark.parametrize(
    ("value", "argv"),
    [
        (["az", "account get"], ("az", "account get")),
        ("az account", ("az", "account")),
        ("'C:\\Program Files\\az.exe' --x \"a b\" #c", ("C:\\Program Files\\az.exe", "--x", "a b", "#c")),
        (Command(["az"]), ("az",)),
    ],
)
def test_a_command_reads_from_a_list_or_a_line(value: object, argv: tuple[str, ...]) -> None:
    assert tuple(Command.parse(value)) == argv


@pytest.mark.parametrize("value", [[], [""], ["az", 3], "", "  ", "az 'open", 3, None, '["az", "account"]'])
def test_what_is_no_command_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="must"):
        Command.parse(value)


def test_a_command_prints_as_one_line() -> None:
    assert str(Command(["az", "a b"])) == "az 'a b'"


@pytest.mark.parametrize(("value", "shown"), [("1h30m", "1h30m"), (2700, "45m"), (2.5, "2.5s"), (Duration(9), "9s")])
def test_a_duration_comes_as_text_or_as_seconds(value: object, shown: str) -> None:
    assert str(Duration.parse(value)) == shown


@pytest.mark.parametrize("value", [True, None, -1, "soon"])
def test_what_is_no_duration_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="must be a duration such as 45m"):
        Duration.parse(value)


@pytest.mark.parametrize("value", ["23:30Z", datetime(2026, 11, 24, 23, 30, tzinfo=UTC), time(23, 30, tzinfo=UTC)])
def test_a_time_comes_as_text_or_as_toml_has_it(value: object) -> None:
    until = Until.parse(value)
    noon = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
    assert until.resolved(now=noon, local=UTC).instant == noon.replace(hour=23, minute=30)
    assert (until.instant, str(until)) == (None, str(value))


def test_what_is_no_time_is_refused() -> None:
    with pytest.raises(ValueError, match="must be a time such as 23:30"):
        Until.parse(2330)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("failed>5", "failed>5"),
        (" failed > 5 , 403>3 ", "failed>5, 403>3"),
        (["failed>5, 403>3", "consecutive>20"], "failed>5, 403>3, consecutive>20"),
        (("none",), "none"),
        (["none", "failed>5"], "failed>5"),
        (["failed>5", "none"], "none"),
        ([], "none"),
        (GuardList(), "none"),
    ],
)
def test_guards_read_from_a_list_or_a_line_and_print_as_one(value: object, text: str) -> None:
    guards = GuardList.parse(value)
    assert str(guards) == text
    assert GuardList.parse(str(guards)) == guards


@pytest.mark.parametrize("value", ["", "failed>5,", [""], [5], 5, None, {"failed": 5}, "failed=5"])
def test_what_are_no_guards_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="failed>5, failed>2%"):
        GuardList.parse(value)
