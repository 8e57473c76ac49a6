"""How far a sweep is: on a terminal one bar under the last cells that ended, elsewhere a line for each of them."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from types import TracebackType

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from holdfast.record.wording import human_time, quality, shown, title
from holdfast.sweep.results import Record, metrics_of

__all__ = ["Board", "told"]

LAST = 5
_STYLES = {"diverged": "red", "failed": "red", "interrupted": "yellow"}


def told(record: Record) -> str:
    """A cell that ended, in a line.

    Example:
        >>> values = {"test_accuracy": 0.912, "seconds": 4.0}
        >>> told(Record({"rule": "krum", "f": "2"}, "done", values=values))
        'rule=krum f=2  test accuracy 91.2%  4.0 s'
        >>> told(Record({"f": "2"}, "failed", "killed by SIGKILL"))
        'f=2  failed  killed by SIGKILL'
    """
    metrics = metrics_of([record])
    metric = quality(metrics) or next(iter(metrics), None)
    parts = [" ".join(f"{axis}={label}" for axis, label in record.labels.items())]
    parts += [] if record.status == "done" else [record.status]
    parts += [record.reason] if record.reason else []
    parts += [f"{title(metric).lower()} {shown(metric, record.values[metric])}"] if metric else []
    parts += [human_time(record.values["seconds"])] if "seconds" in record.values else []
    return "  ".join(parts)


class Board:
    """Shows how far a sweep is, from ``with`` to its end.

    Args:
        total: how many cells are to be run.
        console: where to show it.
        clock: the time in seconds.
    """

    def __init__(self, total: int, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self.total, self.console, self.clock = total, console, clock
        self.began, self.ended, self.running = clock(), 0, 0
        self.last: deque[Record] = deque(maxlen=LAST)
        self.note = ""
        self._live = Live(console=console, get_renderable=self._picture, refresh_per_second=4, transient=True)

    def __enter__(self) -> Board:
        if self.console.is_terminal and self.total:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def end(self, record: Record) -> None:
        """Say that a cell has ended, and how."""
        self.ended += 1
        self.last.append(record)
        if not self._live.is_started:
            line = Text(f"[{self.ended}/{self.total}] ").append(told(record), style=_STYLES.get(record.status, ""))
            self.console.print(line, soft_wrap=True)

    def counts(self) -> Mapping[str, str]:
        """How many cells are where, and how long it will take, in words."""
        left = self.total - self.ended
        elapsed = self.clock() - self.began
        ahead = human_time(elapsed / self.ended * left) if self.ended and left else ""
        waiting = left - self.running
        return {"done": f"{self.ended}/{self.total}", "running": str(self.running), "left": str(waiting), "ETA": ahead}

    def _picture(self) -> RenderableType:
        lines = [Text(told(record), style=_STYLES.get(record.status, "dim"), no_wrap=True) for record in self.last]
        bar = Table.grid(padding=(0, 2, 0, 0))
        words = [f"{name} {text}" for name, text in self.counts().items() if text]
        bar.add_row(ProgressBar(max(self.total, 1), self.ended, width=24), *words, Text(self.note, style="yellow"))
        return Group(*lines, bar)
