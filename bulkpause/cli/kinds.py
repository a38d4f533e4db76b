"""The kinds of values that options take, each read by the setting it leads to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click


class RateType(click.ParamType[Any]):
    """A rate such as 10/s or 600/min."""

    name = "rate"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """A settings.Rate."""
        from bulkpause.settings import Rate  # noqa: PLC0415 - keep --help quick

        try:
            return Rate.parse(value)
        except ValueError as error:
            self.fail(f"{value!r} {error}", param, ctx)


class TimeType(click.ParamType[Any]):
    """A duration such as 45m, or a time such as 23:30, as the setting of that name reads it."""

    def __init__(self, name: str, *, setting: str) -> None:
        self.name = name
        self._setting = setting

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """A settings.Duration or settings.Until."""
        from bulkpause import settings  # noqa: PLC0415 - keep --help quick

        try:
            return getattr(settings, self._setting).parse(value)
        except ValueError as error:
            self.fail(f"{value!r} {error}", param, ctx)


class GuardType(click.ParamType[Any]):
    """A guard such as failed>5, or none."""

    name = "guard"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """One guard or several, as they are written in full."""
        from bulkpause.settings import GuardList  # noqa: PLC0415 - keep --help quick

        try:
            return str(GuardList.parse(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


class SecretType(click.ParamType[Any]):
    """KEY=REFERENCE: which secret, and where it is."""

    name = "secret"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The same, a path in it absolute. A value that is no reference may be the secret, and is not quoted."""
        from bulkpause.errors import ConfigError  # noqa: PLC0415 - keep --help quick
        from bulkpause.settings.sources import secret_layer, setting_types  # noqa: PLC0415

        try:
            ((key, (reference, _)),) = secret_layer([value], setting_types(), cwd=Path.cwd()).items()
        except ConfigError as error:
            self.fail(str(error), param, ctx)
        return f"{key}={reference}"
