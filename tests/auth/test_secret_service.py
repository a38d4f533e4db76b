"""A sign-in in a real Secret Service: GNOME Keyring on a D-Bus of its own, where both are installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.auth.signed_in import KEY

CODE = """
import sys
from pathlib import Path
from bulkpause.auth.store import Kept
from tests.auth.signed_in import KEY, a_sign_in, a_store
store = a_store(Path(sys.argv[1]), wanted="auto")
kind = store.prove()
for token in ("1.first", "1.second"):
    store.save(a_sign_in(kept_in=kind), Kept(token))
print(kind, store.load(a_sign_in(kept_in=kind)).refresh_token, store.where(a_sign_in(kept_in=kind)))
store.remove(KEY)
print(store.load(a_sign_in(kept_in=kind)))
"""


def in_secret_service(home: Path) -> subprocess.CompletedProcess[str]:
    """What CODE comes to beside a keyring of its own; skips where there is none."""
    for program in ("dbus-run-session", "gnome-keyring-daemon"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed: no real Secret Service to keep a sign-in in")
    unlock = "printf planted-password | gnome-keyring-daemon --unlock --components=secrets >/dev/null"
    script = f'{unlock}; exec "$0" -c "$1" "$2"'
    environ = {
        "HOME": str(home),
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "XDG_RUNTIME_DIR": str(home),
        "LD_LIBRARY_PATH": os.environ.get("LD_LIBRARY_PATH", ""),
    }
    return subprocess.run(
        ["dbus-run-session", "--", "bash", "-c", script, sys.executable, CODE, str(home / "sign-ins")],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_a_real_secret_service_keeps_replaces_and_forgets_a_sign_in(tmp_path: Path) -> None:
    done = in_secret_service(tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        f"keyring 1.second keyring SecretService, entry bulkpause/{KEY.name}",
        "None",
    ]
