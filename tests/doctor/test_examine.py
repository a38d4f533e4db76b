"""The order of the examination, and what is skipped because of what."""

from __future__ import annotations

from pathlib import Path

import jsonschema
import orjson
import pytest

from bulkpause.clock import SystemClock
from bulkpause.doctor.checks import Check, Name, Obstacle, first_obstacle
from bulkpause.doctor.examine import Subject, examine
from bulkpause.doctor.facts import ConfigurationFacts
from bulkpause.doctor.look.configuration import look_at_settings, why
from bulkpause.errors import AuthError, ConfigError
from bulkpause.settings import Api, Flow, Loaded, Settings, setting_values
from tests.cli.test_doctor import SCHEMA
from tests.client.peers import http, peer, says


def loaded(settings: Settings, **origins: str) -> Loaded:
    known = dict.fromkeys(setting_values(settings), "default")
    return Loaded(settings, known | {key.replace("__", "."): origin for key, origin in origins.items()})


def refuse(error: Exception) -> ConfigurationFacts:
    """What is seen of settings that no flow can be decided of."""

    def decide(_settings: Settings) -> Flow:
        raise error

    facts, flow = look_at_settings(loaded(Settings()), files=(), profile=None, decide=decide)
    assert flow is None
    return facts


def test_a_person_who_has_to_sign_in_first_is_no_matter_of_configuration() -> None:
    facts = refuse(AuthError("nobody is signed in: type `bulkpause login`."))
    assert (facts.flaw, facts.flow) == (None, None)
    assert facts.nobody == "nobody is signed in: type `bulkpause login`."
    assert refuse(ConfigError("credentials are missing")).flaw == "credentials are missing"


def deaf(_text: str) -> None:
    """Hear nothing."""


async def examined(subject: Subject, seen: list[Name]) -> tuple[Check, ...]:
    checks = await examine(subject, clock=SystemClock(), begin=seen.append, learn=deaf, say=deaf)
    found = [check.to_dict() for check in checks]
    items = {"$defs": SCHEMA["$defs"], **SCHEMA["properties"]["checks"]}
    jsonschema.validate(orjson.loads(orjson.dumps(found)), items)
    return checks


async def test_without_a_person_the_network_is_looked_at_and_the_sign_in_is_what_is_missing(tmp_path: Path) -> None:
    seen: list[Name] = []
    async with peer(says(http(404))) as here:
        subject = Subject(
            settings=Settings(api=Api(base_url=here.url())),
            configuration=ConfigurationFacts(target=here.url(), nobody="nobody is signed in"),
            flow=None,
            runs_path=tmp_path,
        )
        checks = await examined(subject, seen)
    assert first_obstacle(checks) is Obstacle.NOT_AUTHORISED
    assert [(check.name, check.grade) for check in checks[-3:]] == [
        (Name.TOKEN, "failed"),
        (Name.SERVICE, "skipped"),
        (Name.MFA, "skipped"),
    ]
    assert checks[-3].said == "nobody is signed in"
    assert seen == [Name.FILES, Name.RUN_DIRECTORY, Name.OPEN_FILES, Name.DNS, Name.TLS]


@pytest.mark.parametrize(
    ("flow", "origins", "words"),
    [
        ("token", {"auth__flow": "flag"}, "as auth.flow says (flag)"),
        ("token", {"auth__token_file": "file x"}, "since there is auth.token_file (file x)"),
        ("refresh_token", {}, "since ann@contoso.example is signed in (`bulkpause login`)"),
        (
            "refresh_token",
            {"auth__refresh_token": "environment X"},
            "since there is auth.refresh_token (environment X)",
        ),
        ("managed_identity", {}, "since nothing speaks for another one"),
        ("client_secret", {}, "since nothing speaks for another one"),
    ],
)
def test_what_decided_on_the_flow_is_said(flow: Flow, origins: dict[str, str], words: str) -> None:
    account = "ann@contoso.example" if flow == "refresh_token" else None
    assert why(flow, loaded(Settings(), **origins).origins, account=account) == words
