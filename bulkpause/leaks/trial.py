"""The leak test itself: plant, run, search."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from bulkpause.leaks.canaries import Canary, found_in, planted
from bulkpause.leaks.proxy import refusing_proxy
from bulkpause.leaks.report import Leak, LeakReport
from bulkpause.leaks.scenes import Scene, Stage, services
from bulkpause.redaction import MASK
from bulkpause.sandbox import serve_in_thread

PATIENCE_S: Final = 120.0
"""A command that takes longer has failed."""


def run() -> LeakReport:
    """Run the leak test in a directory of its own: some ten seconds; it touches nothing real, and needs no settings."""
    with TemporaryDirectory(prefix="bulkpause-leaks-", ignore_cleanup_errors=True) as folder:
        return leak_test(Path(folder), environ=os.environ, rng=random.SystemRandom())


def leak_test(
    folder: Path, *, environ: Mapping[str, str], rng: random.Random, is_broken: bool = False, only: Sequence[str] = ()
) -> LeakReport:
    """Plant marked secrets in `folder`, run every command against them, and search all that these leave behind.

    With `is_broken` the commands strike nothing out: the test of the test. `only` names the scenes to play.
    """
    sas = planted("a SAS link in a reply", rng)
    with ExitStack() as scope:
        served = {name: scope.enter_context(serve_in_thread(settings)) for name, settings in services(sas, rng).items()}
        port = scope.enter_context(refusing_proxy())
        stage = Stage(folder / "planted", served, proxy_port=port, sas=sas, rng=rng)
        scenes = [scene for scene in stage.scenes() if not only or scene.name in only]
        home = folder / "scenes"
        for scene in scenes:
            (home / scene.name).mkdir(parents=True)
            for sandbox in served.values():
                ids = "\n".join(["ReportId", *sandbox.report_ids, ""])
                (home / scene.name / f"{sandbox.settings.seed}.csv").write_text(ids, encoding="utf-8")
        kept = _harmless(environ)
        flaws: list[str] = []
        for are_later in (False, True):
            part = [scene for scene in scenes if (scene.after is not None) is are_later]
            with ThreadPoolExecutor((os.cpu_count() or 1) + 1) as pool:
                flaws += filter(None, pool.map(lambda scene: _play(scene, home, kept, is_broken=is_broken), part))
        stage.learn_issued()
    return _searched(home, stage.canaries, commands=len(scenes), flaws=flaws)


def _harmless(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment without settings of the operator's own."""
    ours = ("BULKPAUSE_", "AZURE_", "XDG_")
    return {
        name: text
        for name, text in environ.items()
        if not name.upper().startswith(ours) and not name.lower().endswith("_proxy")
    }


def _play(scene: Scene, home: Path, environ: Mapping[str, str], *, is_broken: bool) -> str | None:
    """Run a scene and keep what it prints; what did not go as planned, None if all did."""
    cwd = home / (scene.after or scene.name)
    mode = f"{scene.mode}+broken" if is_broken else scene.mode
    command = [sys.executable, "-m", "bulkpause.leaks.child", mode, *scene.arguments]
    said = home / scene.name
    (said / "command-line").write_text("\n".join(command), encoding="utf-8")
    try:
        done = subprocess.run(  # noqa: S603 - our own command
            command,
            cwd=cwd,
            env={**environ, "HOME": str(cwd), "USERPROFILE": str(cwd), **scene.environ},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PATIENCE_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{scene.name}: {type(error).__name__}"
    (said / "stdout").write_bytes(done.stdout)
    (said / "stderr").write_bytes(done.stderr)
    is_as_planned = done.returncode < 0 if scene.codes is None else done.returncode in scene.codes
    if os.name == "nt" and scene.codes is None:
        is_as_planned = done.returncode != 0  # there are no signals
    return None if is_as_planned else f"{scene.name}: exit code {done.returncode}"


def _searched(home: Path, canaries: Sequence[Canary], *, commands: int, flaws: Sequence[str]) -> LeakReport:
    leaks: list[Leak] = []
    artefacts = searched_bytes = struck = 0
    for file in sorted(home.rglob("*")):
        if not file.is_file():
            continue
        content = file.read_bytes() + os.fsencode(file.name)
        artefacts, searched_bytes = artefacts + 1, searched_bytes + len(content)
        struck += content.count(MASK.encode())
        artefact = file.relative_to(home).as_posix()
        leaks += [Leak(place=canary.place, artefact=artefact) for canary in found_in(content, canaries)]
    return LeakReport(
        leaks=leaks,
        places=list(dict.fromkeys(canary.place for canary in canaries)),
        commands=commands,
        artefacts=artefacts,
        searched_bytes=searched_bytes,
        struck=struck,
        flaws=flaws,
    )
