"""What a fresh process pays once, paid ahead of the first request."""

from __future__ import annotations

import gc


def warm_up() -> None:
    """Spare a run two costs of a fresh process, once everything is imported.

    One large block is freed, so that glibc keeps the loop's 256 KiB receive buffers on the heap: on a fresh one every
    reply costs an mmap, a mremap and a munmap, 22 us. And what is loaded is frozen: a full garbage collection would
    walk through all of it, 30 ms in which the event loop stands still.
    """
    buffer = bytearray(2 << 20)
    del buffer
    gc.freeze()
