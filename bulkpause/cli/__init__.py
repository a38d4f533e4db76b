"""The command line. Only in this package do errors become exit codes; imports wait until they are needed."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

from bulkpause.cli import exits, streams


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line and exit with one of the documented codes."""
    umask = os.umask(0o077)  # what is made here is for its owner, and neither a loose nor a strict umask changes that
    try:
        with streams.dependable_streams() as has_lost_output:
            code = _run(sys.argv[1:] if arguments is None else arguments)
            if code == exits.OK and has_lost_output():
                code = exits.AUDIT_FAILED
    finally:
        os.umask(umask)
    sys.exit(code)


def _run(arguments: list[str]) -> int:
    if arguments in (["-h"], ["--help"]):
        from bulkpause.cli.overview import HELP  # noqa: PLC0415 - each way imports only its own

        print(HELP)  # noqa: T201 - this is the result
        return exits.OK
    from bulkpause.cli.root import run  # noqa: PLC0415

    return run(arguments)
