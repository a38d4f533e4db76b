"""A directory of secrets, as Docker, Kubernetes and systemd mount one: a file for each setting."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from bulkpause.errors import ConfigError
from bulkpause.settings.sources import PREFIX, Layer, as_reference, nearest, suggestion, typed
from bulkpause.settings.tree import WELL_KNOWN
from bulkpause.settings.values import Parsed, Secret

LONGEST_BYTES: Final = 65_536
"""More than any setting has."""


def secrets_dir_layer(folder: Path, types: Mapping[str, type]) -> Layer:
    """What the files of a directory of secrets say, each named like its setting or one of its variables, in any case.

    A secret is left where it is until it is needed. Files with other names are somebody else's and pass, unless they
    look misspelt. ConfigError: that, two files for one setting, or what cannot be read.
    """
    allowed = {key: kind for key, kind in types.items() if key.startswith("auth.") or issubclass(kind, Secret)}
    keys = {name: key for key in allowed for name in _names_of(key)}
    origin = f"secrets directory {folder}"
    layer: Layer = {}
    try:
        files = sorted(file for file in folder.iterdir() if not file.name.startswith("..") and not file.is_dir())
    except OSError as error:
        raise ConfigError(f"the {origin} cannot be read: {error.strerror}") from None
    for file in files:
        key = keys.get(file.name.lower())
        if key is None:
            _refuse_misspelt(file, keys)
            continue
        if key in layer:
            raise ConfigError(f"the {origin} has two files for {key}; remove {file.name} or the other")
        kind = allowed[key]
        value: object = (
            as_reference(f"file:{file.absolute()}", kind) if issubclass(kind, Secret) else _mounted(file, key)
        )
        if kind is Path:
            value = folder / str(value)
        elif issubclass(kind, Parsed):
            value = typed(key, value, origin, kind)
        layer[key] = (value, origin)
    return layer


def _names_of(key: str) -> Iterable[str]:
    """What a file in a directory of secrets is called that holds the setting, in lower case."""
    yield key
    yield PREFIX.lower() + key.replace(".", "__")
    if key in WELL_KNOWN:
        yield WELL_KNOWN[key].lower()


def _refuse_misspelt(file: Path, known: Iterable[str]) -> None:
    """ConfigError for a name that was meant for us: others may keep their secrets in the same directory."""
    from difflib import get_close_matches  # noqa: PLC0415 - only names that are not ours need it

    name = file.name.lower()
    meant = next(iter(get_close_matches(name, list(known), n=1, cutoff=0.85)), None)
    if meant is not None or name.startswith((PREFIX.lower(), "auth.", "api.")):
        raise ConfigError(f"{file} in the secrets directory is no setting{suggestion(meant or nearest(name, known))}")


def _mounted(file: Path, key: str) -> str:
    """The text of a file that holds a setting which is no secret. A pipe is not waited for: every verb reads this."""
    try:
        if file.exists() and not file.is_file():
            raise ConfigError(f"{key} cannot be read from {file}: it is no regular file")
        with file.open("rb") as stream:
            text = stream.read(LONGEST_BYTES).decode("utf-8-sig").strip("\r\n")
    except OSError as error:
        raise ConfigError(f"{key} cannot be read from {file}: {error.strerror}") from None
    except UnicodeDecodeError:
        text = ""
    if not text:
        raise ConfigError(f"{key}: {file} is empty, or no text")
    return text
