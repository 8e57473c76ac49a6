"""The tray: what has been checked waits there for the main thread, of each sender no more than so much."""

from __future__ import annotations

import queue
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, Generic, NamedTuple, TypeVar

from holdfast.runtimes.network.wire import Again, MessageError

__all__ = ["PENDING", "Request", "Tray", "ask_through", "put_into"]

PENDING = 64
"""How many statements of one sender may wait."""

T = TypeVar("T")


def put_into(tray: Tray[Any]) -> Callable[[Any], None]:
    """How a desk lays down what it has checked: parcels were expected, statements are counted by sender."""
    return lambda what: tray.put(what, getattr(what, "sender", ""))


def ask_through(tray: Tray[Any]) -> Callable[[str, Again], None]:
    """How a desk asks another process for chunks again."""
    return lambda recipient, again: tray.put(Request(recipient, again))


class Request(NamedTuple):
    """Chunks that another process is to send again; the main thread asks it, for the post's must never wait.

    Args:
        recipient: the other process.
        again: what it is asked.
    """

    recipient: str
    again: Again


class Tray(Generic[T]):
    """A queue with a clock, in which nobody can take everybody's room.

    Example:
        >>> tray = Tray[str]()
        >>> tray.put("a letter", sender="alice")
        >>> tray.take(0)[1]
        'a letter'
        >>> tray.take(0) is None
        True
    """

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[tuple[float, str, T]] = queue.SimpleQueue()
        self._pending = Counter[str]()
        self._lock = threading.Lock()

    def put(self, what: T, sender: str = "") -> None:
        """Lay something down; of a named sender only so much may wait.

        Raises:
            MessageError: it is too much.
        """
        if sender:
            with self._lock:
                if self._pending[sender] >= PENDING:
                    raise MessageError("too many")
                self._pending[sender] += 1
        self._queue.put((time.monotonic(), sender, what))

    def take(self, timeout: float) -> tuple[float, T] | None:
        """The first thing and when it came, as soon as there is one; None if there is none in so many seconds."""
        try:
            then, sender, what = self._queue.get(timeout=max(0.0, timeout))
        except queue.Empty:
            return None
        with self._lock:
            self._pending[sender] -= 1
            if self._pending[sender] <= 0:
                del self._pending[sender]
        return then, what
