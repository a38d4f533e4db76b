"""The sign-ins on disk: what is public, what is secret, and who may read it."""

from __future__ import annotations

import importlib
import os
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import msal_extensions
import orjson
import pytest

from bulkpause.auth.durable import write_durably
from bulkpause.auth.places import Encrypted, Kind, Place, PlainFiles, choose_kind, open_place, prove
from bulkpause.auth.store import Kept, SignInStore
from bulkpause.errors import AuthError, ConfigError, TokenUnavailableError
from tests.auth.signed_in import KEY, LONG_AGO, a_sign_in, a_store

SECRET = "1.planted~refresh~token"
posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such permissions")


def test_what_is_saved_is_found_and_loaded(tmp_path: Path) -> None:
    store = a_store(tmp_path / "new" / "sign-ins")
    assert store.find(KEY) is None
    assert store.all() == []
    store.save(a_sign_in(), Kept(SECRET, "abc"))
    assert store.find(KEY) == a_sign_in()
    assert store.load(a_sign_in()) == Kept(SECRET, "abc")
    assert SECRET not in repr(store.load(a_sign_in()))


def test_nothing_secret_stands_in_the_public_file(tmp_path: Path) -> None:
    a_store(tmp_path).save(a_sign_in(), Kept(SECRET))
    assert SECRET not in (tmp_path / f"{KEY.name}.json").read_text()


@posix
def test_only_the_owner_can_read_the_files(tmp_path: Path) -> None:
    store = a_store(tmp_path / "sign-ins")
    store.save(a_sign_in(), Kept(SECRET))
    assert stat.S_IMODE((tmp_path / "sign-ins").stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in (tmp_path / "sign-ins").iterdir()} == {0o600}


@posix
@pytest.mark.parametrize("name", ["secret", "json"])
def test_a_file_that_others_can_read_is_refused_with_what_to_type(tmp_path: Path, name: str) -> None:
    store = a_store(tmp_path)
    store.save(a_sign_in(), Kept(SECRET))
    file = tmp_path / f"{KEY.name}.{name}"
    file.chmod(0o640)
    with pytest.raises(AuthError, match=f"others can read it: chmod 600 {file}"):
        store.load(a_sign_in()) if name == "secret" else store.find(KEY)


def test_a_plain_file_is_told_loudly_when_it_is_made_and_not_again(tmp_path: Path) -> None:
    said: list[str] = []
    store = a_store(tmp_path, said)
    store.save(a_sign_in(), Kept(SECRET))
    assert len(said) == 1
    assert "UNENCRYPTED" in said[0]
    assert str(tmp_path / f"{KEY.name}.secret") in said[0]
    assert SECRET not in said[0]
    store.save(a_sign_in(), Kept("another"))
    store.load(a_sign_in())
    assert len(said) == 1


@pytest.mark.parametrize(("authority", "tenant_id"), [("https://login.other", None), (None, "fabrikam.example")])
def test_another_tenant_or_cloud_is_another_sign_in(
    tmp_path: Path, authority: str | None, tenant_id: str | None
) -> None:
    store = a_store(tmp_path)
    store.save(a_sign_in(), Kept(SECRET))
    other = replace(KEY, authority=authority or KEY.authority, tenant_id=tenant_id or KEY.tenant_id)
    assert store.find(other) is None
    assert store.find(replace(KEY, tenant_id=KEY.tenant_id.upper())) is not None


def test_removing_takes_both_parts_away_and_is_told_once(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    store.save(a_sign_in(), Kept(SECRET))
    assert store.remove(KEY) == a_sign_in()
    assert store.remove(KEY) is None
    assert list(tmp_path.iterdir()) == []


def test_a_new_sign_in_elsewhere_leaves_no_secret_where_the_old_one_was(tmp_path: Path) -> None:
    elsewhere: dict[str, Place] = {"file": PlainFiles(tmp_path)}
    (tmp_path / "ring").mkdir()
    elsewhere["keyring"] = PlainFiles(tmp_path / "ring")
    store = a_store(tmp_path, place=lambda kind, _folder: elsewhere[kind])
    store.save(a_sign_in(kept_in="file"), Kept(SECRET))
    store.save(a_sign_in(kept_in="keyring"), Kept("new"))
    assert not (tmp_path / f"{KEY.name}.secret").exists()
    assert store.load(a_sign_in(kept_in="keyring")) == Kept("new")


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"{}", b'{"refresh_token": 1}', b"\xff", b'"1.planted~refresh~token"']
)
def test_what_is_no_sign_in_is_told_without_its_text(tmp_path: Path, content: bytes) -> None:
    store = a_store(tmp_path)
    store.save(a_sign_in(), Kept(SECRET))
    write_durably(tmp_path / f"{KEY.name}.secret", content)
    with pytest.raises(AuthError) as refused:
        store.load(a_sign_in())
    assert "bulkpause logout" in str(refused.value)
    assert "planted" not in str(refused.value)
    write_durably(tmp_path / f"{KEY.name}.json", content)
    with pytest.raises(AuthError, match="is no sign-in of bulkpause; delete it"):
        store.all()


