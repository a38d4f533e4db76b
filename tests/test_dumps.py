"""A process with secrets in it leaves no core, and no other process of its user can read its environment."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a process say so of itself")
SECRET = "hunter-two~planted"
HELD = "from bulkpause.dumps import forbid_dumps; forbid_dumps(); "
NOBODY = "65534"


def shell(script: str, code: str, *, cwd: Path) -> subprocess.CompletedProcess[str]:
    """What a bash script comes to that finds Python and a program for it in `$@`."""
    root = str(Path(__file__).parent.parent)
    return subprocess.run(
        ["bash", "-c", script, "bash", sys.executable, "-c", code],
        cwd=cwd,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": root, "PLANTED": SECRET, "COVERAGE_PROCESS_CONFIG": ""},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def cores(folder: Path) -> list[Path]:
    return [file for file in folder.iterdir() if SECRET.encode() in file.read_bytes()]


@LINUX
@pytest.mark.parametrize("death", ["os.abort()", "os.kill(os.getpid(), 11)", "raised = os.kill(os.getpid(), 6)"])
def test_a_crash_leaves_no_core_with_the_secret_in_it(tmp_path: Path, death: str) -> None:
    (tmp_path / "free").mkdir()
    (tmp_path / "held").mkdir()
    raised = 'ulimit -c unlimited || exit 99; "$@"'
    free = shell(raised, f"import os; {death}", cwd=tmp_path / "free")
    held = shell(raised, f"import os; {HELD}{death}", cwd=tmp_path / "held")
    assert held.returncode > 128 or held.returncode < 0
    assert cores(tmp_path / "held") == []
    if free.returncode == 99 or not cores(tmp_path / "free"):
        pytest.skip("this machine writes no cores beside the program, so none of ours could have been missed")


def as_nobody(script: str, code: str) -> subprocess.CompletedProcess[str]:
    """The same as a user who may do nothing, with a Python that this one can run."""
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("needs root and setpriv, to become somebody else: to root nothing is forbidden")
    become = f"setpriv --reuid {NOBODY} --regid {NOBODY} --clear-groups bash -c"
    for python in (sys.executable, "/usr/bin/python3"):
        probe = shell(f"""exec {become} '"$@"' bash {python} -c 'import bulkpause.dumps'""", "", cwd=Path("/"))
        if probe.returncode == 0:
            return shell(f"""shift; exec {become} '{script}' bash {python} "$@\"""", code, cwd=Path("/"))
    pytest.skip("user 65534 can run no Python here that finds bulkpause")


@LINUX
def test_another_process_of_the_same_user_cannot_read_its_environment() -> None:
    look = """"$@" & sleep 0.5; tr "\\0" "\\n" < /proc/$!/environ; kill $!"""
    wait = "import time; time.sleep(20)"
    assert f"PLANTED={SECRET}" in as_nobody(look, wait).stdout
    held = as_nobody(look, HELD + wait)
    assert SECRET not in held.stdout
    assert "Permission denied" in held.stderr


@LINUX
def test_it_still_reads_its_own_descriptors_by_name_and_its_children_are_as_usual() -> None:
    code = (
        "import os, subprocess; print(open('/dev/fd/4').read().strip(), len(os.listdir('/proc/self/fd')) > 3);"
        "print(subprocess.run(['cat', '/proc/self/environ'], capture_output=True, text=True).stdout)"
    )
    done = as_nobody('"$@" 4< <(echo ids)', HELD + code)
    assert done.stdout.split()[:2] == ["ids", "True"], done.stderr
    assert f"PLANTED={SECRET}" in done.stdout
