"""A bearer token that somebody else fetched: from the environment, a file or a command."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from bulkpause.auth.claims import claims
from bulkpause.auth.tokens import Acquire, Token
from bulkpause.clock import Clock
from bulkpause.errors import AuthError, TokenUnavailableError

NEVER = datetime.max.replace(tzinfo=UTC)
"""Expiry of a token that does not tell its own: it is good until it is refused."""

STDERR_LIMIT = 200


def token_from_environment(value: str, *, name: str, clock: Clock) -> Acquire:
    """The token a variable held when the run began; once it has expired or been refused, there is no other."""

    def acquire(*, claims: str | None = None) -> Token:  # noqa: ARG001 - whoever fetched it decides what it proves
        token = _token(value, name, clock.now())
        if token.expires_at <= clock.now():
            raise AuthError(f"the token in {name} expired at {token.expires_at:%Y-%m-%dT%H:%M:%SZ}; set a new one")
        return token

    return acquire


def token_from_file(file: Path, *, clock: Clock) -> Acquire:
    """The token in a file that somebody keeps fresh; it is read again for every renewal."""

    def acquire(*, claims: str | None = None) -> Token:  # noqa: ARG001 - whoever fetched it decides what it proves
        key = f"auth.token_file {file}"
        return _token(text_of(file, key=key), key, clock.now())

    return acquire


def token_from_command(
    argv: Sequence[str], *, timeout_s: float, clock: Clock, env: Mapping[str, str] | None = None
) -> Acquire:
    """The token a command prints, alone, on stdout; it is run again for every renewal, without a shell or stdin.

    `env` is all that it sees of the environment; None for all of it.
    """

    def acquire(*, claims: str | None = None) -> Token:  # noqa: ARG001 - whoever fetched it decides what it proves
        key = f"auth.token_command {argv[0]}"
        return _token(output_of(argv, key=key, timeout_s=timeout_s, env=env), key, clock.now())

    return acquire


def text_of(file: Path, *, key: str) -> str:
    """The text of a file that `key` names. Raises AuthError."""
    try:
        return file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise AuthError(f"{key} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise AuthError(f"{key} is not text") from None


def output_of(argv: Sequence[str], *, key: str, timeout_s: float, env: Mapping[str, str] | None = None) -> str:
    """What the command that `key` names prints, run without a shell or stdin. Raises AuthError.

    `env` is all that it sees of the environment; None for all of it.
    """
    program = shutil.which(argv[0]) or argv[0]  # on Windows az is az.cmd, which only `which` finds
    try:
        done = subprocess.run(  # noqa: S603 - the operator's own command
            [program, *argv[1:]],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout_s,
            check=False,
            env=env,
        )
    except subprocess.TimeoutExpired:
        raise TokenUnavailableError(f"{key} did not end within {timeout_s:g} s") from None
    except OSError as error:
        raise AuthError(f"{key} cannot be run: {error.strerror}") from None
    if done.returncode != 0:
        said = " ".join(done.stderr.decode(errors="replace").split())[:STDERR_LIMIT]
        raise AuthError(f"{key} failed with exit code {done.returncode}: {said or 'nothing on stderr'}")
    return done.stdout.decode(errors="replace")


def one_token(text: str, *, key: str) -> str:
    """The token that `text` is; AuthError, which does not show it, if it cannot be sent as one."""
    value = re.sub(r"(?i)^bearer\s+", "", text.strip())
    if not value:
        raise TokenUnavailableError(f"{key} is empty")
    if not re.fullmatch(r"[!-~]+", value):
        raise AuthError(f"{key} holds something other than one token: blanks, line breaks or odd characters")
    return value


def _token(text: str, source: str, now: datetime) -> Token:
    value = one_token(text, key=source)
    return Token(value, source, obtained_at=now, expires_at=_expiry(value))


def _expiry(token: str) -> datetime:
    """The `exp` claim if the token is a JWT (RFC 7519 section 4.1.4), else NEVER."""
    try:
        return datetime.fromtimestamp(claims(token)["exp"], UTC)
    except (ValueError, LookupError, TypeError, OverflowError, OSError):
        return NEVER
