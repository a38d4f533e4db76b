"""References to secrets: what counts as one, what each kind leads to, and that nothing of it is fetched too early."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from bulkpause.errors import ConfigError
from bulkpause.permissions import judge
from bulkpause.redaction import Redactor
from bulkpause.settings import Api, Auth, ProxyUrl, Secret, SecretReference, Settings, load, resolve_secrets
from bulkpause.settings.values import REFERENCE_FORMS, ProxyReference

SECRET = "hunter2~planted"
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no mode bits")


def no_keyring(_service: str, _name: str) -> str | None:
    raise AssertionError("the keyring was opened")


def resolved(
    reference: str, environ: Mapping[str, str] | None = None, ask: Callable[[str, str], str | None] = no_keyring
) -> str:
    settings = Settings(auth=Auth(client_secret=SecretReference(reference)))
    found = resolve_secrets(settings, environ=environ or {}, ask=ask).auth.client_secret
    assert found is not None
    return found.reveal()


def refused(reference: str, environ: Mapping[str, str] | None = None, **more: Callable[[str, str], str | None]) -> str:
    with pytest.raises(ConfigError) as caught:
        resolved(reference, environ, **more)
    assert SECRET not in str(caught.value)
    assert caught.value.__context__ is None or caught.value.__suppress_context__
    assert Redactor().text(str(caught.value)) == str(caught.value)  # what it says arrives
    return str(caught.value)


def private(file: Path, content: str | bytes) -> Path:
    file.touch(mode=0o600)
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return file


@pytest.mark.parametrize(
    "text", ["env:NAME", "file:a b", "file:/run/x", "keyring:svc/me", "keyring:https://x/y/me", "fd:3", "fd:63"]
)
def test_a_reference_prints_as_it_is_and_reveals_nothing(text: str) -> None:
    reference = SecretReference(text)
    assert (str(reference), f"{reference}") == (text, text)
    assert reference == ProxyReference(text) == Secret.parse(reference)
    assert reference != Secret(text)
    with pytest.raises(TypeError, match="nobody has resolved"):
        reference.reveal()


@pytest.mark.parametrize(
    "text",
    [SECRET, "", "env:", "env:A=B", "env:A B", "ENV:NAME", "file:", "file:a\nb", "keyring:me", "keyring:/me",
     "keyring:svc/", "fd:", "fd:0", "fd:2", "fd:x", "fd:-3", "fd:03", "vault:x"],
)  # fmt: skip
def test_anything_else_is_none_and_is_not_quoted(text: str) -> None:
    with pytest.raises(ValueError, match="must be a reference: env:NAME") as caught:
        SecretReference(text)
    assert text in REFERENCE_FORMS or text not in str(caught.value)


def test_a_variable_leads_to_its_text() -> None:
    assert resolved("env:MINE", {"MINE": f"{SECRET}\r\n"}) == SECRET
    assert refused("env:MINE", {"mine": SECRET}).startswith("auth.client_secret (env:MINE): there is no such variable")
    assert "nothing in it" in refused("env:MINE", {"MINE": "\n"})


@pytest.mark.parametrize(
    ("content", "secret"),
    [
        (SECRET, SECRET),
        (f"{SECRET}\n", SECRET),
        (f"{SECRET}\r\n", SECRET),
        (f"{SECRET}\n\n", f"{SECRET}\n"),
        (" a ", " a "),
    ],
)
def test_a_file_leads_to_its_text_less_one_line_break(tmp_path: Path, content: str, secret: str) -> None:
    assert resolved(f"file:{private(tmp_path / 's', content)}") == secret


def test_a_file_that_holds_no_secret_is_refused(tmp_path: Path) -> None:
    assert "cannot be read: No such file" in refused(f"file:{tmp_path / 'none'}")
    assert "nothing in it" in refused(f"file:{private(tmp_path / 'empty', '')}")
    assert "no UTF-8 text" in refused(f"file:{private(tmp_path / 'binary', bytes([0xFF, 0xFE]))}")
    assert "more than 65,536 bytes" in refused(f"file:{private(tmp_path / 'big', 'x' * 65_537)}")


@POSIX
@pytest.mark.parametrize(
    ("mode", "is_ours", "readers"),
    [
        (0o600, True, None), (0o400, True, None), (0o400, False, None),
        (0o644, True, "everybody"), (0o644, False, "everybody"), (0o604, True, "everybody"),
        (0o640, True, "its group"), (0o440, True, "its group"), (0o440, False, None), (0o640, False, None),
    ],
)  # fmt: skip
def test_who_may_read_a_secret_file(tmp_path: Path, mode: int, is_ours: bool, readers: str | None) -> None:
    flaw = judge(Path("/run/my secret"), mode=0o100000 | mode, is_ours=is_ours)
    if readers is None:
        assert flaw is None
    else:
        assert flaw is not None
        assert flaw.startswith(f"/run/my secret can be read by {readers} (mode {mode:04o}): chmod 600 '/run/my secret'")
        assert "defaultMode: 0400" in flaw


@POSIX
def test_a_secret_file_that_others_can_read_is_refused_until_the_command_shown_is_typed(tmp_path: Path) -> None:
    file = private(tmp_path / "s", SECRET)
    link = tmp_path / "link"
    link.symlink_to(file)
    file.chmod(0o644)
    for name in (file, link):
        assert f"chmod 600 {name}" in refused(f"file:{name}")
    os.system(refused(f"file:{file}").split(": ")[1].split(" (")[0])  # noqa: S605 - what we tell people to type
    assert resolved(f"file:{file}") == resolved(f"file:{link}") == SECRET


@POSIX
@pytest.mark.parametrize("key", ["auth.certificate_file", "auth.token_file", "api.client_certificate_file"])
def test_a_file_with_a_key_or_a_token_in_it_must_be_private_too(tmp_path: Path, key: str) -> None:
    file = private(tmp_path / "s", "x")
    section, name = key.split(".")
    made = {"auth": Auth, "api": Api}[section](**{name: file})
    settings = Settings(**{section: made})
    assert resolve_secrets(settings, environ={}) == settings
    file.chmod(0o640)
    with pytest.raises(ConfigError, match=f"^{key} .*s can be read by its group .mode 0640.: chmod 600"):
        resolve_secrets(settings, environ={})


@POSIX
def test_an_assertion_file_may_be_as_the_kubelet_writes_it(tmp_path: Path) -> None:
    file = tmp_path / "azure-identity-token"
    file.write_text("x")
    file.chmod(0o644)
    settings = Settings(auth=Auth(assertion_file=file))
    assert resolve_secrets(settings, environ={}) == settings


@pytest.mark.skipif(sys.platform == "win32", reason="descriptors are handed down otherwise there")
def test_a_descriptor_is_read_once_to_its_end_and_closed() -> None:
    reading, writing = os.pipe()
    os.write(writing, f"{SECRET}\n".encode())
    os.close(writing)
    os.set_inheritable(reading, True)
    assert resolved(f"fd:{reading}") == SECRET
    assert "cannot be read: Bad file descriptor; add " in refused(f"fd:{reading}")


@pytest.mark.skipif(sys.platform == "win32", reason="descriptors are handed down otherwise there")
def test_one_descriptor_may_stand_for_two_settings() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"http://joe:pw@proxy:1")
    os.close(writing)
    os.set_inheritable(reading, True)  # as one from a shell is
    both = ProxyReference(f"fd:{reading}")
    found = resolve_secrets(Settings(api=Api(proxy=both), auth=Auth(proxy=both)), environ={})
    assert found.api.proxy == found.auth.proxy == ProxyUrl("http://joe:pw@proxy:1")


def test_a_descriptor_that_nobody_handed_down_is_not_read(tmp_path: Path) -> None:
    with private(tmp_path / "ours", SECRET).open("rb") as ours:
        assert "nothing was handed down there" in refused(f"fd:{ours.fileno()}")
        assert ours.read() == SECRET.encode()


def test_the_keyring_is_asked_for_the_name_behind_the_last_slash() -> None:
    asked: list[tuple[str, str]] = []

    def ask(service: str, name: str) -> str | None:
        asked.append((service, name))
        return SECRET

    assert resolved("keyring:https://partner/app", ask=ask) == SECRET
    assert asked == [("https://partner", "app")]


class KeyringLocked(Exception):  # noqa: N818 - as the library calls it
    """Named like the library's own."""


