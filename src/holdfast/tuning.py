"""What a process that computes on many small models wants of the C library."""

from __future__ import annotations

import ctypes
import os

__all__ = ["tune"]

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_KEEP, _FROM_THE_HEAP = 2**31 - 1, 2**25


def tune() -> None:
    """Keep freed memory for the next step.

    A step allocates and frees the same few megabytes; handing them back to the system each time costs a page fault for
    every 4 KiB of them, which took up to a fifth of a round. A value of the user's own stands.
    """
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):  # not glibc: its allocator has its own ways
        return
    if "MALLOC_TRIM_THRESHOLD_" not in os.environ:
        mallopt(_M_TRIM_THRESHOLD, _KEEP)
    if "MALLOC_MMAP_THRESHOLD_" not in os.environ:
        mallopt(_M_MMAP_THRESHOLD, _FROM_THE_HEAP)
