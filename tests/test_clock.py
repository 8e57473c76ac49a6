"""The virtual clock: when nodes are there."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from holdfast.clock import VirtualClock


def test_times_that_adjoin_or_overlap_are_one(tmp_path: Path) -> None:
    lines = ["1,10,20", "0,0,10", "1,0,10", "0,30,35", "0,5,25", "0,30,32", "1,50,"]
    (tmp_path / "there.csv").write_text("node,start,stop\n" + "\n".join(lines))
    there = VirtualClock(availability=str(tmp_path / "there.csv")).available(3)
    assert there.until(np.arange(3), 5.0).tolist() == [25.0, 20.0, np.inf]
    assert there.until(np.arange(3), 31.0).tolist() == [35.0, 31.0, np.inf]
    assert there.at(22.0).tolist() == [True, False, True]
    assert [there.next(now) for now in (0.0, 30.0, 50.0)] == [30.0, 50.0, np.inf]


def test_a_file_without_times_leaves_everybody_there(tmp_path: Path) -> None:
    (tmp_path / "there.csv").write_text("node,start,stop\n")
    assert VirtualClock(availability=str(tmp_path / "there.csv")).available(2).at(0.0).all()
