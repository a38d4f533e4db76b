"""A stored sign-in, renewed by real MSAL at the sandbox: rotation, refusal, seeds, and two processes at once."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import orjson
import pytest

from bulkpause.auth.claims import claims
from bulkpause.auth.entra import assertion_credential
from bulkpause.auth.person import fingerprint, needs_login, wanted_claims
from bulkpause.auth.places import Place, PlainFiles
from bulkpause.auth.store import Kept
from bulkpause.errors import AuthError, TokenUnavailableError
from bulkpause.sandbox import Person, Sandbox, SandboxSettings, parse_fault, serve_in_thread
from tests.auth.signed_in import LONG_AGO, a_sign_in, a_store, acquire_from, described, key_of, sign_in

MakeSandbox = Callable[..., Sandbox]


@pytest.fixture
def a_sandbox() -> Iterator[MakeSandbox]:
    """Make a sandbox of a person who is as given."""
    with ExitStack() as exits:

        def make(*faults: str, token_lifetime_s: float = 3600, **person: Any) -> Sandbox:
            settings = SandboxSettings(
                reports=1,
                person=Person(**person),
                faults=tuple(map(parse_fault, faults)),
                token_lifetime_s=token_lifetime_s,
            )
            return exits.enter_context(serve_in_thread(settings))

        yield make


def kept(sandbox: Sandbox, folder: Path) -> Kept:
    store = a_store(folder)
    found = store.find(key_of(sandbox))
    assert found is not None
    secret = store.load(found)
    assert secret is not None
    return secret


def test_a_renewal_rotates_what_is_kept_and_names_the_person(a_sandbox: MakeSandbox, tmp_path: Path) -> None:
    sandbox, learnt = a_sandbox(revokes_used=True), list[str]()
    first = sign_in(sandbox, store := a_store(tmp_path))
    acquire = acquire_from(sandbox, store, learn=learnt.append)
    told = claims(acquire().value)
    assert (told["upn"], told["scp"]) == ("operator@contoso.example", "user_impersonation")
    second = kept(sandbox, tmp_path).refresh_token
    assert second != first
    acquire()
    assert sandbox.people.used == [first, second]
    assert learnt == [first, second, second, kept(sandbox, tmp_path).refresh_token]
    found = store.find(key_of(sandbox))
    assert found is not None
    assert found.account == "operator@contoso.example"
    assert found.renewed_at > found.signed_in_at == LONG_AGO


@pytest.mark.parametrize("client", ["public", "confidential"])
def test_it_is_renewed_the_way_it_was_got(a_sandbox: MakeSandbox, tmp_path: Path, client: Any) -> None:
    sandbox = a_sandbox()
    sign_in(sandbox, store := a_store(tmp_path), client=client)
    acquire_from(sandbox, store)()
    assert len(sandbox.people.used) == 1


def test_another_issuers_assertion_stands_in_for_the_apps_secret(a_sandbox: MakeSandbox, tmp_path: Path) -> None:
    sandbox = a_sandbox()
    sign_in(sandbox, store := a_store(tmp_path))
    acquire_from(sandbox, store, credential=assertion_credential(sandbox.issue_assertion))()
    assert len(sandbox.people.used) == 1


def test_an_apps_sign_in_without_the_apps_secret_says_which_is_missing(a_sandbox: MakeSandbox, tmp_path: Path) -> None:
    sandbox = a_sandbox()
    sign_in(sandbox, store := a_store(tmp_path))
    with pytest.raises(
        AuthError, match=r"set auth\.client_secret or auth\.certificate_file, or type `bulkpause login`"
    ):
        acquire_from(sandbox, store, credential=None)()
    assert sandbox.people.used == []


def test_nobody_signed_in_is_told_with_what_to_type(a_sandbox: MakeSandbox, tmp_path: Path) -> None:
    with pytest.raises(AuthError, match="nobody is signed in for this tenant and app: type `bulkpause login`"):
        acquire_from(a_sandbox(), a_store(tmp_path))()


@pytest.mark.parametrize("code", [50076, 50078, 50173, 70008, 700082])
def test_a_refused_refresh_token_ends_with_what_to_type_and_is_remembered(
    a_sandbox: MakeSandbox, tmp_path: Path, code: int
) -> None:
    sandbox = a_sandbox()
    first = sign_in(sandbox, store := a_store(tmp_path))
    acquire, sandbox.people.refusal = acquire_from(sandbox, store), code
    with pytest.raises(AuthError) as refused:
        acquire()
    assert not isinstance(refused.value, TokenUnavailableError)
    assert f"AADSTS{code}" in str(refused.value)
    assert str(refused.value).count("type `bulkpause login`") == 1
    assert first not in str(refused.value)
    found = store.find(key_of(sandbox))
    assert found is not None
    assert found.refused_at is not None
    sandbox.people.refusal = None
    acquire()
    found = store.find(key_of(sandbox))
    assert found is not None
    assert found.refused_at is None


@pytest.mark.parametrize("fault", ["503*2@token", "drop*2@token", "html*2@token"])
def test_trouble_at_entra_may_heal_and_loses_nothing(a_sandbox: MakeSandbox, tmp_path: Path, fault: str) -> None:
    sandbox = a_sandbox(fault)
    sign_in(sandbox, store := a_store(tmp_path))
    acquire = acquire_from(sandbox, store)
    failures = 0
    while True:
        try:
            acquire()
            break
        except TokenUnavailableError:
            failures += 1
    assert 1 <= failures <= 2
    found = store.find(key_of(sandbox))
    assert found is not None
    assert found.refused_at is None


def test_a_wrong_app_secret_is_no_reason_for_the_person_to_sign_in(a_sandbox: MakeSandbox, tmp_path: Path) -> None:
    sandbox = a_sandbox()
    sign_in(sandbox, store := a_store(tmp_path))
    with pytest.raises(AuthError, match="AADSTS7000215") as refused:
        acquire_from(sandbox, store, credential=lambda: "wrong")()
    assert "bulkpause login" not in str(refused.value)


def test_claims_asked_for_are_passed_on_with_what_we_can_answer(a_sandbox: MakeSandbox, tmp_path: Path) -> None:
    sandbox = a_sandbox()
    sign_in(sandbox, store := a_store(tmp_path))
    acquire_from(sandbox, store)(claims='{"access_token":{"nbf":{"essential":true,"value":"17"}}}')
    (asked,) = sandbox.people.claims
    assert orjson.loads(asked or "") == {
        "access_token": {"nbf": {"essential": True, "value": "17"}, "xms_cc": {"values": ["CP1"]}}
    }
    assert orjson.loads(wanted_claims(None)) == {"access_token": {"xms_cc": {"values": ["CP1"]}}}


def test_a_seed_starts_the_store_and_what_grew_from_it_is_used_from_then_on(
    a_sandbox: MakeSandbox, tmp_path: Path
) -> None:
    sandbox, said = a_sandbox(revokes_used=True), list[str]()
    seed = sandbox.issue_refresh_token()
    store = a_store(tmp_path, said)
    for _ in range(2):
        acquire_from(sandbox, store, seed=seed)()
    assert sandbox.people.used[0] == seed
    assert len(set(sandbox.people.used)) == 2
    assert kept(sandbox, tmp_path).seed_sha256 == fingerprint(seed)
    assert "UNENCRYPTED" in said[0]
    found = store.find(key_of(sandbox))
    assert found is not None
    assert (found.account, found.client) == ("operator@contoso.example", "confidential")


def test_another_seed_is_newer_and_wins(a_sandbox: MakeSandbox, tmp_path: Path) -> None:
    sandbox, store = a_sandbox(), a_store(tmp_path)
    first, second = sandbox.issue_refresh_token(), sandbox.issue_refresh_token()
    acquire_from(sandbox, store, seed=first)()
    acquire_from(sandbox, store, seed=second)()
    assert sandbox.people.used == [first, second]


def test_a_refusal_is_said_first_even_where_it_cannot_be_remembered(
    a_sandbox: MakeSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox = a_sandbox()
    sign_in(sandbox, store := a_store(tmp_path))
    acquire, sandbox.people.refusal = acquire_from(sandbox, store), 700082

    def full(*_: Any, **__: Any) -> None:
        raise AuthError("file x cannot be written: No space left on device")

    monkeypatch.setattr(type(store), "note_refusal", full)
    with pytest.raises(AuthError, match=r"^sign-in refused.*login.*AADSTS700082.* \(file x cannot be written"):
        acquire()


def test_a_refused_seed_says_that_a_newer_one_would_do_and_leaves_the_store_alone(
    a_sandbox: MakeSandbox, tmp_path: Path
) -> None:
    sandbox, store = a_sandbox(), a_store(tmp_path)
    sandbox.people.refusal = 700082
    with pytest.raises(AuthError, match=r"Or give a newer auth\.refresh_token"):
        acquire_from(sandbox, store, seed=sandbox.issue_refresh_token())()
    assert store.all() == []


class _Full(PlainFiles):
    """A place whose disk is full from when it is told so."""

    is_full = False

    def save(self, name: str, text: str) -> None:
        if _Full.is_full:
            raise AuthError("file x cannot be written: No space left on device")
        super().save(name, text)


def test_a_new_refresh_token_that_cannot_be_kept_is_told_loudly_and_not_lost(
    a_sandbox: MakeSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox = a_sandbox(revokes_used=True)
    place: Place = _Full(tmp_path)
    sign_in(sandbox, store := a_store(tmp_path, place=lambda _kind, _folder: place))
    acquire = acquire_from(sandbox, store)
    monkeypatch.setattr(_Full, "is_full", True)
    with pytest.raises(AuthError, match="its new refresh token cannot be kept: file x cannot be written: No space"):
        acquire()
    before = kept(sandbox, tmp_path).refresh_token
    monkeypatch.setattr(_Full, "is_full", False)
    acquire()
    assert len(sandbox.people.used) == 2
    assert before == sandbox.people.used[0]
    assert kept(sandbox, tmp_path).refresh_token not in sandbox.people.used


def test_who_cannot_get_the_lock_in_time_may_try_later(a_sandbox: MakeSandbox, tmp_path: Path) -> None:
    sandbox = a_sandbox()
    sign_in(sandbox, store := a_store(tmp_path))
    with store.locked(key_of(sandbox), timeout_s=1), pytest.raises(TokenUnavailableError, match="another process"):
        acquire_from(sandbox, store, timeout_s=0.1)()
    assert sandbox.people.used == []


def renewing(sandbox: Sandbox, folder: Path, times: int) -> subprocess.Popen[str]:
    """A process of its own that renews so often."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.auth.signed_in", str(times)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert process.stdin is not None
    process.stdin.write(described(sandbox, folder) + "\n")
    process.stdin.flush()
    return process


