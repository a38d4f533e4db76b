"""What left a process, in the order it left: replayed to prove that no request came before the sync of its intent."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Call:
    """One call on the ledger or a socket, and the attempts, by correlation id, that its bytes name."""

    name: str
    """`write` or `sync` of the ledger, `send` of a socket."""
    ids: frozenset[str] = frozenset()


def sent_too_early(calls: Iterable[Call]) -> list[str]:
    """The attempts that left before a power cut could no longer forget their intent, in order; none, if all is well."""
    written: set[str] = set()
    durable: set[str] = set()
    early = []
    for call in calls:
        match call.name:
            case "write":
                written |= call.ids
            case "sync":
                durable |= written
            case _:
                early += sorted(call.ids - durable)
    return early


def from_shim(text: str) -> Iterator[Call]:
    """The log of faulty_disk.py."""
    for line in text.splitlines():
        name, *ids = line.split()
        yield Call(name, frozenset(ids))


STRACE: Final = "-f -y -s 65536 --seccomp-bpf -e trace=write,fdatasync,fsync,sendto,sendmsg"
"""Options that show whole buffers and the names behind descriptors."""
_ID: Final = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_BEGUN: Final = re.compile(r"(?P<pid>\d+) +(?P<call>\w+)\((?P<fd>\d+<[^>]*>)(?P<rest>.*)")
_RESUMED: Final = re.compile(r"(?P<pid>\d+) +<\.\.\. (?P<call>\w+) resumed>.*\) += (?P<result>-?\d+).*")
_IDS: Final = re.compile(rf'(?:correlation_id\\":\\"|MS-CorrelationId: )({_ID})')


def from_strace(text: str, *, ledger: str) -> Iterator[Call]:
    """The output of `strace` with STRACE; a sync counts when it ends."""
    syncing: set[str] = set()
    for line in text.splitlines():
        if begun := _BEGUN.fullmatch(line):
            ids = frozenset(_IDS.findall(begun["rest"]))
            is_ledger = begun["fd"].endswith(f"{ledger}>")
            match begun["call"]:
                case "write" if is_ledger:
                    yield Call("write", ids)
                case "fsync" | "fdatasync" if is_ledger and begun["rest"].endswith("<unfinished ...>"):
                    syncing.add(begun["pid"])
                case "fsync" | "fdatasync" if is_ledger and begun["rest"].endswith("= 0"):
                    yield Call("sync")
                case "sendto" | "sendmsg" if '"PUT ' in begun["rest"]:
                    yield Call("send", ids)
        elif (resumed := _RESUMED.fullmatch(line)) and resumed["call"] in {"fsync", "fdatasync"}:
            if resumed["pid"] in syncing and resumed["result"] == "0":
                yield Call("sync")
            syncing.discard(resumed["pid"])
