"""The sign-ins of persons that later runs go on with: one for each authority, tenant and app.

What is public of one stands in `<folder>/<name>.json`; its refresh token where `auth.token_store` wants it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, Literal, get_args

import orjson

from bulkpause.auth.durable import delete, make_private, read_private, write_durably
from bulkpause.auth.places import Kind, Place, Wanted, choose_kind, open_place, prove
from bulkpause.errors import AuthError, ConfigError, TokenUnavailableError

ClientKind = Literal["public", "confidential"]

UNUSED_LIFE: Final = timedelta(days=90)
"""Entra forgets a refresh token that nobody has used for so long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInKey:
    """Which sign-in: there is one of each."""

    authority: str
    tenant_id: str
    client_id: str

    @property
    def name(self) -> str:
        """What its files and entries are called."""
        text = f"{self.authority}\n{self.tenant_id}\n{self.client_id}".lower()
        return hashlib.sha256(text.encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True, kw_only=True)
class SignIn:
    """What may be known of a sign-in without unlocking anything."""

    key: SignInKey
    account: str | None
    """Who signed in; None if Entra did not say."""
    client: ClientKind
    """Whether the app proved itself as well: a refresh token is renewed the way it was got."""
    kept_in: Kind
    signed_in_at: datetime
    renewed_at: datetime
    refused_at: datetime | None = None
    """When Entra last would not renew it, if that has not changed since."""

    @property
    def good_until(self) -> datetime:
        """When it is forgotten unless it is used before."""
        return self.renewed_at + UNUSED_LIFE


@dataclass(frozen=True, slots=True)
class Kept:
    """What may not be known of it."""

    refresh_token: str = field(repr=False)
    seed_sha256: str | None = None
    """Of the `auth.refresh_token` it grew from, or that it has replaced; another one is newer, and wins."""


