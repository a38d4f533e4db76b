"""The effective settings: layers merged by precedence, typed, and each value with its origin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from bulkpause.errors import ConfigError
from bulkpause.settings.checks import SettingError, refusal
from bulkpause.settings.clouds import CLOUDS, base_url
from bulkpause.settings.mounted import secrets_dir_layer
from bulkpause.settings.proxies import find_proxy
from bulkpause.settings.sources import (
    SECRETS_DIR,
    Layer,
    file_layers,
    file_places,
    flag_layer,
    secret_layer,
    setting_types,
    variable_layer,
    well_known_layer,
)
from bulkpause.settings.tree import Settings, setting_values


@dataclass(frozen=True, slots=True)
class Loaded:
    """The effective settings, and for each dotted key where its value came from."""

    settings: Settings
    origins: Mapping[str, str]


def load(
    *,
    flags: Mapping[str, object],
    environ: Mapping[str, str],
    config_file: Path | None,
    profile: str | None,
    cwd: Path,
    user_config_dir: Path | None,
    secrets: Sequence[str] = (),
    secrets_dir: Path | None = None,
) -> Loaded:
    """Merge flag > BULKPAUSE_<SECTION>__<KEY> > Azure name > secrets directory > files > default.

    The files are that of --config, ./bulkpause.toml and the user's; paths in one are relative to it. `secrets` holds
    KEY=REFERENCE, and no reference is followed here. Without `secrets_dir` it is what BULKPAUSE_SECRETS_DIR says.
    `flags` maps keys of `FLAGS` to typed values or text; None is a flag not given, as an empty variable is one not set.
    ConfigError names each wrong setting, its origin and what is allowed.
    """
    types = setting_types()
    variables = variable_layer(environ, types)
    files = file_layers(file_places(config_file, cwd, user_config_dir), profile, types)
    if secrets_dir is None and environ.get(SECRETS_DIR):
        secrets_dir = Path(environ[SECRETS_DIR])
    mounted = {} if secrets_dir is None else secrets_dir_layer(cwd / secrets_dir, types)
    flagged = flag_layer(flags, types) | secret_layer(secrets, types, cwd=cwd)
    layers = [flagged, variables, well_known_layer(environ, types), mounted, *files]
    is_text = variables or any(files) or any(types[key] is float for key in mounted)
    origins = dict.fromkeys(types, "default")
    for layer in reversed(layers):
        origins |= {key: origin for key, (_, origin) in layer.items()}
    settings, errors = _parse(layers) if is_text else _build(layers)
    if settings is None:
        lines = [str(refusal(error.key, error.value, origins[error.key], error.why)) for error in errors]
        raise ConfigError("\n".join(lines))
    settings, origins = _in_cloud(settings, origins)
    settings, origins = _through_proxies(settings, origins, environ)
    return Loaded(settings, origins)


def describe(loaded: Loaded) -> list[tuple[str, str, str]]:
    """Each setting as key, text (secrets masked) and origin, in the order of the tree: what `config show` prints."""
    values = setting_values(loaded.settings) | {"run.runs_dir": loaded.settings.run.runs_path}
    return [(key, "not set" if value is None else str(value), loaded.origins[key]) for key, value in values.items()]


def _in_cloud(settings: Settings, origins: dict[str, str]) -> tuple[Settings, dict[str, str]]:
    """The settings with the authority and base URL of their cloud and family, where nobody set those."""
    api, auth = settings.api, settings.auth
    if origins["api.base_url"] == "default":
        told = [key for key in ("api.cloud", "api.family") if origins[key] != "default"]
        if told:
            api = replace(api, base_url=base_url(api.cloud, api.family or "mpn"))
            origins = origins | {"api.base_url": " and ".join(told)}
    if origins["auth.authority"] == "default" and origins["api.cloud"] != "default":
        auth = replace(auth, authority=CLOUDS[api.cloud].authority)
        origins = origins | {"auth.authority": "api.cloud"}
    return replace(settings, api=api, auth=auth), origins


def _through_proxies(
    settings: Settings, origins: dict[str, str], environ: Mapping[str, str]
) -> tuple[Settings, dict[str, str]]:
    """The settings with the proxies that nobody set: `api.proxy` for both, else what the environment says of each host.

    NO_PROXY may exempt the one and not the other.
    """
    api, auth = settings.api, settings.auth
    is_set = api.proxy is not None
    if not is_set and (found := find_proxy(api.base_url, environ)) is not None:
        api = replace(api, proxy=found[0])
        origins = origins | {"api.proxy": f"environment {found[1]}"}
    if is_set and auth.proxy is None:
        auth = replace(auth, proxy=api.proxy)
        origins = origins | {"auth.proxy": "api.proxy"}
    elif auth.proxy is None and (found := find_proxy(auth.authority, environ, key="auth.proxy")) is not None:
        auth = replace(auth, proxy=found[0])
        origins = origins | {"auth.proxy": f"environment {found[1]}"}
    return replace(settings, api=api, auth=auth), origins


def _nested(layer: Layer) -> dict[str, Any]:
    nested: dict[str, dict[str, Any]] = {}
    for key, (value, _) in layer.items():
        section, name = key.split(".")
        nested.setdefault(section, {})[name] = value
    return nested


def _build(layers: Sequence[Layer]) -> tuple[Settings | None, list[SettingError]]:
    """The settings from layers that are typed already; pydantic stays out of the start-up."""
    merged: Layer = {}
    for layer in reversed(layers):
        merged |= layer
    default = Settings()
    try:
        return replace(default, **{k: replace(getattr(default, k), **v) for k, v in _nested(merged).items()}), []
    except SettingError as error:
        return None, [error]


def _parse(layers: Sequence[Layer]) -> tuple[Settings | None, list[SettingError]]:
    """The settings from layers that hold text and TOML: pydantic-settings merges and types them.

    Its own readers of files and environment are not used: they pass over names they do not know.
    """
    from pydantic import ValidationError, create_model  # noqa: PLC0415 - 100 ms, only when there is text to parse
    from pydantic_settings import (  # noqa: PLC0415
        BaseSettings,
        InitSettingsSource,
        PydanticBaseSettingsSource,
        SettingsConfigDict,
    )

    class Layered(BaseSettings):
        model_config = SettingsConfigDict(extra="forbid", hide_input_in_errors=True)

        @classmethod
        def settings_customise_sources(
            cls, settings_cls: type[BaseSettings], *_: PydanticBaseSettingsSource, **__: PydanticBaseSettingsSource
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return tuple(InitSettingsSource(settings_cls, _nested(layer)) for layer in layers)

    sections: dict[str, Any] = {field.name: (field.type, field.default) for field in fields(Settings)}
    try:
        parsed = create_model("Tree", __base__=Layered, **sections)()
    except ValidationError as error:
        return None, [_setting_error(detail) for detail in error.errors(include_url=False)]
    return Settings(**{name: getattr(parsed, name) for name in sections}), []


def _setting_error(detail: Mapping[str, Any]) -> SettingError:
    cause = detail.get("ctx", {}).get("error")
    if isinstance(cause, SettingError):
        return cause
    key = ".".join(str(part) for part in detail["loc"][:2])
    why = str(cause) if cause is not None else detail["msg"].replace("Input should be", "must be", 1)
    return SettingError(key, detail["input"], why)
