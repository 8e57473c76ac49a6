"""How far a sweep is, on a terminal and in a log."""

from __future__ import annotations

import io

from rich.console import Console

from holdfast.sweep.progress import Board

from .tiny import record


def shown(terminal: bool) -> tuple[Board, str]:
    now = [0.0]
    console = Console(file=io.StringIO(), force_terminal=terminal, width=150, color_system=None)
    with Board(4, console, lambda: now[0]) as board:
        board.running, now[0] = 2, 10.0
        board.end(record(0.912, f="1"))
        board.end(record(None, "failed", f="2"))
        assert board.counts() == {"done": "2/4", "running": "2", "left": "0", "ETA": "10.0 s"}
        console.print(board._picture())
    return board, console.file.getvalue()  # type: ignore[attr-defined]


def test_in_a_log_each_cell_is_a_line():
    assert shown(terminal=False)[1].startswith("[1/4] f=1  test accuracy 91.2%  1.0 s\n[2/4] f=2  failed\n")


def test_on_a_terminal_there_is_one_bar_under_the_last_cells():
    text = shown(terminal=True)[1]
    assert "[1/4]" not in text
    assert "done 2/4" in text
    assert text.index("f=1  test accuracy 91.2%") < text.index("done 2/4")
