from __future__ import annotations

import numpy as np
import pytest

from holdfast.errors import InputError
from holdfast.faults.crash import Crash

NODES = np.arange(4)


def downs(crash: Crash, rounds: int) -> list[int]:
    up = [crash.up(t, NODES, seed=1) for t in range(1, rounds + 1)]
    assert all(up_K[[0, 1, 3]].all() for up_K in up), "another node is down"
    return [t for t, up_K in enumerate(up, start=1) if not up_K[2]]


def test_by_hand() -> None:
    assert downs(Crash(node=2, at_round=3, back_at=5), 8) == [3, 4]
    assert downs(Crash(node=2, at_round=3), 5) == [3, 4, 5]
    assert downs(Crash(node=2, at_round=1, back_at=2), 3) == [1]


def test_names_its_node() -> None:
    assert Crash(node=2).last_node() == 2


@pytest.mark.parametrize("back_at", [5, 4, -1])
def test_must_come_back_after_it_went(back_at: int) -> None:
    with pytest.raises(InputError, match=f"back_at must be greater than at_round, 5, but {back_at} was given"):
        Crash(at_round=5, back_at=back_at)


def test_rounds_count_from_one_and_nodes_from_zero() -> None:
    with pytest.raises(InputError, match="node must be greater than or equal to 0"):
        Crash(node=-1)
    with pytest.raises(InputError, match="at_round must be greater than or equal to 1"):
        Crash(at_round=0)
