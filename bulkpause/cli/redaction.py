"""What may never be shown of the settings: every secret they hold, struck out wherever it might appear."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from bulkpause.redaction import Redactor
    from bulkpause.settings import Settings


def redactor_for(settings: Settings) -> Redactor:
    """The redactor of this invocation, which knows from now on what secrets `settings` hold.

    It is the one that stdout and stderr pass. Outside of an invocation it is a new one.
    """
    from bulkpause.redaction import Redactor  # noqa: PLC0415 - keep --help quick

    context = click.get_current_context(silent=True)
    redactor = None if context is None else context.find_object(Redactor)
    redactor = redactor or Redactor()
    redactor.learn(*secrets_of(settings))
    return redactor


def with_secrets(settings: Settings) -> Settings:
    """`settings` with every secret at hand that they refer to, each known to the redactor. Raises ConfigError."""
    from bulkpause.settings import resolve_secrets  # noqa: PLC0415 - keep --help quick

    settings = resolve_secrets(settings, environ=os.environ)
    redactor_for(settings)
    return settings


def secrets_of(settings: Settings) -> Iterator[str]:
    """Every secret that is at hand, user and password of the proxy's URL apart; none that is a reference yet."""
    from urllib.parse import unquote, urlsplit  # noqa: PLC0415

    from bulkpause.settings import ProxyUrl, Secret, SecretReference, setting_values  # noqa: PLC0415

    for value in setting_values(settings).values():
        match value:
            case SecretReference():
                continue
            case ProxyUrl():
                parts = urlsplit(value.reveal())
                if parts.username is not None:
                    given = (f"{parts.username}:{parts.password or ''}", parts.password or parts.username)
                    yield from given
                    yield from map(unquote, given)
            case Secret():
                yield value.reveal()
            case _:
                continue
