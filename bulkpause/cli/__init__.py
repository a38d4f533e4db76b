"""The command line. Only in this package do errors become exit codes; imports wait until they are needed."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, NoReturn

from bulkpause.cli import exits, streams

if TYPE_CHECKING:
    from bulkpause.redaction import Redactor


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line and exit with one of the documented codes."""
    from bulkpause.cli.lastwords import no_tracebacks  # noqa: PLC0415 - not for who imports the package alone
    from bulkpause.redaction import Redactor  # noqa: PLC0415

    redactor = Redactor()
    umask = os.umask(0o077)  # what is made here is for its owner, and neither a loose nor a strict umask changes that
    try:
        with no_tracebacks(), streams.dependable_streams(redactor) as has_lost_output:
            code = _run(sys.argv[1:] if arguments is None else arguments, redactor)
            if code == exits.OK and has_lost_output():
                code = exits.AUDIT_FAILED
    finally:
        os.umask(umask)
    sys.exit(code)


def _run(arguments: list[str], redactor: Redactor) -> int:
    if arguments in (["-h"], ["--help"]):
        from bulkpause.cli.overview import HELP  # noqa: PLC0415 - each way imports only its own

        print(HELP)  # noqa: T201 - this is the result
        return exits.OK
    from bulkpause.cli.root import run  # noqa: PLC0415

    return run(arguments, redactor)
