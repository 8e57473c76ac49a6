import io
from pathlib import Path

import pytest
from rich.console import Console

from holdfast.record.live import Live, print_summary

from .synthetic import DIVERGED, ROBUST, write_run


class Clock:
    """Time that passes only when a test says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def console(terminal: bool, width: int = 140, height: int = 30) -> Console:
    return Console(
        file=io.StringIO(),
        force_terminal=terminal,
        width=width,
        height=height,
        record=True,
        color_system=None,
    )


def test_without_a_terminal_there_is_a_line_in_five_seconds_and_one_at_the_end() -> None:
    screen, clock = console(terminal=False), Clock()
    with Live("demo", {"[red]v": 100}, screen, clock) as live:
        live.status("calibrating")
        live.status("calibrating")
        for round in range(101):
            clock.now = round / 10
            live.update(
                "[red]v",
                round,
                {"test_accuracy": round / 100} if round % 10 == 0 else {},
                round,
                {"lost": round},
            )
        live.finish("[red]v", "done")
    lines = screen.export_text().splitlines()
    assert lines == [
        "demo: calibrating",
        "[red]v  round 0/100  accuracy 0.0%  up 0 B  events 0 (lost 0)",
        "[red]v  round 50/100  accuracy 50.0%  up 50 B  events 50 (lost 50)  10 rounds/s  5.0 s left",
        "[red]v  round 100/100  accuracy 100.0%  up 100 B  events 100 (lost 100)  10 rounds/s  0.00 s left",
        "[red]v  done after round 100/100  accuracy 100.0%  up 100 B  events 100 (lost 100)",
    ]


@pytest.mark.parametrize("width", [80, 140])
def test_on_a_terminal_there_is_one_table(width: int) -> None:
    screen, clock = console(terminal=True, width=width), Clock()
    live = Live("demo", {"mean": 50, "robust": 50}, screen, clock)
    with live:
        live.status("loading data")
        assert "loading data" in draw(live, width)
        live.update("mean", 10, {"test_accuracy": 0.5, "test_loss": 1.25}, 2_000_000, {"lost": 3, "crash": 1})
        clock.now = 2.0
        live.update("mean", 20, {}, 4_000_000, {"lost": 3, "crash": 1}, note="skipped")
        table = draw(live, width)
        live.finish("mean", "diverged")
        assert "diverged" in draw(live, width)
    for words in ("demo", "20/50", "50.0%", "1.25", "4 MB", "4", "5", "6.0 s skipped", "waiting"):
        assert words in table, words
    assert "loading data" not in table
    assert max(len(line.rstrip()) for line in table.splitlines()) <= width


def draw(live: Live, width: int) -> str:
    paper = console(terminal=False, width=width)
    paper.print(live._picture())
    return paper.export_text()


def test_a_resumed_variant_has_the_rate_of_this_process() -> None:
    screen, clock = console(terminal=False), Clock()
    with Live("demo", {"v": 50}, screen, clock) as live:
        live.update("v", 40, {}, 0, {})
        clock.now = 5.0
        live.update("v", 45, {}, 0, {})
    assert "1 rounds/s  5.0 s left" in screen.export_text()


def test_more_variants_than_lines_keep_the_current_one_in_view() -> None:
    screen = console(terminal=True, height=12)
    live = Live("sweep", {f"v{i}": 5 for i in range(40)}, screen)
    with live:
        live.update("v30", 1, {}, 0, {})
        text = draw(live, 140)
    assert "v30" in text
    assert len(text.splitlines()) <= 12


def test_an_error_ends_the_table_and_is_let_through() -> None:
    live = Live("demo", {"v": 5}, console(terminal=True))
    with pytest.raises(KeyboardInterrupt), live:
        raise KeyboardInterrupt
    assert not live._live.is_started


def test_the_summary_at_the_end(tmp_path: Path) -> None:
    screen = console(terminal=False, width=160)
    print_summary(write_run(tmp_path), tmp_path, screen)
    text = screen.export_text()
    for words in (
        "robust",
        DIVERGED,
        "70.0%",
        "not finite",
        "14.4 kB",
        "18 kB",
        "6 lost, 1 teapot",
        "done",
        "diverged",
    ):
        assert words in text, words
    assert f"Report: {tmp_path / 'report.html'}" in text.splitlines()


def test_the_summary_fits_a_narrow_terminal(tmp_path: Path) -> None:
    screen = console(terminal=False, width=80)
    print_summary(write_run(tmp_path), tmp_path, screen)
    lines = screen.export_text().splitlines()
    assert len(lines) == 4
    assert lines[1].split()[-1] == "7"


def test_the_summary_tells_rounds_a_second_with_and_without_the_first(tmp_path: Path) -> None:
    screen, summary = console(terminal=False), write_run(tmp_path)
    summary["variants"][ROBUST] |= {"rounds_per_second": 12.345, "rounds_per_second_after_first": 20.0}
    print_summary(summary, tmp_path, screen)
    heading, one, other, *_ = screen.export_text().splitlines()
    assert "rounds/s (after 1st)" in heading
    assert "12.3 (20)" in one
    assert "- (-)" in other


def test_each_variant_has_its_own_number_of_rounds() -> None:
    screen = console(terminal=False)
    with Live("demo", {"long": 100, "short": 10}, screen) as live:
        live.update("short", 10, {}, 0, {})
        live.finish("short", "done")
    assert "short  done after round 10/10" in screen.file.getvalue()