def raising(error: Exception) -> Callable[[str, str], str | None]:
    def ask(_service: str, _name: str) -> str | None:
        raise error

    return ask


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda _s, _n: None, "the keyring has no such entry: keyring set svc me"),
        (raising(KeyringLocked(SECRET)), "the keyring is locked; unlock it, or sign in to the desktop"),
        (raising(OSError(SECRET)), "the keyring fails (OSError); see whether this works: keyring get svc me"),
    ],
)
def test_a_keyring_that_does_not_answer_is_one_line_with_what_to_type(
    ask: Callable[[str, str], str | None], words: str
) -> None:
    assert words in refused("keyring:svc/me", ask=ask)


def test_the_real_keyring_library_without_a_backend_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    import keyring  # noqa: PLC0415 - slow, and only here
    from keyring.backends import fail  # noqa: PLC0415

    before = keyring.get_keyring()
    keyring.set_keyring(fail.Keyring())  # type: ignore[no-untyped-call]
    try:
        with pytest.raises(ConfigError, match="this machine has no keyring that works; use file:, env: or fd: instead"):
            resolve_secrets(Settings(auth=Auth(token=SecretReference("keyring:svc/me"))), environ={})
    finally:
        keyring.set_keyring(before)


def test_every_secret_setting_takes_a_reference_and_keeps_its_type() -> None:
    settings = Settings(
        api=Api(client_certificate_passphrase=SecretReference("env:A"), proxy=ProxyReference("env:P")),
        auth=Auth(
            client_secret=SecretReference("env:A"),
            certificate_passphrase=SecretReference("env:A"),
            refresh_token=SecretReference("env:A"),
            token=SecretReference("env:A"),
        ),
    )
    found = resolve_secrets(settings, environ={"A": "aaaa", "P": "http://joe:pw@proxy:1"})
    assert found.api == Api(client_certificate_passphrase=Secret("aaaa"), proxy=ProxyUrl("http://joe:pw@proxy:1"))
    a = Secret("aaaa")
    assert found.auth == Auth(client_secret=a, certificate_passphrase=a, refresh_token=a, token=a)
    assert resolve_secrets(found, environ={}) == found


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (Settings(auth=Auth(token=SecretReference("env:X"))), "auth.token (env:X): must be the token alone"),
        (Settings(api=Api(proxy=ProxyReference("env:X"))), "api.proxy (env:X): must be http://host:port"),
    ],
)
def test_what_a_reference_leads_to_must_be_allowed(settings: Settings, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        resolve_secrets(settings, environ={"X": f"{SECRET} with blanks"})
    assert str(caught.value).startswith(message)
    assert SECRET not in str(caught.value)
    assert caught.value.__context__ is None


def loaded(folder: Path, toml: str = "", **more: object) -> tuple[Settings, Mapping[str, str]]:
    if toml:
        (folder / "bulkpause.toml").write_text(toml)
    given: dict[str, object] = {"flags": {}, "environ": {}, "config_file": None, "profile": None, **more}
    found = load(cwd=folder, user_config_dir=None, **given)  # type: ignore[arg-type]  # as above
    return found.settings, found.origins


def test_a_file_may_say_where_secrets_are_and_a_path_is_relative_to_it(tmp_path: Path) -> None:
    settings, origins = loaded(
        tmp_path,
        "[auth]\nclient_secret = 'file:secrets/app'\ntoken = 'keyring:svc/me'\n"
        "[api]\nproxy = 'env:PROXY'\n[profile.x.auth]\nrefresh_token = 'file:/run/r'",
        profile="x",
    )
    assert settings.auth.client_secret == SecretReference(f"file:{tmp_path / 'secrets' / 'app'}")
    assert (settings.auth.token, settings.auth.refresh_token) == (
        SecretReference("keyring:svc/me"),
        SecretReference("file:/run/r"),
    )
    assert isinstance(settings.api.proxy, ProxyReference)
    assert origins["auth.refresh_token"] == "file ./bulkpause.toml [profile.x]"


def test_the_flag_wins_over_everything_and_the_last_one_counts(tmp_path: Path) -> None:
    settings, origins = loaded(
        tmp_path,
        "[auth]\nclient_secret = 'env:FROM_FILE'",
        environ={"AZURE_CLIENT_SECRET": "x"},
        secrets=["auth.client_secret=env:A", "auth.client_secret=file:b"],
    )
    assert settings.auth.client_secret == SecretReference(f"file:{tmp_path / 'b'}")
    assert origins["auth.client_secret"] == "flag --secret"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"auth.client_secret={SECRET}", "--secret auth.client_secret=****: must be a reference: env:NAME"),
        (
            SECRET,
            "--secret takes KEY=REFERENCE, and KEY is none of api.client_certificate_passphrase, api.proxy, auth.",
        ),
        (f"auth.clinet_secret={SECRET}", "KEY is none of"),
        ("auth.tenant_id=env:X", "KEY is none of"),
    ],
)
def test_a_flag_that_is_no_reference_is_refused_without_being_quoted(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, secrets=[text])
    assert words in str(caught.value)
    assert SECRET not in str(caught.value)


