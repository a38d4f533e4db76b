"""The places settings come from, each read into a layer: flags, environment and files. Nothing unknown passes."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from types import NoneType
from typing import Any, Final, get_args

from bulkpause.errors import ConfigError
from bulkpause.redaction import MASK
from bulkpause.settings.checks import refusal
from bulkpause.settings.tree import WELL_KNOWN, Settings
from bulkpause.settings.values import REFERENCE_FORMS, Parsed, ProxyReference, ProxyUrl, Secret, SecretReference

FILE_NAME = "bulkpause.toml"
FLAGS = {
    "api.base_url": "--base-url",
    "api.timeout_s": "--timeout",
    "api.ca_file": "--ca-file",
    "run.rate": "--rate",
    "run.rate_start": "--rate-start",
    "run.adapt": "--no-adapt",
    "run.concurrency": "--concurrency",
    "run.time_limit": "--time-limit",
    "run.until": "--until",
    "run.guard": "--guard",
    "run.runs_dir": "--runs-dir",
    "run.snapshot": "--no-snapshot",
    "run.verify": "--verify",
    "run.progress": "--progress",
    "retry.max_tries": "--max-tries",
    "retry.deadline_s": "--deadline",
    "halt.when": "--halt",
    "audit.file": "--audit",
    "log.level": "--verbose",
    "log.format": "--log-format",
}
"""The settings that have a flag, and its name. No secret has one, but all have --secret KEY=REFERENCE."""

SECRETS_DIR: Final = "BULKPAUSE_SECRETS_DIR"
"""The variable that is --secrets-dir."""

PREFIX: Final = "BULKPAUSE_"
"""How our variables begin."""

_SERVICE_LINK = (
    r"BULKPAUSE(_[A-Z0-9]+)*_"
    r"(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9]+)*|PORT(_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)"
)
"""What Kubernetes puts into each pod beside a Service whose name begins with bulkpause: no misspelt setting."""

Layer = dict[str, tuple[Any, str]]
"""Dotted key to value and origin."""

Place = tuple[Path, str, bool]
"""A file, what to call it in messages, and whether it must exist."""


def setting_types() -> dict[str, type]:
    """The type of every setting by dotted key, `None` left out; a Literal is `str`."""
    types: dict[str, type] = {}
    for section in fields(Settings):
        for field in fields(getattr(Settings(), section.name)):
            kinds = (kind for kind in (field.type, *get_args(field.type)) if isinstance(kind, type))
            types[f"{section.name}.{field.name}"] = next((kind for kind in kinds if kind is not NoneType), str)
    return types


def flag_layer(flags: Mapping[str, object], types: Mapping[str, type]) -> Layer:
    """What the command line says; keys are those of `FLAGS`, None is a flag not given."""
    return {
        key: (typed(key, value, origin, types[key]), origin)
        for key, value, origin in ((key, value, f"flag {FLAGS[key]}") for key, value in flags.items())
        if value is not None
    }


def well_known_layer(environ: Mapping[str, str], types: Mapping[str, type]) -> Layer:
    """What the Azure SDK's variables and BULKPAUSE_TOKEN say."""
    return {
        key: (typed(key, text, origin, types[key]), origin)
        for key, text, origin in ((k, _variable(environ, n), f"environment {n}") for k, n in WELL_KNOWN.items())
        if text
    }


def variable_layer(environ: Mapping[str, str], types: Mapping[str, type]) -> Layer:
    """What BULKPAUSE_<SECTION>__<KEY> variables say; ConfigError for a BULKPAUSE_ name that means nothing."""
    keys = {PREFIX + key.upper().replace(".", "__"): key for key in types}
    known = {*keys, *WELL_KNOWN.values(), SECRETS_DIR}
    for name in environ:
        if name.upper().startswith(PREFIX) and name not in known and not re.fullmatch(_SERVICE_LINK, name):
            ours = [key.removeprefix(PREFIX) for key in known if key.startswith(PREFIX)]
            meant = nearest(name.upper().removeprefix(PREFIX), ours)
            raise ConfigError(f"environment {name} is no setting{suggestion(meant and PREFIX + meant)}")
    return {
        key: (Secret(text) if issubclass(types[key], Secret) else text, f"environment {name}")
        for name, key in keys.items()
        if (text := _variable(environ, name))
    }


def secret_layer(given: Iterable[str], types: Mapping[str, type], *, cwd: Path) -> Layer:
    """What `--secret KEY=REFERENCE` says, the last for each; ConfigError, which never quotes what may be a secret."""
    layer: Layer = {}
    secrets = {key: kind for key, kind in types.items() if issubclass(kind, Secret)}
    for text in given:
        key, _, reference = text.partition("=")
        if key not in secrets:
            raise ConfigError(f"--secret takes KEY=REFERENCE, and KEY is none of {', '.join(secrets)}")
        found = as_reference(reference, secrets[key])
        if found is None:
            raise ConfigError(f"--secret {key}=****: must be a reference: {REFERENCE_FORMS}")
        layer[key] = (found.below(cwd), "flag --secret")
    return layer


def as_reference(text: str, kind: type) -> SecretReference | None:
    """The reference that `text` is, fit for a setting of type `kind`; None if it is none."""
    try:
        return (ProxyReference if issubclass(kind, ProxyUrl) else SecretReference)(text)
    except ValueError:
        return None


