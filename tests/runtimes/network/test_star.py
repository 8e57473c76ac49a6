"""The coordinator's rounds over real processes, where they differ from those that other tests play."""

from __future__ import annotations

from pathlib import Path

import pytest

from ...tiny import line
from ..test_simulation import STEP, Quorum
from .cluster import cluster


@pytest.mark.parametrize("link", ["reliable", "best_effort"])
def test_the_coordinator_asks_the_silent_one_after_another(tmp_path: Path, link: str) -> None:
    mute = {"name": "periodic", "every": 1000}
    fields = {"algorithm": Quorum(keep_local=True, **STEP), "trigger": mute, **line(2.0, 4.0, 6.0, 8.0, 10.0)}
    with cluster(tmp_path, ["0-1", "2-4"], **fields, rounds=2, network={"link": link}) as made:
        made.start()
        assert made.play(1).item() == pytest.approx((1 + 2 + 3) / 3)
        assert made.notes.by_node(1, "bytes_up") == {0: 4, 1: 4, 2: 4}
        # Who was asked has sent its work and starts from the broadcast, 2; nodes 3 and 4 go on from their own models.
        assert made.play(1, first=2).item() == pytest.approx(2 + (0 + 1 + 2) / 3)
