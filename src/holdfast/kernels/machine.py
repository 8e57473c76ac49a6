"""How the kernels of the CPU are compiled, and spread over its cores."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, TypeVar

import numba
import torch

__all__ = ["compiled", "in_threads"]

F = TypeVar("F", bound=Callable[..., Any])

WORTH_THREADS = 2**17
"""From how many numbers on a second thread pays."""


def compiled(function: F) -> F:
    """The function in machine code, kept on disk where there is a place for it; sums may be taken in lanes."""
    options: dict[str, Any] = {"nogil": True, "fastmath": {"reassoc", "contract", "nsz"}, "error_model": "numpy"}
    try:
        made: F = numba.njit(**options, cache=True)(function)
    except RuntimeError:  # no folder that can be written to
        made = numba.njit(**options)(function)
    return made


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="holdfast-kernels")


def in_threads(work: Callable[[int, int], None], tasks: int, numbers: int) -> None:
    """Call ``work(first, last)`` for parts of the tasks that together are all of them."""
    threads = min(torch.get_num_threads(), tasks) if numbers >= WORTH_THREADS else 1
    if threads <= 1:
        work(0, tasks)
        return
    ends = [tasks * part // threads for part in range(threads + 1)]
    list(_pool(threads).map(work, ends[:-1], ends[1:]))
