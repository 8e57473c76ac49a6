from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from holdfast.attacks.min_max import MinMax
from holdfast.attacks.min_sum import MinSum
from holdfast.attacks.spread import Direction, Perturbing, perturbation

from ..contract import PROPERTY
from .contexts import context, rows

DIRECTIONS: list[Direction] = ["sign", "unit", "std"]
Room = Callable[[np.ndarray, np.ndarray], float]


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_agrees_with_numpy(direction: Direction) -> None:
    x = rows(6).double()
    mean, std = x.numpy().mean(0), x.numpy().std(0)
    expected = {"sign": -np.sign(mean), "unit": -mean / np.linalg.norm(mean), "std": -std}[direction]
    np.testing.assert_allclose(perturbation(x, direction), expected, rtol=1e-12)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_of_zeros_it_is_zero(direction: Direction) -> None:
    assert perturbation(0 * rows(3), direction).tolist() == [0] * 5


def room_to_the_farthest(x: np.ndarray, b: np.ndarray) -> float:
    """How much farther the farthest two rows are from each other than b is from any of them, relatively."""
    spread = max(np.linalg.norm(a - c) for a in x for c in x)
    return float(1 - max(np.linalg.norm(b - a) for a in x) / spread)


def room_to_all(x: np.ndarray, b: np.ndarray) -> float:
    """How much greater the greatest sum of squared distances of a row is than that of b, relatively."""
    greatest = max(sum(np.sum((a - c) ** 2) for c in x) for a in x)
    return float(1 - sum(np.sum((b - a) ** 2) for a in x) / greatest)


@PROPERTY
@given(
    st.sampled_from([(MinMax, room_to_the_farthest), (MinSum, room_to_all)]),
    st.sampled_from(DIRECTIONS),
    st.integers(2, 9),
    st.integers(1, 6),
    st.floats(1e-3, 1e3),
    st.integers(0, 1000),
)
def test_the_constraint_holds_and_hardly_any_more_would_break_it(
    attack: tuple[type[Perturbing], Room], direction: Direction, honest: int, columns: int, size: float, seed: int
) -> None:
    cls, room = attack
    x = size * rows(honest, columns, seed).double()
    sent_D = cls(direction=direction).corrupt({}, x, torch.zeros(2, columns).double(), context(0, 1))[1][0]
    mean = x.numpy().mean(0)
    step = sent_D.numpy() - mean
    assert room(x.numpy(), mean + (1 - 1e-9) * step) >= 0
    assert room(x.numpy(), mean + 1.01 * step) < 0
    push = perturbation(x, direction).numpy()
    np.testing.assert_allclose(step / np.linalg.norm(step), push / np.linalg.norm(push), atol=1e-6)


@pytest.mark.parametrize("attack", [MinMax, MinSum])
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_where_all_agree_it_sends_the_truth_of_all(attack: type[Perturbing], direction: Direction) -> None:
    for x in (torch.full((4, 2), 3.0), torch.full((1, 2), 3.0)):
        assert attack(direction=direction).corrupt({}, x, torch.zeros(1, 2), context(0))[1].tolist() == [[3.0, 3.0]]
