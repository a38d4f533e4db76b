"""How an examination is shown: a line for each check, what to do under it, and the verdict; or one JSON document."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import click

from bulkpause.cli.words import print_json, print_text
from bulkpause.doctor.checks import Check, Grade, first_obstacle, named
from bulkpause.redaction import Redactor, printable

_WORDS: Final[Mapping[Grade, str]] = {
    Grade.OK: "ok",
    Grade.WARNING: "WARNING",
    Grade.FAILED: "FAILED",
    Grade.SKIPPED: "skipped",
}
"""Words, not symbols: they survive every encoding, a missing colour, `grep` and a voice that reads them out."""

_STYLES: Final[Mapping[Grade, Mapping[str, Any]]] = {
    Grade.OK: {"fg": "green"},
    Grade.WARNING: {"fg": "yellow", "bold": True},
    Grade.FAILED: {"fg": "red", "bold": True},
    Grade.SKIPPED: {"dim": True},
}

_LEFT: Final = 2 + 7 + 2 + 13 + 2
"""Columns before the text: margin, grade, gap, title, gap."""

_NARROWEST: Final = 60


def show_checks(
    checks: Sequence[Check], *, redactor: Redactor, code: int, version: str, at: str, as_json: bool
) -> None:
    """The checks on stdout, without secrets, whatever a server has put into its words."""
    if as_json:
        obstacle = first_obstacle(checks)
        document: Any = {
            "schema": 1,
            "version": version,
            "at": at,
            "ready": obstacle is None,
            "obstacle": None if obstacle is None else obstacle.value,
            "exit_code": code,
            "checks": [check.to_dict() for check in checks],
        }
        print_json(redactor.value(document))
        return

    def clean(text: str) -> str:
        return printable(redactor.text(text))

    is_seen = sys.stdout.isatty()
    paint = click.style if is_seen and "NO_COLOR" not in os.environ else _plain
    width = max(_NARROWEST, shutil.get_terminal_size().columns - 1) if is_seen else None
    lines = [line for check in checks for line in _check_lines(check, clean, width=width, paint=paint)]
    print_text("\n".join([*lines, "", *_verdict(checks, code=code, paint=paint)]))


def _check_lines(
    check: Check, clean: Callable[[str], str], *, width: int | None, paint: Callable[..., str]
) -> list[str]:
    grade = paint(f"{_WORDS[check.grade]:7}", **_STYLES[check.grade])
    is_skipped = check.grade is Grade.SKIPPED
    first, *rest = _wrapped(clean(check.said), width)
    lines = [f"  {grade}  {check.name.words:13}  {paint(first, dim=True) if is_skipped else first}".rstrip()]
    indent = " " * _LEFT
    lines += [indent + line for line in rest]
    for detail in check.details:
        lines += [indent + paint(line, dim=True) for line in _wrapped(clean(detail), width)]
    if check.remedy is not None and not is_skipped:
        remedy = _wrapped(clean(check.remedy), width, indent=3)
        lines += [
            indent + paint(f"{'-> ' if not number else '   '}{line}", bold=True) for number, line in enumerate(remedy)
        ]
    return lines


def _wrapped(text: str, width: int | None, *, indent: int = 0) -> list[str]:
    """The lines of `text` that fit beside the titles; one where nobody looks."""
    if width is None:
        return [text]
    room = width - _LEFT - indent
    return textwrap.wrap(text, room, break_on_hyphens=False, drop_whitespace=True) or [""]


def _verdict(checks: Sequence[Check], *, code: int, paint: Callable[..., str]) -> list[str]:
    warnings = [name.words for name in named(checks, Grade.WARNING)]
    failed = [name.words for name in named(checks, Grade.FAILED)]
    if failed:
        return [paint(f"Not ready: {', '.join(failed)}. Exit code {code}.", bold=True)]
    if warnings:
        return [paint(f"Ready, with a warning: {', '.join(warnings)}.", bold=True)]
    return [paint("Ready.", bold=True)]


def _plain(text: str, **_: object) -> str:
    return text
