"""Progress while a run goes on, and the short table at its end.

On a terminal it is one table with a row a variant; elsewhere (a log file, a CI job) one plain line at most
every five seconds and one at each variant's end.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live as RichLive
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from holdfast.record.wording import human_bytes, human_time, quality, shown, title

__all__ = ["Live", "print_summary"]

_SECONDS_BETWEEN_LINES = 5.0
_WIDE = 100  # columns that a progress bar, or events by kind, need
_ABSENT = "-"
_STATUS_STYLES = {"done": "green", "diverged": "red", "failed": "red", "interrupted": "yellow"}


@dataclass
class _Row:
    """What is known of one variant."""

    rounds: int
    status: str = "waiting"
    round: int = 0
    metrics: dict[str, float] = field(default_factory=dict)
    bytes_up: int = 0
    events: dict[str, int] = field(default_factory=dict)
    note: str = ""
    first: tuple[int, float] | None = None
    rate: float = 0.0

    def advance(self, round: int, now: float) -> None:
        """Take note of the round, and of the rounds a second since the first one seen."""
        self.first = self.first or (round, now)
        self.status, self.round = "running", round
        elapsed = now - self.first[1]
        self.rate = (round - self.first[0]) / elapsed if elapsed > 0 else 0.0


class Live:
    """Shows how far each variant is, from ``with`` to its end.

    Args:
        name: the experiment's name.
        variants: the variants in their order, each with the number of rounds that it will do.
        console: where to show it; standard output by default.
        clock: the time in seconds; another clock makes a test independent of the real one.

    Example:
        >>> import sys
        >>> with Live("demo", {"robust": 10}, Console(file=sys.stdout, width=110)) as live:
        ...     live.status("loading data")
        ...     metrics = {"test_accuracy": 0.912, "test_loss": 0.31}
        ...     live.update("robust", 10, metrics, 12_300_000, {"lost": 4})
        ...     live.finish("robust", "done")
        demo: loading data
        robust  round 10/10  accuracy 91.2%  loss 0.31  up 12.3 MB  events 4 (lost 4)
        robust  done after round 10/10  accuracy 91.2%  loss 0.31  up 12.3 MB  events 4 (lost 4)
    """

    def __init__(
        self,
        name: str,
        variants: Mapping[str, int],
        console: Console | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name, self._clock = name, clock
        self._console = console or Console()
        self._rows = {variant: _Row(rounds) for variant, rounds in variants.items()}
        self._current = ""
        self._said, self._said_at = "", -float("inf")
        self._spinner = Spinner("dots")
        self._live = RichLive(console=self._console, get_renderable=self._picture, refresh_per_second=4)

    def __enter__(self) -> Live:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live.is_started:
            self._said = ""
            self._live.transient = error is None  # the summary takes the table's place
            self._live.stop()

    def status(self, text: str) -> None:
        """Say what is being prepared, until the next `update`; an empty text says nothing."""
        if text and text != self._said and not self._live.is_started:
            self._print(f"{self._name}: {text}")
        self._said = text

    def warn(self, text: str) -> None:
        """Say what the user should know now, above the table; nothing of it goes away."""
        self._console.print(Text(f"{self._name}: {text}", style="yellow"), soft_wrap=True)

    def update(
        self,
        variant: str,
        round: int,
        metrics: Mapping[str, float],
        bytes_up: int,
        events: Mapping[str, int],
        note: str = "",
    ) -> None:
        """Say how far a variant is.

        Args:
            variant: the variant.
            round: the rounds done.
            metrics: the metrics of this round; of others the last known value stays.
            bytes_up: what its nodes sent up so far, in bytes.
            events: how many events of each kind there were so far.
            note: anything else, in a few words.
        """
        row, now = self._rows[variant], self._clock()
        row.advance(round, now)
        row.metrics.update(metrics)
        row.bytes_up, row.events, row.note = bytes_up, dict(events), note
        self._current, self._said = variant, ""
        if not self._live.is_started and now - self._said_at >= _SECONDS_BETWEEN_LINES:
            self._said_at = now
            self._print(self._line(variant, row))

    def finish(self, variant: str, status: str) -> None:
        """Say that a variant has ended, and how: done, diverged, interrupted or failed."""
        row = self._rows[variant]
        row.status = status
        if not self._live.is_started:
            self._print(self._line(variant, row))

    def _print(self, line: str) -> None:
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)

    def _line(self, variant: str, row: _Row) -> str:
        running = row.status == "running"
        parts = [variant, f"{'' if running else f'{row.status} after '}round {row.round}/{row.rounds}"]
        parts += [f"{name} {value}" for name, value in _first_metrics(row.metrics)]
        parts += [f"up {human_bytes(row.bytes_up)}", _events(row.events)]
        if running and row.rate > 0:
            parts += [f"{row.rate:.3g} rounds/s", f"{self._left(row)} left"]
        return "  ".join(part for part in [*parts, row.note] if part)

    def _left(self, row: _Row) -> str:
        return human_time(max(0.0, row.rounds - row.round) / row.rate) if row.rate > 0 else ""

    def _picture(self) -> RenderableType:
        """The table, and under it what is being prepared."""
        if not self._said:
            return self._table()
        self._spinner.update(text=Text(f"{self._said} …", style="dim"))
        return Group(self._table(), self._spinner)

    def _table(self) -> Table:
        table = _plain_table(self._name)
        widest = max(12, self._console.width // 4)
        table.add_column("variant", max_width=widest, no_wrap=True, overflow="ellipsis")
        wide = self._console.width >= _WIDE
        names = [_metric_word(name) for name in self._metric_names()]
        for heading in [*([""] if wide else []), "round", *names, "up", "events", "rounds/s", "time left"]:
            table.add_column(heading, justify="right" if heading else "left", no_wrap=True)
        for variant in self._in_view():
            row = self._rows[variant]
            style = "dim" if row.status == "waiting" else ""
            table.add_row(Text(variant), *self._cells(row, wide), style=style)
        return table

    def _metric_names(self) -> list[str]:
        return _chosen(dict.fromkeys(name for row in self._rows.values() for name in row.metrics))

    def _in_view(self) -> list[str]:
        """As many variants as the terminal has lines for, the current one among them."""
        names, room = list(self._rows), max(3, self._console.height - 6)
        at = names.index(self._current) if self._current in self._rows else 0
        start = max(0, min(at - room // 2, len(names) - room))
        return names[start : start + room]

    def _cells(self, row: _Row, wide: bool) -> list[RenderableType]:
        bar: list[RenderableType] = [ProgressBar(max(row.rounds, 1), row.round, width=20)] if wide else []
        metrics = [_value(row.metrics, name) for name in self._metric_names()]
        end = Text(self._left(row)) if row.status == "running" else _status(row.status)
        if row.note:
            end.append(f" {row.note}", style="dim")
        up, rate = human_bytes(row.bytes_up), f"{row.rate:.3g}" if row.rate > 0 else ""
        return [*bar, f"{row.round}/{row.rounds}", *metrics, up, str(sum(row.events.values())), rate, end]


def _plain_table(name: str = "") -> Table:
    title = Text(name, style="bold") if name else None
    return Table(title=title, title_justify="left", box=None, padding=(0, 2, 0, 0))


def _status(status: str) -> Text:
    return Text(status, style=_STATUS_STYLES.get(status, ""))


def _value(metrics: Mapping[str, float | None], name: str) -> str:
    return shown(name, metrics[name]) if name in metrics else _ABSENT


def _chosen(metrics: Iterable[str]) -> list[str]:
    """The two metrics that a narrow line has room for: the quality and the loss."""
    metrics = list(metrics)
    loss = next((name for name in ("test_loss", "train_loss") if name in metrics), None)
    return [name for name in (quality(metrics), loss) if name is not None]


def _metric_word(name: str) -> str:
    return title(name.removeprefix("test_")).lower()


def _first_metrics(metrics: Mapping[str, float]) -> list[tuple[str, str]]:
    return [(_metric_word(name), shown(name, metrics[name])) for name in _chosen(metrics)]


def _events(events: Mapping[str, int]) -> str:
    counts = ", ".join(f"{kind} {count}" for kind, count in events.items())
    return f"events {sum(events.values())} ({counts})" if counts else ""


def print_summary(summary: Mapping[str, Any], directory: Path, console: Console) -> None:
    """Print the short table at the end of a run, and where its report is.

    Args:
        summary: what `holdfast.record.summary.summarise` gave.
        directory: the run directory.
        console: where to print.
    """
    variants = summary["variants"]
    names = _chosen(dict.fromkeys(name for told in variants.values() for name in told["final"]))
    wide = console.width >= _WIDE
    table = _plain_table()
    table.add_column("variant", no_wrap=True, overflow="ellipsis", max_width=max(12, console.width // 4))
    for heading in [
        *map(_metric_word, names),
        "up",
        *(["down", "time"] if wide else []),
        "rounds",
        *(["rounds/s (after 1st)"] if wide else []),
    ]:
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("status", no_wrap=True)
    table.add_column("events", no_wrap=not wide)
    for variant, told in variants.items():
        table.add_row(Text(variant), *_summary_cells(told, names, wide))
    console.print(table)
    report = directory / "report.html"
    console.print(Text("Report: ", style="bold").append(str(report), style="not bold"), soft_wrap=True)


def _summary_cells(told: Mapping[str, Any], names: list[str], wide: bool) -> list[RenderableType]:
    final = [_value(told["final"], name) for name in names]
    seconds = _ABSENT if told["seconds"] is None else human_time(told["seconds"])
    more = [human_bytes(told["bytes_down"]), seconds] if wide else []
    counts = {kind: count for kind, count in told["events"].items() if kind != "byzantine"}
    kinds = ", ".join(f"{count} {kind}" for kind, count in counts.items()) or _ABSENT
    events = kinds if wide else str(sum(counts.values()))
    up, rounds = human_bytes(told["bytes_up"]), str(told["rounds"])
    return [*final, up, *more, rounds, *([_rates(told)] if wide else []), _status(told["status"]), events]


def _rates(told: Mapping[str, Any]) -> str:
    """Rounds a second with the first round and, in brackets, without it."""
    rates = (told.get("rounds_per_second"), told.get("rounds_per_second_after_first"))
    whole, after = (_ABSENT if rate is None else f"{rate:.3g}" for rate in rates)
    return f"{whole} ({after})"
