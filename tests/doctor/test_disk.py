"""Files and folders are looked at as a run would use them, and left as they were."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from bulkpause.doctor.facts import FileFacts
from bulkpause.doctor.look.disk import file_system_of, kind_in, look_at_files, look_at_folder
from bulkpause.settings import Api, Audit, Auth, Settings

NOW = datetime.now(UTC)


def test_a_probe_is_written_and_nothing_of_it_stays_nor_of_the_folders_made_for_it(tmp_path: Path) -> None:
    facts = look_at_folder(tmp_path / "state" / "runs")
    assert facts.flaw is None
    assert facts.sync_ms is not None
    assert facts.sync_ms > 0
    assert facts.free_bytes is not None
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_runs_in_it_keeps_them(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    assert look_at_folder(tmp_path).flaw is None
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_a_file_in_the_way_is_a_flaw_and_nothing_stays(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert look_at_folder(tmp_path / "file" / "runs").flaw == "Not a directory"
    assert look_at_folder(tmp_path / "file").flaw == "Not a directory"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


MOUNTS = [
    "22 1 254:0 / / rw,relatime - ext4 /dev/vda rw",
    "30 22 0:26 / /home rw - nfs4 server:/home rw",
    "31 30 0:27 / /home/my\\040files rw shared:7 - tmpfs tmpfs rw",
    "32 22 0:28 / /home rw - cifs //server/home rw",
    "rubbish",
]


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/var/runs", "ext4"),
        ("/home", "cifs"),
        ("/home/ann", "cifs"),
        ("/homestead", "ext4"),
        ("/home/my files", "tmpfs"),
    ],
)
def test_the_innermost_and_latest_mount_counts(path: str, kind: str) -> None:
    assert kind_in(MOUNTS, path) == kind


def test_this_machines_mounts_are_read(tmp_path: Path) -> None:
    kind = file_system_of(tmp_path)
    assert kind is None or kind.isprintable()


def one(settings: Settings) -> FileFacts:
    (facts,) = look_at_files(settings, now=NOW)
    return facts


@pytest.fixture
def pem(tmp_path: Path) -> Path:
    """A certificate with its key, good for 20 days."""
    expires_at = (NOW + timedelta(days=20)).replace(tzinfo=None)
    certificate = trustme.CA(key_type=trustme.KeyType.RSA).issue_cert(
        "app", not_after=expires_at, key_type=trustme.KeyType.RSA
    )
    certificate.private_key_and_cert_chain_pem.write_to_path(tmp_path / "app.pem")
    return tmp_path / "app.pem"


@pytest.mark.parametrize("name", ["auth", "api"])
def test_a_certificate_of_ones_own_tells_when_it_ends_even_if_that_is_over(pem: Path, name: str) -> None:
    settings = (
        Settings(auth=Auth(certificate_file=pem)) if name == "auth" else Settings(api=Api(client_certificate_file=pem))
    )
    facts = one(settings)
    assert facts.flaw is None
    assert facts.expires_at is not None
    assert (facts.expires_at - NOW).days in {19, 20}
    (later,) = look_at_files(settings, now=NOW + timedelta(days=21))
    assert str(later.flaw).startswith(f"{facts.setting} {pem} expired on 2")


@pytest.mark.parametrize("content", [None, "nonsense"])
def test_a_file_that_cannot_be_used_says_why(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "file"
    if content is not None:
        path.write_text(content)
    for settings in (
        Settings(auth=Auth(certificate_file=path)),
        Settings(api=Api(ca_file=path)),
        Settings(api=Api(client_certificate_file=path)),
        Settings(audit=Audit(signing_key_file=path)),
    ):
        assert str(path) in str(one(settings).flaw)


def test_a_file_that_is_kept_fresh_tells_its_age(tmp_path: Path) -> None:
    path = tmp_path / "token"
    assert "cannot be read" in str(one(Settings(auth=Auth(token_file=path))).flaw)
    path.write_text("secret")
    facts = one(Settings(auth=Auth(token_file=path)))
    assert facts.changed_at is not None
    assert abs((facts.changed_at - datetime.now(UTC)).total_seconds()) < 60


def test_without_files_there_is_nothing_to_look_at() -> None:
    assert look_at_files(Settings(), now=NOW) == ()


def test_of_each_file_but_the_authorities_it_is_asked_who_else_can_read_it(tmp_path: Path, pem: Path) -> None:
    (tmp_path / "token").touch()
    settings = Settings(auth=Auth(token_file=tmp_path / "token"), api=Api(ca_file=pem))
    found = look_at_files(settings, now=NOW, exposure=lambda file: f"chmod 600 {file.name}")
    assert {each.setting: each.exposure for each in found} == {
        "auth.token_file": "chmod 600 token",
        "api.ca_file": None,
    }
