from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from holdfast.attacks.min_max import MinMax
from holdfast.attacks.spread import Direction, perturbation

from ..contract import PROPERTY
from .contexts import context, rows

DIRECTIONS: list[Direction] = ["sign", "unit", "std"]


def test_by_hand() -> None:
    """The mean of 1 and 5 is 3; the farthest down that is no more than 4 from 5 is 1."""
    honest_HD = torch.tensor([[1.0], [5.0]])
    for direction in DIRECTIONS:
        sent_BD = MinMax(direction=direction).corrupt({}, honest_HD, torch.zeros(2, 1), context(0, 1))[1]
        torch.testing.assert_close(sent_BD, torch.tensor([[1.0]] * 2))


def room(x: np.ndarray, b: np.ndarray) -> float:
    """How much farther the farthest two rows are from each other than b is from any of them, relatively."""
    spread = max(np.linalg.norm(a - c) for a in x for c in x)
    return 1 - max(np.linalg.norm(b - a) for a in x) / spread


@PROPERTY
@given(st.sampled_from(DIRECTIONS), st.integers(2, 9), st.integers(1, 6), st.floats(1e-3, 1e3), st.integers(0, 1000))
def test_the_constraint_holds_and_hardly_any_more_would_break_it(
    direction: Direction, honest: int, columns: int, size: float, seed: int
) -> None:
    x = size * rows(honest, columns, seed).double()
    sent_D = MinMax(direction=direction).corrupt({}, x, torch.zeros(2, columns).double(), context(0, 1))[1][0]
    mean = x.numpy().mean(0)
    step = sent_D.numpy() - mean
    assert room(x.numpy(), mean + (1 - 1e-9) * step) >= 0
    assert room(x.numpy(), mean + 1.01 * step) < 0
    push = perturbation(x, direction).numpy()
    np.testing.assert_allclose(step / np.linalg.norm(step), push / np.linalg.norm(push), atol=1e-6)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_where_all_agree_it_sends_the_truth_of_all(direction: Direction) -> None:
    for x in (torch.full((4, 2), 3.0), torch.full((1, 2), 3.0)):
        assert MinMax(direction=direction).corrupt({}, x, torch.zeros(1, 2), context(0))[1].tolist() == [[3.0, 3.0]]