class SignInStore:
    """The sign-ins of this user on this machine. Every method raises AuthError that says what to do.

    `wanted` is where new ones go; one that is there stays where it is until somebody signs in again.
    """

    def __init__(
        self,
        folder: Path,
        *,
        wanted: Wanted,
        say: Callable[[str], None],
        choose: Callable[[Wanted], Kind] = choose_kind,
        place: Callable[[Kind, Path], Place] = open_place,
    ) -> None:
        self._folder = folder
        self._wanted: Wanted = wanted
        self._say = say
        self._choose = choose
        self._place = place

    def find(self, key: SignInKey) -> SignIn | None:
        """What is public of the sign-in, None if there is none. Unlocks nothing."""
        return _read(self._folder / f"{key.name}.json")

    def all(self) -> list[SignIn]:
        """What is public of every sign-in, the latest first. Unlocks nothing."""
        found = filter(None, map(_read, sorted(self._folder.glob("*.json"))))
        return sorted(found, key=lambda sign_in: sign_in.signed_in_at, reverse=True)

    @contextmanager
    def locked(self, key: SignInKey, *, timeout_s: float) -> Iterator[None]:
        """Nobody else renews or replaces the sign-in meanwhile, in any process.

        Raises TokenUnavailableError if somebody else does for longer than `timeout_s`.
        """
        from filelock import FileLock, Timeout  # noqa: PLC0415 - only who has a sign-in pays for it

        make_private(self._folder)
        lock = FileLock(self._folder / f"{key.name}.lock", mode=0o600, thread_local=False)
        try:
            lock.acquire(timeout=timeout_s, poll_interval=0.02)
        except Timeout:
            raise TokenUnavailableError(
                f"another process has been renewing this sign-in for {timeout_s:g} s (lock {lock.lock_file})"
            ) from None
        except OSError as error:
            raise AuthError(
                f"{lock.lock_file}, the lock of the sign-in, cannot be written: {error.strerror}. Each run renews the "
                "sign-in: this folder and its files have to be this user's own, and writable"
            ) from None
        try:
            yield
        finally:
            lock.release()

    def prove(self) -> Kind:
        """Where a new sign-in will go; it has been written to and read from. Raises ConfigError or AuthError."""
        kind = self._choose(self._wanted)
        make_private(self._folder)
        prove(self._place(kind, self._folder))
        return kind

    def load(self, sign_in: SignIn) -> Kept | None:
        """The secret part, None if it has gone."""
        text = self._open(sign_in.kept_in).load(sign_in.key.name)
        if text is None:
            return None
        try:
            found = orjson.loads(text)
            return Kept(str(found["refresh_token"]), found["seed_sha256"])
        except (ValueError, LookupError, TypeError):
            pass  # it may hold a secret, and the error its text
        raise AuthError(
            f"what {self.where(sign_in)} holds is no sign-in of bulkpause; type `bulkpause logout`, then `login`"
        )

    def save(self, sign_in: SignIn, kept: Kept) -> None:
        """Keep it. The secret comes first: a crash between the two leaves only what is public behind its time.

        One that had been kept elsewhere is deleted there. Whoever has a plain file made is told, loudly.
        """
        make_private(self._folder)
        self._drop_drafts(sign_in.key)
        before = self.find(sign_in.key)
        payload = {"refresh_token": kept.refresh_token, "seed_sha256": kept.seed_sha256}
        self._open(sign_in.kept_in).save(sign_in.key.name, orjson.dumps(payload).decode())
        self.note(sign_in)
        if sign_in.kept_in == "file" and (before is None or before.kept_in != "file"):
            self._say(
                f"bulkpause: NOTICE: this sign-in is kept UNENCRYPTED, in {self._folder / sign_in.key.name}.secret: "
                f"whoever reads that file can act as {sign_in.account or 'that person'}. Where the system has a "
                "keyring, set auth.token_store to keyring, and sign in again."
            )
        if before is not None and before.kept_in != sign_in.kept_in:
            self._open(before.kept_in).delete(sign_in.key.name)

    def note(self, sign_in: SignIn) -> None:
        """Write down what is public of it."""
        key = sign_in.key
        document = {
            "authority": key.authority,
            "tenant_id": key.tenant_id,
            "client_id": key.client_id,
            "account": sign_in.account,
            "client": sign_in.client,
            "kept_in": sign_in.kept_in,
            "signed_in_at": sign_in.signed_in_at,
            "renewed_at": sign_in.renewed_at,
            "refused_at": sign_in.refused_at,
        }
        file = self._folder / f"{key.name}.json"
        try:
            write_durably(file, orjson.dumps(document, option=orjson.OPT_INDENT_2))
        except OSError as error:
            raise AuthError(f"{file} cannot be written: {error.strerror}") from None

    def note_refusal(self, sign_in: SignIn, *, now: datetime) -> None:
        """Write down that Entra would not renew it."""
        self.note(replace(sign_in, refused_at=now))

    def new_kind(self) -> Kind:
        """Where a new sign-in goes."""
        return self._choose(self._wanted)

    def where(self, sign_in: SignIn) -> str:
        """Where it is kept, in words."""
        return self._open(sign_in.kept_in).where(sign_in.key.name)

    def remove(self, key: SignInKey) -> SignIn | None:
        """Keep it no longer; what was removed, None if there was none."""
        sign_in = self.find(key)
        self._drop_drafts(key)
        if sign_in is None:
            return None
        self._open(sign_in.kept_in).delete(key.name)
        delete(self._folder / f"{key.name}.json")
        return sign_in

    def _drop_drafts(self, key: SignInKey) -> None:
        """Delete what a process left that was killed while it wrote; there may be a secret in it."""
        for draft in self._folder.glob(f".{key.name}.*"):
            delete(draft)

    def _open(self, kind: Kind) -> Place:
        try:
            return self._place(kind, self._folder)
        except ConfigError as error:
            raise AuthError(str(error)) from None


def _read(file: Path) -> SignIn | None:
    content = read_private(file)
    if content is None:
        return None
    try:
        found = orjson.loads(content)
        key = SignInKey(
            authority=str(found["authority"]), tenant_id=str(found["tenant_id"]), client_id=str(found["client_id"])
        )
        return SignIn(
            key=key,
            account=None if found["account"] is None else str(found["account"]),
            client=_one_of(get_args(ClientKind), found["client"]),
            kept_in=_one_of(get_args(Kind), found["kept_in"]),
            signed_in_at=_moment(found["signed_in_at"]),
            renewed_at=_moment(found["renewed_at"]),
            refused_at=None if found["refused_at"] is None else _moment(found["refused_at"]),
        )
    except (ValueError, LookupError, TypeError):
        raise AuthError(f"{file} is no sign-in of bulkpause; delete it, and type `bulkpause login`") from None


def _one_of(words: tuple[Any, ...], text: object) -> Any:
    return words[words.index(text)]


def _moment(text: Any) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError
    return moment