NAMES = {
    "auth.client_secret": "client_secret",
    "AZURE_CLIENT_SECRET": "client_secret",
    "azure_client_secret": "client_secret",
    "Azure_Client_Secret": "client_secret",
    "BULKPAUSE_AUTH__CLIENT_SECRET": "client_secret",
    "bulkpause_auth__client_secret": "client_secret",
    "BULKPAUSE_TOKEN": "token",
    "bulkpause_token": "token",
    "azure_client_certificate_password": "certificate_passphrase",
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("way", ["flag", "variable"])
def test_a_file_in_the_directory_is_named_like_its_setting_or_a_variable(tmp_path: Path, name: str, way: str) -> None:
    folder = tmp_path / "secrets"
    folder.mkdir()
    file = private(folder / name, f"{SECRET}\n")
    given: dict[str, Any] = (
        {"secrets_dir": Path("secrets")} if way == "flag" else {"environ": {"BULKPAUSE_SECRETS_DIR": str(folder)}}
    )
    settings, origins = loaded(tmp_path, **given)
    assert getattr(settings.auth, NAMES[name]) == SecretReference(f"file:{file}")
    assert origins[f"auth.{NAMES[name]}"] == f"secrets directory {folder}"
    assert getattr(resolve_secrets(settings, environ={}).auth, NAMES[name]) == Secret(SECRET)


def test_the_directory_holds_any_setting_of_auth_and_other_secrets(tmp_path: Path) -> None:
    private(tmp_path / "AZURE_TENANT_ID", "contoso.example\n")
    private(tmp_path / "auth.timeout_s", "7")
    private(tmp_path / "auth.flow", "certificate")
    private(tmp_path / "azure_client_certificate_path", "partner.pfx\n")
    private(tmp_path / "auth.token_command", "az account\n")
    private(tmp_path / "api.proxy", "http://joe:pw@proxy:1")
    settings, _ = loaded(tmp_path, secrets_dir=tmp_path)
    auth = settings.auth
    assert (auth.tenant_id, auth.timeout_s, auth.flow) == ("contoso.example", 7.0, "certificate")
    assert (auth.certificate_file, auth.token_command) == (tmp_path / "partner.pfx", ("az", "account"))
    assert resolve_secrets(settings, environ={}).api.proxy == ProxyUrl("http://joe:pw@proxy:1")


def test_the_directory_stands_between_the_environment_and_the_files(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    folder.mkdir()
    for name in ("AZURE_TENANT_ID", "AZURE_CLIENT_ID"):
        private(folder / name, "mounted")
    settings, _ = loaded(
        tmp_path,
        "[auth]\ntenant_id = 'file'\nclient_id = 'file'",
        environ={"AZURE_CLIENT_ID": "environment"},
        secrets_dir=folder,
    )
    assert (settings.auth.tenant_id, settings.auth.client_id) == ("mounted", "environment")


@POSIX
def test_a_kubernetes_mount_is_read_through_its_links(tmp_path: Path) -> None:
    data = tmp_path / "..2026_11_24"
    data.mkdir()
    private(data / "AZURE_CLIENT_SECRET", SECRET)
    (tmp_path / "..data").symlink_to(data.name)
    (tmp_path / "AZURE_CLIENT_SECRET").symlink_to("..data/AZURE_CLIENT_SECRET")
    settings, _ = loaded(tmp_path, secrets_dir=tmp_path)
    assert resolve_secrets(settings, environ={}).auth.client_secret == Secret(SECRET)


@pytest.mark.parametrize(
    "name",
    ["token", "db_password", "partner.pfx", "ca.crt", "AZURE_SUBSCRIPTION_ID", ".gitkeep", "..data", "namespace"],
)
def test_a_file_of_somebody_else_passes(tmp_path: Path, name: str) -> None:
    private(tmp_path / name, SECRET)
    (tmp_path / "kubernetes.io").mkdir()
    assert loaded(tmp_path, secrets_dir=tmp_path)[0] == Settings()


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("AZURE_CLIENT_SECERT", "azure_client_secret"),
        ("auth.clientsecret", "auth.client_secret"),
        ("bulkpause_tokn", "bulkpause_token"),
        ("BULKPAUSE_RUN__RATE", None),
    ],
)
def test_a_misspelt_file_is_refused_with_what_was_meant(tmp_path: Path, name: str, meant: str | None) -> None:
    private(tmp_path / name, SECRET)
    with pytest.raises(ConfigError, match=f"{name} in the secrets directory is no setting") as caught:
        loaded(tmp_path, secrets_dir=tmp_path)
    assert meant is None or f"did you mean {meant}?" in str(caught.value)
    assert SECRET not in str(caught.value)