def file_layers(places: Iterable[Place], profile: str | None, types: Mapping[str, type]) -> list[Layer]:
    """What the files that exist say, each overlaid with its `[profile.NAME]`; `places` go from high precedence to low.

    ConfigError: a file is unreadable or no TOML, holds an unknown name or a secret, or no file has the profile.
    """
    layers: list[Layer] = []
    profiles: set[str] = set()
    for path, label, required in places:
        table = _read_toml(path, label)
        if table is None:
            if required:
                raise ConfigError(f"{label} does not exist")
            continue
        overlays = table.pop("profile", {})
        if not isinstance(overlays, dict):
            raise ConfigError(f"{label}: profile must be tables such as [profile.night.run]")
        layer = _file_layer(table, label, path.parent, types)
        for name, overlay in overlays.items():
            overlaid = _file_layer(overlay, f"{label} [profile.{name}]", path.parent, types)
            layer |= overlaid if name == profile else {}
        profiles |= overlays.keys()
        layers.append(layer)
    if profile is not None and profile not in profiles:
        listing = f"the profiles are {', '.join(sorted(profiles))}" if profiles else "no settings file defines one"
        raise ConfigError(f"There is no profile {profile!r}: {listing}")
    return layers


def file_places(config_file: Path | None, cwd: Path, user_config_dir: Path | None) -> list[Place]:
    """Where settings files may be, highest precedence first; only the one that --config names must exist.

    ConfigError: the one in the working directory is somebody else's, and not the one that --config names.
    """
    named = [(cwd / config_file, f"file {config_file}", True)] if config_file is not None else []
    here = [(cwd / FILE_NAME, f"file ./{FILE_NAME}", False)]
    if named and named[0][0].exists() and here[0][0].exists() and named[0][0].samefile(here[0][0]):
        here = []
    elif _is_foreign(here[0][0]):
        raise ConfigError(f"file ./{FILE_NAME} belongs to another user; read it, then name it: --config {FILE_NAME}")
    users = [(user_config_dir / FILE_NAME, f"file {user_config_dir / FILE_NAME}", False)] if user_config_dir else []
    return named + here + users


def _is_foreign(path: Path) -> bool:
    """Whether somebody else put the file there, who may want our token sent elsewhere or a program of theirs run."""
    try:
        return sys.platform != "win32" and path.stat().st_uid not in {0, os.geteuid()}
    except OSError:
        return False  # there is none, or reading it will say more


def default_config_dir() -> Path:
    """Where this platform keeps a user's settings: `~/.config/bulkpause` on Linux."""
    from platformdirs import user_config_path  # noqa: PLC0415 - costs milliseconds at start-up

    return user_config_path("bulkpause", appauthor=False)


def _read_toml(path: Path, label: str) -> dict[str, Any] | None:
    try:
        content = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise ConfigError(f"{label} cannot be read: {error.strerror}") from None
    import tomllib  # noqa: PLC0415 - most invocations have no file

    try:
        return tomllib.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise ConfigError(f"{label} is not UTF-8 text; save it as UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{label} is not valid TOML: {error}") from None


def _file_layer(table: object, label: str, base: Path, types: Mapping[str, type]) -> Layer:
    sections = {key.split(".")[0] for key in types}
    if not isinstance(table, dict):
        raise ConfigError(f"{label} must be a table of sections: {', '.join(sorted(sections))}")
    layer: Layer = {}
    for section, values in table.items():
        if section not in sections:
            raise ConfigError(f"{label}: {section!r} is no section{suggestion(nearest(section, [*sections, *types]))}")
        if not isinstance(values, dict):
            raise ConfigError(f"{label}: {section} must be a table, [{section}]")
        for name, value in values.items():
            key = f"{section}.{name}"
            if key not in types:
                raise ConfigError(f"{label}: {key} is no setting{suggestion(nearest(key, types))}")
            layer[key] = (_from_file(key, value, label, base, types[key]), label)
    return layer


def _from_file(key: str, value: object, label: str, base: Path, kind: type) -> object:
    if issubclass(kind, Secret) and isinstance(value, str) and (reference := as_reference(value, kind)) is not None:
        return reference.below(base)
    if issubclass(kind, Secret) and not (kind is ProxyUrl and "@" not in str(value)):
        variable = WELL_KNOWN.get(key, PREFIX + key.upper().replace(".", "__"))
        raise ConfigError(
            f"{key} ({label}) is a secret and does not belong in a file; set {variable} in the environment,"
            f" or write where it is: {REFERENCE_FORMS}"
        )
    if value == "":
        raise refusal(key, value, label, "must not be empty; delete the line for the default")
    if isinstance(value, bool) and kind is not bool:
        raise refusal(key, str(value).lower(), label, "must not be true or false")
    if kind is Path:
        if not isinstance(value, str):
            raise refusal(key, value, label, "must be a path in quotes")
        return base / os.path.expanduser(value)  # noqa: PTH111 - pathlib's raises where a user is unknown
    return Secret(value) if kind is ProxyUrl and isinstance(value, str) else value


def _variable(environ: Mapping[str, str], name: str) -> str:
    return environ.get(name, "").strip("\r\n")  # a mounted secret often ends in a line break


def typed(key: str, value: object, origin: str, kind: type) -> object:
    """The value as its setting has it, where that reads itself. ConfigError, which quotes no secret."""
    try:
        if issubclass(kind, Parsed):
            return kind.parse(value)
    except ValueError as error:
        problem = refusal(key, Secret(MASK) if issubclass(kind, Secret) else value, origin, str(error))
    else:
        return Path(value) if kind is Path and isinstance(value, str) else value
    raise problem


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that was most likely meant: the same word in another section, else the closest spelling."""
    from difflib import get_close_matches  # noqa: PLC0415 - only mistakes need it

    names = sorted(known)
    word = re.split(r"\.|__", name)[-1]
    moved = [key for key in names if re.split(r"\.|__", key)[-1] == word]
    return next(iter([*moved, *get_close_matches(name, names, n=1)]), None)


def suggestion(meant: str | None) -> str:
    """What to add to a message about a name that is not known."""
    return f"; did you mean {meant}?" if meant else "; `bulkpause config show` lists them all"