def test_public_data_of_a_kind_that_is_not_known_is_refused(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    store.save(a_sign_in(), Kept(SECRET))
    file = tmp_path / f"{KEY.name}.json"
    for change in ({"kept_in": "cloud"}, {"client": "odd"}, {"renewed_at": "2026-01-01T00:00:00"}):
        write_durably(file, orjson.dumps(orjson.loads(file.read_bytes()) | change))
        with pytest.raises(AuthError, match="is no sign-in"):
            store.find(KEY)


def test_a_refusal_is_remembered(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    store.save(a_sign_in(), Kept(SECRET))
    store.note_refusal(a_sign_in(), now=LONG_AGO)
    assert store.all() == [replace(a_sign_in(), refused_at=LONG_AGO)]


def test_one_lock_at_a_time_and_who_waits_too_long_is_told(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    with (
        store.locked(KEY, timeout_s=1),
        pytest.raises(TokenUnavailableError, match="another process"),
        a_store(tmp_path).locked(KEY, timeout_s=0.05),
    ):
        pass
    with store.locked(KEY, timeout_s=0.05):
        pass


@posix
def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    folder = tmp_path / "file" / "sign-ins"
    for attempt in (lambda: a_store(folder).prove(), lambda: _lock(a_store(folder))):
        with pytest.raises(AuthError, match=f"{folder}, where sign-ins are kept, cannot be made: Not a directory"):
            attempt()


def _lock(store: SignInStore) -> None:
    with store.locked(KEY, timeout_s=1):
        pass


def test_a_write_that_fails_leaves_the_old_file_and_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a"
    write_durably(file, b"old")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(AuthError, match="cannot be written: No space left"):
        PlainFiles(tmp_path).save("x", "new")
    with pytest.raises(OSError, match="No space"):
        write_durably(file, b"new")
    assert [(each.name, each.read_bytes()) for each in tmp_path.iterdir()] == [("a", b"old")]


def test_a_reader_that_holds_the_file_open_on_windows_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace_file, refusals, waits = Path.replace, [1, 2], list[float]()

    def busy(draft: Path, target: Path) -> Path:
        if refusals:
            refusals.pop()
            raise PermissionError(13, "used by another process")
        return replace_file(draft, target)

    monkeypatch.setattr(Path, "replace", busy)
    write_durably(tmp_path / "a", b"new", wait=waits.append)
    assert (tmp_path / "a").read_bytes() == b"new"
    assert waits == [0.02, 0.02]
    refusals += range(99)
    with pytest.raises(PermissionError):
        write_durably(tmp_path / "a", b"newer", wait=waits.append)
    assert [(each.name, each.read_bytes()) for each in tmp_path.iterdir()] == [("a", b"new")]


@pytest.mark.parametrize(
    ("wanted", "platform", "kind"),
    [
        ("auto", "win32", "encrypted"),
        ("auto", "darwin", "encrypted"),
        ("file", "win32", "file"),
        ("keyring", "linux", "keyring"),
        ("encrypted", "linux", "encrypted"),
    ],
)
def test_where_a_sign_in_goes(wanted: Any, platform: str, kind: Kind) -> None:
    assert choose_kind(wanted, platform=platform) == kind


def asked(code: str, **environ: str) -> str:
    """What a new Python says to `code`, with that environment and the repository to import from."""
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(root), **environ},
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    return done.stdout.strip()


AUTO = "from bulkpause.auth.places import choose_kind; print(choose_kind('auto', platform='linux'))"


@pytest.mark.parametrize(
    ("backend", "kind"),
    [
        ("keyring.backends.fail.Keyring", "file"),
        ("keyring.backends.null.Keyring", "file"),
        ("tests.auth.keyrings.FileKeyring", "keyring"),
    ],
)
def test_a_keyring_that_keeps_nothing_does_not_count(backend: str, kind: str) -> None:
    assert asked(AUTO, PYTHON_KEYRING_BACKEND=backend) == kind


IN_KEYRING = """
import sys
from pathlib import Path
from bulkpause.auth.store import Kept
from bulkpause.errors import BulkpauseError
from tests.auth.signed_in import KEY, a_sign_in, a_store
store = a_store(Path(sys.argv[1] if len(sys.argv) > 1 else "."), wanted="auto")
try:
    kind = store.prove()
    store.save(a_sign_in(kept_in=kind), Kept("1.planted"))
    print(kind, store.load(a_sign_in(kept_in=kind)).refresh_token, store.where(a_sign_in(kept_in=kind)))
    store.remove(KEY)
    print(store.load(a_sign_in(kept_in=kind)))
except BulkpauseError as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere auto does not come to the keyring")
def test_a_sign_in_is_kept_in_the_keyring_and_removed_from_it(tmp_path: Path) -> None:
    code = IN_KEYRING.replace('"."', repr(str(tmp_path / "sign-ins")))
    ring = tmp_path / "ring.json"
    said = asked(code, PYTHON_KEYRING_BACKEND="tests.auth.keyrings.FileKeyring", TEST_KEYRING=str(ring))
    assert said.splitlines() == [f"keyring 1.planted keyring keyrings, entry bulkpause/{KEY.name}", "None"]
    assert orjson.loads(ring.read_bytes()) == {}
    assert list((tmp_path / "sign-ins").iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere auto does not come to the keyring")
def test_a_locked_keyring_is_found_out_before_anybody_signs_in(tmp_path: Path) -> None:
    code = IN_KEYRING.replace('"."', repr(str(tmp_path)))
    said = asked(code, PYTHON_KEYRING_BACKEND="tests.auth.keyrings.LockedKeyring", TEST_KEYRING=str(tmp_path / "r"))
    assert "cannot be written: KeyringLocked. Unlock it, or set auth.token_store to file" in said
    assert "planted" not in said


def test_a_keyring_that_is_wanted_and_not_there_is_told_with_what_to_set_instead() -> None:
    code = "from bulkpause.auth.places import *\ntry: open_place('keyring', None)\nexcept Exception as e: print(e)"
    said = asked(code, PYTHON_KEYRING_BACKEND="keyring.backends.fail.Keyring")
    assert said.startswith("auth.token_store keyring does not work here: no Secret Service")
    assert "Set it to encrypted or file" in said
    assert "unusable" in asked(code, PYTHON_KEYRING_BACKEND="tests.auth.keyrings.Missing")


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the system encrypts")
def test_encrypted_says_what_it_needs_where_that_is_not_there(tmp_path: Path) -> None:
    try:
        importlib.import_module("gi")
    except ImportError:
        with pytest.raises(ConfigError, match=r"does not work here \(on Linux it needs PyGObject and libsecret\)"):
            open_place("encrypted", tmp_path)
    else:
        pytest.skip("PyGObject is installed here: encrypted may work")


@pytest.mark.parametrize("platform", ["win32", "darwin", "linux"])
def test_what_the_system_encrypts_is_kept_replaced_and_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, platform: str
) -> None:
    """By msal-extensions' own plain files, which stand for what only that system has."""
    monkeypatch.setattr(msal_extensions, "build_encrypted_persistence", msal_extensions.FilePersistence)
    place = Encrypted(tmp_path, platform=platform)
    assert place.load("x") is None
    place.delete("x")
    for text in ("old", "new"):
        place.save("x", text)
    assert place.load("x") == "new"
    assert [file.name for file in tmp_path.iterdir()] == ["x.encrypted"]
    assert str(tmp_path / "x.encrypted") in place.where("x")
    place.delete("x")
    assert place.load("x") is None
    prove(place)
    assert list(tmp_path.iterdir()) == []


def test_what_the_system_cannot_encrypt_is_told_without_its_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken(msal_extensions.FilePersistence):  # type: ignore[misc]  # it publishes no types
        def save(self, content: str) -> None:
            raise OSError(f"cannot encrypt {content}")

    monkeypatch.setattr(msal_extensions, "build_encrypted_persistence", Broken)
    with pytest.raises(AuthError, match="cannot be written: OSError") as refused:
        Encrypted(tmp_path, platform="win32").save("x", SECRET)
    assert SECRET not in str(refused.value)


def test_a_place_that_forgets_is_found_out(tmp_path: Path) -> None:
    class Forgetful(PlainFiles):
        def save(self, name: str, text: str) -> None:
            """Keep nothing."""

    with pytest.raises(AuthError, match=r"does not give back what it is given; set auth\.token_store to another"):
        prove(Forgetful(tmp_path))


def test_a_sign_in_whose_place_has_gone_is_told(tmp_path: Path) -> None:
    def gone(_kind: Kind, _folder: Path) -> Place:
        raise ConfigError("auth.token_store keyring does not work here.")

    with pytest.raises(AuthError, match="does not work here"):
        a_store(tmp_path, place=gone).load(a_sign_in(kept_in="keyring"))
