"""No secret of the settings is ever shown."""

from __future__ import annotations

from bulkpause.cli.redaction import redactor_for
from bulkpause.settings import Api, Auth, ProxyUrl, Secret, Settings


def test_every_secret_of_the_settings_is_struck_out_however_it_is_spelt() -> None:
    settings = Settings(
        api=Api(proxy=ProxyUrl("http://ann:p%40ssword@proxy.example:3128")),
        auth=Auth(
            client_secret=Secret("hunter-two"), certificate_passphrase=Secret("open sesame"), token=Secret("tok3n")
        ),
    )
    said = redactor_for(settings).text("p%40ssword p@ssword hunter-two open+sesame open%20sesame tok3n stays")
    assert said == "**** **** **** **** **** **** stays"


def test_settings_without_secrets_strike_out_nothing() -> None:
    assert redactor_for(Settings()).text("all of it stays") == "all of it stays"