def test_two_processes_lose_no_rotation_though_each_use_revokes_the_old_one(
    a_sandbox: MakeSandbox, tmp_path: Path
) -> None:
    sandbox = a_sandbox(revokes_used=True)
    sign_in(sandbox, a_store(tmp_path))
    processes = [renewing(sandbox, tmp_path, 8) for _ in range(2)]
    outputs = [process.communicate(timeout=60)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert outputs == ["renewed\n" * 8] * 2
    assert len(set(sandbox.people.used)) == len(sandbox.people.used) == 16
    assert kept(sandbox, tmp_path).refresh_token not in sandbox.people.used


def test_a_process_that_is_killed_leaves_a_sign_in_that_goes_on(a_sandbox: MakeSandbox, tmp_path: Path) -> None:
    sandbox = a_sandbox()
    sign_in(sandbox, store := a_store(tmp_path))
    for _ in range(2):
        process = renewing(sandbox, tmp_path, 1000)
        assert process.stdout is not None
        process.stdout.readline()
        process.kill()
        process.communicate(timeout=10)
        assert process.returncode == -signal.SIGKILL
        acquire_from(sandbox, store)()


@pytest.mark.parametrize(
    ("text", "heals"),
    [
        ("AADSTS700082: x", True),
        ("AADSTS65001: x", True),
        ("AADSTS7000215: x", False),
        ("AADSTS700016: x", False),
        ("nothing", False),
    ],
)
def test_what_signing_in_again_heals(text: str, heals: bool) -> None:
    assert needs_login(AuthError(text)) is heals


def test_a_sign_in_whose_secret_has_gone_is_none(a_sandbox: MakeSandbox, tmp_path: Path) -> None:
    sandbox, store = a_sandbox(), a_store(tmp_path)
    store.note(a_sign_in(key_of(sandbox)))
    with pytest.raises(AuthError, match="nobody is signed in"):
        acquire_from(sandbox, store)()
