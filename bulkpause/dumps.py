"""A process whose memory holds secrets: no core file of it is written, and nobody else of its user may look inside."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import Final

_PR_SET_DUMPABLE: Final = 4
"""https://man7.org/linux/man-pages/man2/PR_SET_DUMPABLE.2const.html"""

if sys.platform == "win32":

    def forbid_dumps() -> None:
        """Nothing: whether Windows keeps dumps of crashed programs is for its administrator to say."""

else:
    import resource

    def forbid_dumps() -> None:
        """From now on a crash of this process leaves no core, as far as the system can be told so.

        On Linux it is not dumpable: not by a program that catches cores either, its /proc files belong to root, and no
        debugger of the same user may attach. Its children are as they would be, but for the limit.
        """
        _, hard = resource.getrlimit(resource.RLIMIT_CORE)
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_CORE, (0, hard))
        if sys.platform == "linux":
            with suppress(ImportError, OSError, AttributeError):  # a Python without ctypes, a libc without it
                import ctypes  # noqa: PLC0415 - only here

                ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