def test_two_files_for_one_setting_and_a_directory_that_is_not_there_are_refused(tmp_path: Path) -> None:
    private(tmp_path / "AZURE_CLIENT_SECRET", SECRET)
    private(tmp_path / "auth.client_secret", SECRET)
    with pytest.raises(ConfigError, match=r"two files for auth.client_secret; remove auth.client_secret or the other"):
        loaded(tmp_path, secrets_dir=tmp_path)
    with pytest.raises(ConfigError, match="cannot be read: No such file or directory"):
        loaded(tmp_path, secrets_dir=tmp_path / "none")
    private(tmp_path / "auth.client_secret", "").unlink()
    private(tmp_path / "AZURE_TENANT_ID", "")
    with pytest.raises(ConfigError, match=r"auth.tenant_id: .*AZURE_TENANT_ID is empty, or no text"):
        loaded(tmp_path, secrets_dir=tmp_path)


@pytest.mark.skipif(sys.platform == "win32", reason="makes a named pipe")
def test_a_setting_in_the_directory_that_is_a_pipe_or_endless_holds_nobody_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "auth.tenant_id", 0o600)
    with pytest.raises(ConfigError, match=r"auth.tenant_id cannot be read from .*: it is no regular file"):
        loaded(tmp_path, secrets_dir=tmp_path)
    (tmp_path / "auth.tenant_id").unlink()
    (tmp_path / "auth.tenant_id").touch()
    os.truncate(tmp_path / "auth.tenant_id", 1 << 40)
    with pytest.raises(ConfigError, match=r"auth\.tenant_id"):
        loaded(tmp_path, secrets_dir=tmp_path)
